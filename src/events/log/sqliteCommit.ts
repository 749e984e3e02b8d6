import type { DatabaseSync } from 'node:sqlite';
import { codeOf, LAST_POSITION, reasonOf, SQLITE_BUSY, SQLITE_CONSTRAINT, SQLITE_FULL } from './sqliteSchema.ts';

/**
 * An append as it travels to the writer. `events` holds four texts an event: id, type, data and metadata. Without any event it is
 * no append: some of the stream's oldest events go.
 */
export type Append = Readonly<{ stream: string; expected: number; events: readonly string[] }>;
export const TEXTS_PER_EVENT = 4;

/** What became of one append. `written` and `repeated` name its last event; `dropped` says how many events went. */
export type Outcome =
  | Readonly<{ kind: 'dropped'; count: number }>
  | Readonly<{ kind: 'written' | 'repeated'; revision: number; position: number }>
  | Readonly<{ kind: 'conflict'; actual: number }>
  | Readonly<{ kind: 'idTaken'; reason: string }>;

/** What became of a transaction. `full`, `busy`: there was no room, or no lock to be had; nothing was written, and all goes on. */
export type Committed =
  | Readonly<{ kind: 'done'; outcomes: readonly Outcome[] }>
  | Readonly<{ kind: 'full' | 'busy'; reason: string }>;

/** Events that one transaction drops: some 10 ms in which no append is written. */
export const DROPPED_AT_ONCE = 1000;

const statementsOn = (db: DatabaseSync) => ({
  begin: db.prepare('begin immediate'),
  commit: db.prepare('commit'),
  rollback: db.prepare('rollback'),
  last: db.prepare(LAST_POSITION),
  stream: db.prepare(`
    select id, coalesce((select max(revision) from events where stream = streams.id), -1) as revision from streams where name = ?
  `),
  addStream: db.prepare('insert into streams (name) values (?) returning id, -1 as revision'),
  add: db.prepare(`
    insert into events (position, stream, revision, id, type, data, metadata) values (?, ?, ?, unhex(?, '-'), ?, ?, ?)
  `),
  dropFrom: db.prepare('delete from events where position >= ?'),
  dropSome: db.prepare(`
    delete from events where position in (select position from events where stream = ? order by revision limit ${DROPPED_AT_ONCE})
    returning position
  `),
  dropStream: db.prepare('delete from streams where id = ? and not exists (select 1 from events where stream = streams.id)'),
  // Positions are never given out again, also where the newest events were dropped.
  remember: db.prepare(`
    insert into meta (key, value) values ('droppedUpTo', ?1)
    on conflict (key) do update set value = ?1 where cast(value as integer) < ?1
  `),
  // Whether the event at a revision has an id; and where it stands.
  same: db.prepare(`select position from events where stream = ? and revision = ? and id = unhex(?, '-')`),
});

/**
 * Commits appends, each whole or not at all, in one transaction with one fsync. This is the one place where positions are
 * assigned: they count from 1 without a gap, because a transaction that fails takes its positions back with it.
 *
 * @throws on any other fault: the transaction is undone, and nobody can say what the disk holds. Do not go on.
 */
export const committer = (db: DatabaseSync): ((appends: readonly Append[]) => Committed) => {
  const statements = statementsOn(db);
  let next = 0;

  const repeated = ({ expected, events }: Append, stream: number): Outcome | undefined => {
    let position: number | undefined;
    for (let at = 0; at < events.length; at += TEXTS_PER_EVENT) {
      const row = statements.same.get(stream, expected + 1 + at / TEXTS_PER_EVENT, events[at] as string);
      if (row === undefined) return undefined;
      position = Number(row.position);
    }
    return position === undefined
      ? undefined
      : { kind: 'repeated', revision: expected + events.length / TEXTS_PER_EVENT, position };
  };

  const write = ({ expected, events }: Append, stream: number): Outcome => {
    const first = next;
    let revision = expected;
    try {
      for (let at = 0; at < events.length; at += TEXTS_PER_EVENT) {
        const [id, type, data, metadata] = events.slice(at, at + TEXTS_PER_EVENT) as [string, string, string, string];
        revision += 1;
        statements.add.run(next, stream, revision, id, type, data, metadata);
        next += 1;
      }
      return { kind: 'written', revision, position: next - 1 };
    } catch (error) {
      if (codeOf(error) !== SQLITE_CONSTRAINT) throw error;
      // Its positions are the last ones, so this undoes this append alone: a savepoint for each would cost every append.
      statements.dropFrom.run(first);
      next = first;
      return { kind: 'idTaken', reason: reasonOf(error) };
    }
  };

  const drop = (stream: number | undefined): Outcome => {
    if (stream === undefined) return { kind: 'dropped', count: 0 };
    const positions = statements.dropSome.all(stream).map(({ position }) => Number(position));
    if (positions.length > 0) statements.remember.run(String(Math.max(...positions)));
    statements.dropStream.run(stream);
    return { kind: 'dropped', count: positions.length };
  };

  const place = (append: Append): Outcome => {
    const found = statements.stream.get(append.stream);
    if (append.events.length === 0) return drop(found === undefined ? undefined : Number(found.id));
    const actual = found === undefined ? -1 : Number(found.revision);
    if (append.expected === actual) return write(append, Number((found ?? statements.addStream.get(append.stream))?.id));
    const earlier = append.expected < actual ? repeated(append, Number(found?.id)) : undefined;
    return earlier ?? { kind: 'conflict', actual };
  };

  return (appends) => {
    try {
      statements.begin.run();
      next = Number(statements.last.get()?.position) + 1;
      const outcomes = appends.map(place);
      statements.commit.run();
      return { kind: 'done', outcomes };
    } catch (error) {
      if (db.isTransaction) statements.rollback.run();
      const code = codeOf(error);
      if (code === SQLITE_FULL) return { kind: 'full', reason: reasonOf(error) };
      if (code === SQLITE_BUSY) return { kind: 'busy', reason: reasonOf(error) };
      throw error;
    }
  };
};

/** Pages in the write-ahead log at which they are copied into the file; SQLite's own default. */
const PAGES_TO_CHECKPOINT = 1000;

/**
 * Copies the write-ahead log into the file when it has grown, after a commit was answered rather than before.
 *
 * @throws on an I/O error; a full disk only postpones it
 */
export const checkpointer = (db: DatabaseSync): (() => void) => {
  const size = db.prepare('pragma wal_checkpoint(noop)');
  const checkpoint = db.prepare('pragma wal_checkpoint(passive)');
  return () => {
    if (Number(size.get()?.log) < PAGES_TO_CHECKPOINT) return;
    try {
      checkpoint.get();
    } catch (error) {
      if (codeOf(error) !== SQLITE_FULL) throw error;
    }
  };
};
