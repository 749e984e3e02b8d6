import { chmodSync, copyFileSync, existsSync, mkdirSync, readdirSync, realpathSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { KEY_FILE, SECRETS_FILE } from '../../src/secrets/keyEncryptionKey.ts';
import { overlap, takeBytes } from './bytes.ts';
import { type Contents, contentsOfDatabase, contentsOfExport, copyDatabase, EXPORT, LOG } from './log.ts';
import {
  type AboutKeys,
  type AboutRegistry,
  entryOf,
  faultsIn,
  kindOf,
  readManifest,
  Unusable,
  writeManifest,
} from './manifest.ts';
import { restore } from './restore.ts';

// What the scripts beside this file do with the stores. Called by them; they choose, lock, name and sync the folders.

/** Exit codes: `backup.sh` and `verify.sh` pass them on. */
const EX_DAMAGED = 65;
const EX_UNUSABLE = 64;

const say = (text: string): void => {
  process.stdout.write(`${text}\n`);
};

/** Whether the settings, where the script sees those of the registry, say that something is on a server. A folder may still have what was there before. */
const isOnServer = (setting: string | undefined): boolean => setting !== undefined && setting !== '' && setting !== 'embedded';

const inMiB = (bytes: number): string => `${(bytes / 1024 / 1024).toFixed(1)} MiB`;

const mustBeApart = (one: string, other: string, why: string): void => {
  if (overlap(realpathSync(one), realpathSync(other)))
    throw new Unusable(`${one} and ${other} must be apart from each other: ${why}.`);
};

const takeLog = async (
  data: string,
  to: string,
  exported: string | undefined,
): Promise<Readonly<{ path: string; contents: Contents }>> => {
  mkdirSync(join(to, 'log'), { recursive: true });
  if (exported !== undefined) {
    copyFileSync(exported, join(to, EXPORT));
    return { path: EXPORT, contents: await contentsOfExport(join(to, EXPORT)) };
  }
  if (isOnServer(process.env.GHOSTDOCK_EVENT_LOG) || !existsSync(join(data, LOG)))
    throw new Unusable(
      `The event log is not in ${data}. If it is on a server, export it first and name the file: --export FILE.`,
    );
  copyDatabase(join(data, LOG), join(to, LOG));
  return { path: LOG, contents: contentsOfDatabase(join(to, LOG)) };
};

/** The log first, then the bytes. @returns whether everything was there */
const takeRegistry = async (
  data: string,
  to: string,
  previous: string | undefined,
  exported: string | undefined,
): Promise<boolean> => {
  mustBeApart(data, to, 'a backup in the data folder is lost with it');
  const takenAt = new Date().toISOString();
  const { path, contents } = await takeLog(data, to, exported);
  say(`Log: ${contents.events} events.`);
  const { entries, copied, reused, missing } = await takeBytes({ from: data, to, previous, linked: contents.linked });
  const { bytes } = writeManifest<AboutRegistry>(to, [await entryOf(to, path), ...entries], {
    kind: 'registry',
    takenAt,
    events: contents.events,
    signingKey: contents.signingKey,
    linked: contents.linked.size,
    missing,
  });
  say(`Bytes: ${copied} blobs copied, ${reused} as in the last backup. ${inMiB(bytes)} in all.`);
  if (missing.length > 0)
    say(
      `MISSING: the log links ${missing.length} blobs that are not there, or are damaged:\n${missing.map((digest) => `  ${digest}`).join('\n')}`,
    );
  return missing.length === 0;
};

const mustBeApartFromLogs = (to: string): void => {
  const beside = readdirSync(dirname(to)).map((name) => join(dirname(to), name));
  const registry = beside.find(
    (folder) => folder !== to && existsSync(join(folder, 'backup.json')) && kindOf(folder) === 'registry',
  );
  if (registry !== undefined)
    throw new Unusable(
      `${dirname(to)} holds backups of the log (${registry}). Whoever gets hold of both reads everything: keep the keys elsewhere.`,
    );
};

const takeKeys = async (data: string, to: string): Promise<void> => {
  mustBeApart(data, to, 'a backup in the data folder is lost with it');
  mustBeApartFromLogs(to);
  const takenAt = new Date().toISOString();
  const secrets = join(data, 'secrets');
  if (isOnServer(process.env.GHOSTDOCK_VIEWS) || !existsSync(join(secrets, SECRETS_FILE)))
    throw new Unusable(`The secrets are not in ${secrets}. If they are on a server, use: ghostdock export-secrets`);
  copyDatabase(join(secrets, SECRETS_FILE), join(to, SECRETS_FILE));
  const keyIncluded = existsSync(join(secrets, KEY_FILE));
  if (keyIncluded) copyFileSync(join(secrets, KEY_FILE), join(to, KEY_FILE));
  const paths = keyIncluded ? [SECRETS_FILE, KEY_FILE] : [SECRETS_FILE];
  for (const path of paths) chmodSync(join(to, path), 0o600);
  const entries = await Promise.all(paths.map((path) => entryOf(to, path)));
  writeManifest<AboutKeys>(to, entries, { kind: 'keys', takenAt, keyIncluded });
  if (!keyIncluded)
    say('The key itself is not in the data folder: keep what GHOSTDOCK_SECRET_KEY or its file holds, apart from this.');
};

const verify = async (folder: string): Promise<boolean> => {
  const { about, entries } = readManifest(folder, kindOf(folder));
  const faults = [...(await faultsIn(folder, entries))];
  const holds = (path: string): boolean => entries.some((entry) => entry.path === path);
  if (faults.length === 0 && holds(LOG)) contentsOfDatabase(join(folder, LOG));
  if (faults.length === 0 && holds(EXPORT)) await contentsOfExport(join(folder, EXPORT));
  if (about.kind === 'registry')
    faults.push(...about.missing.map((digest) => `${digest} was missing already when the backup was taken`));
  for (const fault of faults) say(fault);
  say(
    faults.length === 0 ? `Sound: ${about.files} files, ${inMiB(about.bytes)}, taken ${about.takenAt}.` : `NOT SOUND: ${folder}`,
  );
  return faults.length === 0;
};

const OPTIONS = {
  previous: { type: 'string' },
  export: { type: 'string' },
  'accept-missing': { type: 'boolean', default: false },
  'log-on-server': { type: 'boolean', default: false },
  'older-keys': { type: 'boolean', default: false },
} as const;

/** @returns the exit code */
const run = async (): Promise<number> => {
  const { positionals, values } = parseArgs({ allowPositionals: true, options: OPTIONS });
  const [command = '', ...folders] = positionals;
  const [first = '', second = '', third = ''] = folders.map((folder) => resolve(folder));
  if (command === 'registry') return (await takeRegistry(first, second, values.previous, values.export)) ? 0 : EX_DAMAGED;
  if (command === 'keys') await takeKeys(first, second);
  else if (command === 'verify') return (await verify(first)) ? 0 : EX_DAMAGED;
  else if (command === 'restore') {
    const onServer = values['log-on-server'];
    await restore({
      backup: first,
      keys: onServer ? undefined : second,
      target: onServer ? second : third,
      acceptMissing: values['accept-missing'],
      olderKeys: values['older-keys'],
      say,
    });
  } else throw new Unusable(`There is no command ${command}.`);
  return 0;
};

run().then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    process.stderr.write(`${error instanceof Unusable ? error.message : ((error as Error).stack ?? error)}\n`);
    process.exitCode = error instanceof Unusable ? EX_UNUSABLE : 70;
  },
);
