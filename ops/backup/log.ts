import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import { Unusable } from './manifest.ts';

/** Where the log is in a backup: a database, or the file that `ghostdock export` wrote. */
export const LOG = 'log/facts.db';
export const EXPORT = 'log/export.ndjson';

/** What a backup has to know of a log: how much there is, which bytes it needs, and whose keys. */
export type Contents = Readonly<{ events: number; linked: ReadonlySet<string>; signingKey: string | null }>;

const PATIENCE_MS = 30_000;

/**
 * Copies an SQLite database as it is at this moment, while others write to it: `VACUUM INTO` reads in one transaction, what is in the WAL
 * included, and does not hold up writers. (The backup API would begin again after each write of another process.)
 */
export const copyDatabase = (from: string, to: string): void => {
  const database = new DatabaseSync(from, { readOnly: true, timeout: PATIENCE_MS });
  try {
    database.prepare('VACUUM INTO ?').run(to);
  } catch (cause) {
    throw new Unusable(`${from} could not be copied: ${(cause as Error).message}`, { cause });
  } finally {
    database.close();
  }
};

/** Only the events that say which bytes a repository may serve, and which key signs. */
const TYPES = [
  'BlobLinked',
  'BlobUnlinked',
  'ManifestPushed',
  'ManifestDeleted',
  'RepositoryDeleted',
  'SigningKeyRotated',
] as const;
const WATCHED: ReadonlySet<string> = new Set(TYPES);

type Fact = Readonly<{ type: string; data: Readonly<Record<string, unknown>> }>;

/** Folds the links of every repository. */
const reading = () => {
  const repositories = new Map<string, Set<string>>();
  let signingKey: string | null = null;

  const linksOf = (repository: string): Set<string> => {
    const links = repositories.get(repository) ?? new Set<string>();
    repositories.set(repository, links);
    return links;
  };

  const take = ({ type, data }: Fact): void => {
    const { repository, digest, keyId } = data as { repository: string; digest: string; keyId: string };
    if (type === 'SigningKeyRotated') signingKey = keyId;
    else if (type === 'RepositoryDeleted') repositories.delete(repository);
    else if (type === 'BlobLinked' || type === 'ManifestPushed') linksOf(repository).add(digest);
    else linksOf(repository).delete(digest);
  };

  return {
    take,
    contents: (events: number): Contents => ({
      events,
      linked: new Set([...repositories.values()].flatMap((links) => [...links])),
      signingKey,
    }),
  };
};

/** @throws Unusable when the copy is damaged or has gaps */
export const contentsOfDatabase = (file: string): Contents => {
  const database = new DatabaseSync(file, { readOnly: true });
  try {
    const [sound] = database.prepare('PRAGMA integrity_check(1)').all() as { integrity_check: string }[];
    if (sound?.integrity_check !== 'ok') throw new Unusable(`${file} is damaged: ${sound?.integrity_check}.`);
    const { events, head } = database
      .prepare('SELECT count(*) AS events, coalesce(max(position), 0) AS head FROM events')
      .get() as {
      events: number;
      head: number;
    };
    if (events !== head) throw new Unusable(`${file} is damaged: it has ${events} events, and the last is number ${head}.`);
    const read = reading();
    const facts = database.prepare(
      `SELECT type, data FROM events WHERE type IN (${TYPES.map(() => '?').join()}) ORDER BY position`,
    );
    for (const { type, data } of facts.iterate(...TYPES)) {
      read.take({ type: type as string, data: JSON.parse(data as string) as Fact['data'] });
    }
    return read.contents(events);
  } catch (cause) {
    if (cause instanceof Unusable) throw cause;
    throw new Unusable(`${file} cannot be read as an event log: ${(cause as Error).message}`, { cause });
  } finally {
    database.close();
  }
};

/**
 * Of a file that `ghostdock export` wrote: a header, a line an event, and a last line with their number and SHA-256.
 * @throws Unusable when it is not whole
 */
export const contentsOfExport = async (file: string): Promise<Contents> => {
  const read = reading();
  const hash = createHash('sha256');
  let events = -1; // the header is none
  let last: string | undefined;
  const take = (line: string): void => {
    events += 1;
    if (events === 0) return;
    hash.update(`${line}\n`);
    const fact = JSON.parse(line) as Fact;
    if (WATCHED.has(fact.type)) read.take(fact);
  };
  try {
    for await (const line of createInterface({ input: createReadStream(file) })) {
      if (last !== undefined) take(last);
      last = line;
    }
  } catch (cause) {
    throw new Unusable(`${file} is no whole export: ${(cause as Error).message}`, { cause });
  }
  const footer = last === undefined ? {} : (parsed(last) as { events?: number; sha256?: string });
  if (footer.events !== events || footer.sha256 !== hash.digest('hex'))
    throw new Unusable(`${file} is no whole export: its last line does not fit the ${Math.max(events, 0)} events before it.`);
  return read.contents(events);
};

const parsed = (line: string): unknown => {
  try {
    return JSON.parse(line) as unknown;
  } catch {
    return {};
  }
};
