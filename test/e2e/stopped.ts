import { createHash } from 'node:crypto';
import { createReadStream, existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { expect } from 'chai';
import pino from 'pino';
import { openApp } from '../../src/app.ts';
import { readConfig } from '../../src/config.ts';
import { catalogue } from '../../src/events/catalogue.ts';
import { ORIGIN, type Position, type Recorded } from '../../src/events/event.ts';
import { type EventLog, LARGEST_READ } from '../../src/events/log/log.ts';
import { sqliteEventLog } from '../../src/events/log/sqlite.ts';
import { groups, reporting, serving } from '../../src/projections/groups.ts';
import type { Group, Projection, Seen } from '../../src/projections/projection.ts';
import { startProjector } from '../../src/projections/runner.ts';
import { sqliteViews } from '../../src/projections/views/sqlite.ts';
import { LARGEST_PAGE, type Views } from '../../src/projections/views/views.ts';
import { embeddedKey, SECRETS_FILE } from '../../src/secrets/keyEncryptionKey.ts';
import { sealing } from '../../src/secrets/sealing.ts';
import { sqliteSecrets } from '../../src/secrets/sqlite.ts';
import { waitUntil } from '../support/processes.ts';

/** What a registry left in its data folder, once its process has ended. */

/** Every event of a log, in order. */
export const allOf = async (log: EventLog): Promise<readonly Recorded[]> => {
  const facts: Recorded[] = [];
  let after: Position = ORIGIN;
  for (;;) {
    const page = await log.readAll({ limit: LARGEST_READ, after });
    facts.push(...page);
    if (page.length < LARGEST_READ) return facts;
    after = page.at(-1)?.position ?? after;
  }
};

/** Every event of its log, in order. */
export const factsIn = async (dataDir: string): Promise<readonly Recorded[]> => {
  const log = await sqliteEventLog(join(dataDir, 'log', 'facts.db'));
  try {
    return await allOf(log);
  } finally {
    await log.close();
  }
};

/** Each stream counts from 0 without a gap, positions rise, no event has the id of another. */
export const expectGapless = (facts: readonly Recorded[]): void => {
  const next = new Map<string, number>();
  let position: Position = ORIGIN;
  for (const fact of facts) {
    const revision = next.get(fact.stream) ?? 0;
    expect(fact.revision, `revision of ${fact.type} at ${fact.position} in ${fact.stream}`).to.equal(revision);
    expect(fact.position > position, `${fact.position} comes after ${position}`).to.equal(true);
    next.set(fact.stream, revision + 1);
    position = fact.position;
  }
  expect(new Set(facts.map(({ id }) => id)).size, 'different ids').to.equal(facts.length);
};

export type RepositoryState = Readonly<{
  tags: Map<string, string>;
  manifests: Set<string>;
  blobs: Set<string>;
}>;

type AnyData = Readonly<{ repository: string; digest: string; tag: string }>;

/** What the facts say that repositories hold, told in the plainest way and without any of the registry's own reducers. */
export const statesOf = (facts: readonly Recorded[]): ReadonlyMap<string, RepositoryState> => {
  const states = new Map<string, RepositoryState>();
  const steps: Readonly<Record<string, (state: RepositoryState, data: AnyData) => void>> = {
    BlobLinked: ({ blobs }, { digest }) => void blobs.add(digest),
    BlobUnlinked: ({ blobs }, { digest }) => void blobs.delete(digest),
    ManifestPushed: ({ manifests }, { digest }) => void manifests.add(digest),
    ManifestDeleted: ({ manifests }, { digest }) => void manifests.delete(digest),
    TagMoved: ({ tags }, { tag, digest }) => void tags.set(tag, digest),
    TagDeleted: ({ tags }, { tag }) => void tags.delete(tag),
  };
  for (const { type, data } of facts) {
    const { repository } = data as AnyData;
    if (type === 'RepositoryCreated') states.set(repository, { tags: new Map(), manifests: new Set(), blobs: new Set() });
    const state = states.get(repository);
    if (state !== undefined) steps[type]?.(state, data as AnyData);
  }
  return states;
};

/** Facts that were so already: what was pushed, linked, tagged or deleted a second time. */
export const repeatedIn = (facts: readonly Recorded[]): readonly string[] => {
  const held = new Map<string, string>();
  const change = (what: string, is: string | undefined): boolean => {
    const before = held.get(what);
    if (is === undefined) held.delete(what);
    else held.set(what, is);
    return before !== is;
  };
  const changes: Readonly<Record<string, (data: AnyData) => boolean>> = {
    BlobLinked: ({ repository, digest }) => change(`${repository} blob ${digest}`, digest),
    BlobUnlinked: ({ repository, digest }) => change(`${repository} blob ${digest}`, undefined),
    ManifestPushed: ({ repository, digest }) => change(`${repository} manifest ${digest}`, digest),
    ManifestDeleted: ({ repository, digest }) => change(`${repository} manifest ${digest}`, undefined),
    TagMoved: ({ repository, tag, digest }) => change(`${repository} tag ${tag}`, digest),
    TagDeleted: ({ repository, tag }) => change(`${repository} tag ${tag}`, undefined),
    RepositoryCreated: ({ repository }) => change(repository, 'created'),
  };
  return facts
    .filter(({ type, data }) => changes[type]?.(data as AnyData) === false)
    .map(({ type, position, data }) => `${type} at ${position}: ${JSON.stringify(data)}`);
};

type Dump = Readonly<Record<string, Readonly<{ documents: Readonly<Record<string, unknown>>; totals: unknown }>>>;

const documentsOf = async (views: Views, view: Projection): Promise<Readonly<Record<string, unknown>>> => {
  const documents: Record<string, unknown> = {};
  let after: readonly string[] | undefined;
  for (;;) {
    const { items, more } = await views.find(view, { limit: LARGEST_PAGE, ...(after !== undefined && { after }) });
    for (const { key, value } of items) documents[key] = value;
    if (!more) return documents;
    after = [items.at(-1)?.key ?? ''];
  }
};

export const dumpOf = async (views: Views, group: Group): Promise<Dump> => {
  expect(await views.faults(), `views of ${group.name} that stopped`).to.deep.equal({});
  const dump: Record<string, Dump[string]> = {};
  for (const view of group.views) {
    dump[view.view] = { documents: await documentsOf(views, view), totals: (await views.totals(view)).sums };
  }
  return dump;
};

/** As the next start finds them. */
const storedViews = async (dataDir: string): Promise<Readonly<Record<string, Dump>>> => {
  const config = readConfig({ GHOSTDOCK_DATA_DIR: dataDir });
  const app = await openApp(config, { version: 'test', logger: pino({ level: 'silent' }), announce: () => undefined });
  try {
    const head = await app.log.head();
    await waitUntil('the reporting views are up to date', async () => (await app.reporting.checkpoint()) === head);
    return { serving: await dumpOf(app.views, serving), reporting: await dumpOf(app.reporting, reporting) };
  } finally {
    await app.close();
  }
};

/** Computed anew from a log, in memory. `look` says what of it is wanted. */
export const projected = async <T>(
  log: EventLog,
  group: Group,
  prepare: (events: readonly Recorded[]) => Promise<readonly Seen[]>,
  look: (views: Views) => Promise<T>,
): Promise<T> => {
  const views = sqliteViews(':memory:', group);
  const failures: unknown[] = [];
  const projector = startProjector({ log, views, group, prepare, onError: (error) => failures.push(error) });
  const reached = await projector.reached(await log.head(), 60_000);
  const found = await look(views);
  await projector.stop();
  await views.close();
  expect(failures).to.deep.equal([]);
  expect(reached, `views of ${group.name} reach the end of the log`).to.equal(true);
  return found;
};

/** Computed anew, from the log alone. */
const viewsFromLog = async (dataDir: string): Promise<Readonly<Record<string, Dump>>> => {
  const folder = join(dataDir, 'secrets');
  const secrets = sqliteSecrets(join(folder, SECRETS_FILE), embeddedKey(folder));
  const { reveal } = sealing(secrets, catalogue);
  const prepare = async (events: readonly Recorded[]) => (await reveal(events)).map((event) => catalogue.upcast(event) as Seen);
  const log = await sqliteEventLog(join(dataDir, 'log', 'facts.db'));
  try {
    const dumps: Record<string, Dump> = {};
    for (const group of Object.values(groups))
      dumps[group.name] = await projected(log, group, prepare, (views) => dumpOf(views, group));
    return dumps;
  } finally {
    await log.close();
    await secrets.close();
  }
};

/** The views of the next start are those that the log gives, document by document. */
export const expectViewsAgree = async (dataDir: string): Promise<void> => {
  const stored = await storedViews(dataDir);
  const computed = await viewsFromLog(dataDir);
  expect(Object.keys(stored)).to.have.members(Object.keys(computed));
  for (const [group, dump] of Object.entries(computed)) {
    for (const [view, content] of Object.entries(dump)) {
      expect(stored[group]?.[view], `view ${view}`).to.deep.equal(content);
    }
  }
};

/** The stored blobs whose bytes are not those that their names say. */
export const corruptBlobs = async (dataDir: string): Promise<readonly string[]> => {
  const root = join(dataDir, 'blobs');
  if (!existsSync(root)) return [];
  const corrupt: string[] = [];
  for (const entry of readdirSync(root, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile()) continue;
    const algorithm = entry.name.length === 128 ? 'sha512' : 'sha256';
    const hash = createHash(algorithm);
    await pipeline(createReadStream(join(entry.parentPath, entry.name)), hash);
    if (hash.digest('hex') !== entry.name) corrupt.push(join(entry.parentPath, entry.name));
  }
  return corrupt;
};
