import { randomBytes } from 'node:crypto';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { type Append, committer } from '../src/events/log/sqliteCommit.ts';
import { openForWriting } from '../src/events/log/sqliteSchema.ts';
import { groups } from '../src/projections/groups.ts';
import type { Group } from '../src/projections/projection.ts';
import { sqliteViews } from '../src/projections/views/sqlite.ts';
import { rebuildInThread } from '../src/projections/views/sqliteRebuild.ts';
import { keyFromText } from '../src/secrets/keyEncryptionKey.ts';
import { sqliteSecrets } from '../src/secrets/sqlite.ts';
import { pushes } from '../test/support/histories.ts';
import { scratchFolder } from '../test/support/processes.ts';
import { type Figure, rounded } from './figures.ts';

const EVENTS = 1_000_000;
const REPOSITORIES = 5000;
const APPENDS_AT_ONCE = 2000;
const WORKER = new URL('../src/rebuild.worker.ts', import.meta.url);

/** As the log's writer commits them, but without waiting for the disk. */
const fillLog = (file: string): void => {
  const db = openForWriting(file);
  db.exec('pragma synchronous = off');
  const commit = committer(db);
  let appends: Append[] = [];
  for (const { stream, expected, events } of pushes(EVENTS, REPOSITORIES)) {
    const texts = events.flatMap(({ id, type, data, metadata }) => [id, type, JSON.stringify(data), JSON.stringify(metadata)]);
    appends.push({ stream, expected, events: texts });
    if (appends.length < APPENDS_AT_ONCE) continue;
    commit(appends);
    appends = [];
  }
  commit(appends);
  db.exec('pragma wal_checkpoint(truncate)');
  db.close();
};

const secondsOf = async (work: () => Promise<unknown>): Promise<number> => {
  const begun = performance.now();
  await work();
  return (performance.now() - begun) / 1000;
};

/** Builds a group as a running registry does, on threads of their own, and opens what came of it. */
const figuresOf = async (group: Group, folder: string, data: Readonly<Record<string, unknown>>): Promise<readonly Figure[]> => {
  const file = join(folder, `${group.name}-1.db`);
  const build = rebuildInThread(WORKER, data);
  const watch = { onProgress: () => undefined, signal: new AbortController().signal };
  const built = await secondsOf(() => build({ group: group.name, file }, watch));
  const opened = await secondsOf(async () => {
    const views = sqliteViews(file, group);
    for (const view of group.views) await views.find(view, { limit: 1 });
    await views.close();
  });
  const size = Math.round(statSync(file).size / 1_000_000);
  return [
    { question: `rebuild, ${group.name} views`, figure: `${rounded(EVENTS / built)} events/s` },
    {
      question: `open the ${group.name} views of ${EVENTS.toLocaleString('en')} events (${size} MB)`,
      figure: `${rounded(opened)} s`,
    },
  ];
};

/** How fast do views come back from the log, and how long does it take to open them? About a minute, a third of it to write the log. */
export const run = async (): Promise<readonly Figure[]> => {
  const { path, remove } = scratchFolder();
  try {
    const [log, secrets] = [join(path, 'facts.db'), join(path, 'secrets.db')];
    const data = {
      log: { file: log },
      secrets: { file: secrets },
      key: keyFromText(randomBytes(32).toString('base64')),
    };
    fillLog(log);
    sqliteSecrets(secrets, data.key).close();
    const figures: Figure[] = [];
    for (const group of Object.values(groups)) figures.push(...(await figuresOf(group, path, data)));
    return figures;
  } finally {
    remove();
  }
};

if (import.meta.main) console.table(await run());
