import { join } from 'node:path';
import type { HttpDeps } from '../../src/http/deps.ts';
import type { Caller } from '../../src/identity/caller.ts';
import { digestOf } from '../../src/oci/digest.ts';
import type { AccessTrailEntry } from '../../src/projections/accessSums.ts';
import { accessTrail } from '../../src/projections/accessTrail.ts';
import { type AuditEntry, auditTrail } from '../../src/projections/auditTrail.ts';
import type { Document, Group, Projection } from '../../src/projections/projection.ts';
import { trailKey } from '../../src/projections/trail.ts';
import { type SqliteViews, sqliteViews } from '../../src/projections/views/sqlite.ts';
import { filler, finishFile, startFile } from '../../src/projections/views/sqliteFill.ts';
import type { Views } from '../../src/projections/views/views.ts';
import { cursorsOf } from '../../src/secrets/cursors.ts';
import { positionOf } from './projecting.ts';

// A busy registry's audit, as many entries as are wanted: written as a rebuild writes views, which takes seconds a million.

const START = Date.UTC(2026, 0, 1);
/** From one entry to the next. */
const STEP_MS = 10;
/** Every so many entries there is one by RARE, in SMALL or of a rare kind. */
const RARELY = 20_000;

export const BUSY = 'user:1';
export const RARE = 'user:9';
export const CROWDED = 'crowded/app';
export const SMALL = 'small/app';
export const TAG = `${CROWDED}:latest`;

export const timeAt = (n: number): string => new Date(START + n * STEP_MS).toISOString();
const uuid = (n: number): string => `00000000-0000-4000-8000-${n.toString(16).padStart(12, '0')}`;

const about = (n: number) => {
  const at = timeAt(n);
  const who = n % RARELY < 2 ? RARE : n % 10 === 9 ? `user:${2 + (n % 5)}` : BUSY;
  const repository = n % RARELY === 2 || n % RARELY === 3 ? SMALL : n % 10 === 8 ? `team/app-${n % 1000}` : CROWDED;
  return { at, actor: who, who, repository, requestId: `request-${n}` };
};

const factAt = (n: number): AuditEntry => {
  const { repository, ...rest } = about(n);
  if (n % RARELY === 4) return { eventId: uuid(n), ...rest, action: 'repository.describe', resource: repository, repository };
  const tag = n % 30 === 0 ? 'latest' : `v${n}`;
  return { eventId: uuid(n), ...rest, action: 'tag.move', resource: `${repository}:${tag}`, repository, digest: DIGEST };
};

const accessAt = (n: number): AccessTrailEntry => {
  const { repository, ...rest } = about(n);
  const tag = n % 30 === 1 ? 'latest' : `v${n}`;
  return {
    ...rest,
    method: 'bearer',
    ip: '203.0.113.5',
    userAgent: 'docker/28.0',
    action: 'manifest.pull',
    resource: `${repository}:${tag}`,
    repository,
    repositoryId: `life of ${repository}`,
    digest: DIGEST,
    decision: 'allowed',
    status: 200,
    bytes: 500,
    until: rest.at,
    count: 1,
  };
};

const DIGEST = digestOf('an image');
const AT_ONCE = 10_000;

const fill = (path: string, group: Group, { view, entries, keyOf, entryOf }: Filling): void => {
  const db = startFile(path, group);
  const writer = filler(path, [view], () => START);
  const nothing = { ids: [], keys: [], positions: [], texts: [] };
  const sums: Record<string, number> = {};
  for (let from = 0; from < entries.length; from += AT_ONCE) {
    const some = entries.slice(from, from + AT_ONCE);
    const values = some.map(entryOf);
    for (const { action } of values) sums[action] = (sums[action] ?? 0) + 1;
    const added = {
      ids: some.map((_n, index) => from + index + 1),
      keys: some.map(keyOf),
      positions: some.map((n) => positionOf(n + 1)),
      texts: values.map((value) => JSON.stringify(value)),
    };
    writer.write([{ view, added: added as never, changed: nothing as never }]);
  }
  writer.close();
  finishFile(db, path, group, {
    totals: new Map(view === auditTrail.view ? [[view, sums]] : []),
    cursors: new Map(),
    faults: {},
    checkpoint: positionOf((entries.at(-1) ?? 0) + 1),
  });
};

type Filling = Readonly<{
  view: string;
  entries: readonly number[];
  keyOf: (n: number) => string;
  entryOf: (n: number) => Readonly<{ action: string }>;
}>;

const groupOf = (view: unknown): Group => ({ name: 'audited', views: [view as Projection] });

export type Audited = Readonly<{ facts: SqliteViews; access: SqliteViews; files: Readonly<{ facts: string; access: string }> }>;

/** The views of both logs with `entries` in all, in turns, in files of a folder. */
export const auditedIn = (folder: string, entries: number): Audited => {
  const files = { facts: join(folder, 'facts.db'), access: join(folder, 'access.db') };
  const numbers = Array.from({ length: entries }, (_, n) => n);
  fill(files.facts, groupOf(auditTrail), {
    view: auditTrail.view,
    entries: numbers.filter((n) => n % 2 === 0),
    keyOf: (n) => trailKey(timeAt(n), positionOf(n + 1)),
    entryOf: factAt,
  });
  fill(files.access, groupOf(accessTrail), {
    view: accessTrail.view,
    entries: numbers.filter((n) => n % 2 === 1),
    keyOf: (n) => trailKey(timeAt(n), positionOf(n + 1), 0),
    entryOf: accessAt,
  });
  return {
    facts: sqliteViews(files.facts, groupOf(auditTrail), { cacheBytes: 0 }),
    access: sqliteViews(files.access, groupOf(accessTrail), { cacheBytes: 0 }),
    files,
  };
};

const OPERATOR: Caller = { kind: 'operator' };

/** As much as the audit touches. */
export const auditDeps = async (facts: Views, access: Views): Promise<HttpDeps> =>
  ({
    version: 'test',
    settings: { trustedProxies: [], deletes: true },
    views: {
      checkpoint: async () => '',
      get: async () => undefined,
      getMany: async (_view: Projection, keys: readonly string[]) =>
        keys.map((key): Document => ({ userId: Number(key), username: `name-${key}` })),
    },
    reporting: facts,
    accessViews: access,
    reported: async () => true,
    revealMetadata: async <E>(events: readonly E[]) => events,
    cursors: await cursorsOf({ putIfAbsent: async (_id: string, bytes: Uint8Array) => bytes }),
    authenticate: () => OPERATOR,
    fingerprints: { username: (name: string) => name },
    limits: {},
    people: new Map(),
    newId: () => 'request',
  }) as unknown as HttpDeps;
