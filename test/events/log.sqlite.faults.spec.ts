import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { ORIGIN, type Recorded } from '../../src/events/event.ts';
import { AppendOutcomeUnknown, type EventLog, LogFull, NO_STREAM } from '../../src/events/log/log.ts';
import { sqliteEventLog } from '../../src/events/log/sqlite.ts';
import { committer } from '../../src/events/log/sqliteCommit.ts';
import { openForWriting, SCHEMA_VERSION } from '../../src/events/log/sqliteSchema.ts';
import { anEvent, events, everything, rejectionOf, takeUntil } from '../contracts/eventLog/given.ts';
import { attempt, scratchFolder } from '../support/processes.ts';
import {
  FAILING_CHECKPOINT,
  FAILING_COMMIT,
  faultyWriter,
  LARGEST_FILE,
  noFaults,
  SQLITE_FULL,
  SQLITE_IOERR_FSYNC,
} from './processes/faults.ts';

const folder = scratchFolder();
let files = 0;
const newFile = (): string => join(folder.path, `log-${files++}.db`);
after(folder.remove);

const APPEND_FOREVER = fileURLToPath(new URL('./processes/appendForever.ts', import.meta.url));
const APPEND_ONCE = fileURLToPath(new URL('./processes/appendOnce.ts', import.meta.url));

type Acknowledged = Readonly<{ stream: string; revision: number; position: string; batch: string }>;

const parse = (line: string): Acknowledged => {
  const [stream = '', revision, position = '', batch = ''] = line.split(' ');
  return { stream, revision: Number(revision), position, batch };
};

/** Lets a process append to a log and kills it after some acknowledgements. @returns those that it got out */
const appendUntilKilled = async (path: string, acknowledgements: number): Promise<readonly Acknowledged[]> => {
  const child = spawn(process.execPath, [APPEND_FOREVER, path], { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines: string[] = [];
  let unfinished = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    const parts = `${unfinished}${text}`.split('\n');
    unfinished = parts.pop() ?? '';
    lines.push(...parts);
    if (lines.length >= acknowledgements) child.kill('SIGKILL');
  });
  await once(child, 'close');
  return lines.map(parse);
};

const expectGapless = (list: readonly Recorded[]): void => {
  const revisions = new Map<string, number>();
  list.forEach((event, index) => {
    expect(Number(event.position)).to.equal(index + 1);
    expect(event.revision).to.equal((revisions.get(event.stream) ?? NO_STREAM) + 1);
    revisions.set(event.stream, event.revision);
  });
};

type Part = Readonly<{ batch: string; part: number; of: number }>;
const partsOf = (list: readonly Recorded[]): readonly Part[] => list.map(({ data }) => data as Part);

const expectWholeBatches = (list: readonly Recorded[]): void => {
  const all = partsOf(list);
  for (let index = 0; index < all.length; ) {
    const { batch, of } = all[index] ?? { batch: '', of: 1 };
    const parts = all.slice(index, index + of);
    expect(parts).to.deep.equal(Array.from({ length: of }, (_, part) => ({ batch, part, of })));
    index += of;
  }
};

const expectPresent = (acknowledged: readonly Acknowledged[], list: readonly Recorded[]): void => {
  const parts = partsOf(list);
  for (const { stream, revision, position, batch } of acknowledged) {
    expect(list[Number(position) - 1]).to.include({ stream, revision, position });
    expect(parts[Number(position) - 1]?.batch).to.equal(batch);
  }
};

describe('The embedded log, killed at any moment', () => {
  it('has every append that it acknowledged, whole, and goes on', async () => {
    const path = newFile();
    const acknowledged: Acknowledged[] = [];
    for (const count of [1, 7, 40, 200, 500]) {
      const before = acknowledged.length;
      acknowledged.push(...(await appendUntilKilled(path, count)));
      expect(acknowledged.length - before).to.be.at.least(count);
      const log = await sqliteEventLog(path);
      const all = await everything(log);
      await log.close();
      expectGapless(all);
      expectWholeBatches(all);
      expectPresent(acknowledged, all);
    }
  });
});

describe('The embedded log on a full disk', () => {
  const open = async () => {
    const faults = noFaults();
    const log = await sqliteEventLog(newFile(), {
      startWriter: faultyWriter(faults),
      onFatal: (cause) => {
        throw cause;
      },
    });
    return { faults, log };
  };

  const fill = async (log: EventLog): Promise<number> => {
    for (let index = 0; ; index++) {
      try {
        await log.append(`filling-${index}`, NO_STREAM, [anEvent('x'.repeat(5000)), anEvent('y'.repeat(5000))]);
      } catch (error) {
        expect(error).to.be.instanceOf(LogFull);
        return index;
      }
    }
  };

  it('refuses what has no room, keeps what it has, and goes on when there is room', async () => {
    const { faults, log } = await open();
    faults[LARGEST_FILE] = 60;
    const appended = await fill(log);
    expect(appended).to.be.greaterThan(5);
    await rejectionOf(log.append('large', NO_STREAM, [anEvent('z'.repeat(100_000))]), LogFull);
    expect(await everything(log)).to.have.length(2 * appended);

    faults[LARGEST_FILE] = 10_000;
    await log.append('after', NO_STREAM, events(3));
    const all = await everything(log);
    expect(all).to.have.length(2 * appended + 3);
    expectGapless(all);
    await log.close();
  });

  it('hands followers what was written and nothing else', async () => {
    const { faults, log } = await open();
    faults[LARGEST_FILE] = 60;
    const seen = takeUntil(log.follow(ORIGIN, { limit: 10 }), (list) => list.at(-1)?.stream === 'after');
    await fill(log);
    faults[LARGEST_FILE] = 10_000;
    await log.append('after', NO_STREAM, [anEvent()]);
    expect(await seen).to.deep.equal(await everything(log));
    await log.close();
  });

  it('goes on also when it was the commit that found no room', async () => {
    const { faults, log } = await open();
    faults[FAILING_COMMIT] = SQLITE_FULL;
    await rejectionOf(log.append('a', NO_STREAM, events(2)), LogFull);
    faults[FAILING_COMMIT] = 0;
    expect(await log.append('a', NO_STREAM, events(2))).to.deep.equal({ revision: 1, position: '0000000000000002' });
    await log.close();
  });

  it('goes on without copying the write-ahead log into the file', async () => {
    const { faults, log } = await open();
    faults[FAILING_CHECKPOINT] = SQLITE_FULL;
    const data = 'x'.repeat(400_000);
    for (let index = 0; index < 20; index++) await log.append(`s-${index}`, NO_STREAM, [anEvent(data)]);
    expect(await everything(log)).to.have.length(20);
    await log.close();
  });

  it('refuses a whole transaction, so that nobody is told of what is not there', async () => {
    const { faults, log } = await open();
    faults[LARGEST_FILE] = 60;
    const results = await Promise.allSettled(
      Array.from({ length: 100 }, (_, index) => log.append(`s-${index}`, NO_STREAM, [anEvent('x'.repeat(5000))])),
    );
    for (const result of results) expect(result.status === 'rejected' && result.reason).to.be.instanceOf(LogFull);
    expect(await everything(log)).to.deep.equal([]);
    await log.close();
  });
});

describe('The embedded log on a disk whose fsync fails', () => {
  const open = async (path = newFile()) => {
    const faults = noFaults();
    const fatal: unknown[] = [];
    const log = await sqliteEventLog(path, { startWriter: faultyWriter(faults), onFatal: (cause) => fatal.push(cause) });
    return { faults, fatal, log };
  };

  it('does not know what became of the append, reports it once, and takes no more', async () => {
    const { faults, fatal, log } = await open();
    await log.append('a', NO_STREAM, events(2));
    faults[FAILING_COMMIT] = SQLITE_IOERR_FSYNC;
    const error = await rejectionOf(log.append('a', 1, events(1)), AppendOutcomeUnknown);
    expect(error.cause).to.have.property('message', 'commit failed with 1034');
    faults[FAILING_COMMIT] = 0;
    expect((await rejectionOf(log.append('a', 1, events(1)))).message).to.include('takes no more appends');
    expect(fatal).to.have.length(1);
    expect(await everything(log)).to.have.length(2);
    await log.close();
  });

  it('goes no further either when it fails while the write-ahead log is copied into the file', async () => {
    const { faults, fatal, log } = await open();
    faults[FAILING_CHECKPOINT] = SQLITE_IOERR_FSYNC;
    const data = 'x'.repeat(400_000);
    let answered = 0;
    const appending = (async () => {
      for (; ; answered++) await log.append(`s-${answered}`, NO_STREAM, [anEvent(data)]);
    })();
    await rejectionOf(appending);
    expect(answered).to.be.greaterThan(5);
    expect((await everything(log)).length).to.be.within(answered, answered + 1);
    expect(fatal).to.have.length(1);
    expect(fatal[0]).to.have.property('message', 'checkpoint failed with 1034');
    await log.close();
  });

  it('refuses what was waiting, of which nothing is written', async () => {
    const { faults, fatal, log } = await open();
    faults[FAILING_COMMIT] = SQLITE_IOERR_FSYNC;
    const appends = Array.from({ length: 3000 }, (_, index) => log.append(`s-${index}`, NO_STREAM, [anEvent()]));
    const errors = await Promise.all(appends.map((append) => rejectionOf(append)));
    const unknown = errors.filter((error) => error instanceof AppendOutcomeUnknown);
    expect(unknown).to.have.length(2048);
    for (const error of errors.slice(2048)) expect(error.message).to.include('takes no more appends');
    expect(fatal).to.have.length(1);
    await log.close();
  });

  it('ends the process, with the cause on its error output', async () => {
    const ran = await attempt(process.execPath, [APPEND_ONCE, newFile(), 'fail']);
    expect(ran).to.include({ code: 70, stdout: '' });
    expect(ran.stderr).to.match(/^The event log failed, and the process ends with it\. .*commit failed with 1034/);
  });

  it('reports a writer thread that dies between two appends', async () => {
    const path = newFile();
    const { promise: died, resolve } = Promise.withResolvers<unknown>();
    const start = faultyWriter(noFaults());
    const started: ReturnType<typeof start>[] = [];
    const log = await sqliteEventLog(path, {
      onFatal: resolve,
      startWriter: (file) => {
        const worker = start(file);
        started.push(worker);
        return worker;
      },
    });
    await started[0]?.terminate();
    expect(await died).to.be.instanceOf(Error);
    await rejectionOf(log.append('a', NO_STREAM, events(1)));
    await log.close();
  });
});

describe('The embedded log as a part of a process', () => {
  it('says nothing on its own, and lets the process end once it is closed', async () => {
    const ran = await attempt(process.execPath, [APPEND_ONCE, newFile()]);
    expect(ran).to.include({ code: 0, stdout: 'closed\n', stderr: '' });
  });

  it('waits for a lock that another process holds, then refuses the append and goes on', () => {
    const path = newFile();
    const db = openForWriting(path);
    const commit = committer(db);
    const event = anEvent();
    const append = { stream: 'a', expected: NO_STREAM, events: [event.id, event.type, '{}', '{}'] };
    db.exec('pragma busy_timeout = 1');
    const other = new DatabaseSync(path);
    other.exec('begin immediate');
    expect(commit([append])).to.have.property('kind', 'busy');
    other.exec('rollback');
    expect(commit([append])).to.deep.equal({ kind: 'done', outcomes: [{ kind: 'written', revision: 0, position: 1 }] });
    other.close();
    db.close();
  });
});

describe('The embedded log refuses to open', () => {
  const changed = async (sql: string): Promise<string> => {
    const path = newFile();
    await (await sqliteEventLog(path)).close();
    const db = new DatabaseSync(path);
    db.exec(sql);
    db.close();
    return path;
  };

  it('a file that a newer release wrote, and says so', async () => {
    const path = await changed(`update meta set value = '${SCHEMA_VERSION + 1}' where key = 'eventLogSchema'`);
    const { message } = await rejectionOf(sqliteEventLog(path));
    expect(message).to.include(path).and.to.include('a newer release wrote it (schema 2, known here: 1)');
  });

  it('a database that is no event log', async () => {
    const path = newFile();
    const db = new DatabaseSync(path);
    db.exec('create table other (a)');
    db.close();
    expect((await rejectionOf(sqliteEventLog(path))).message).to.include('it is no event log');
    const withMeta = await changed('delete from meta');
    expect((await rejectionOf(sqliteEventLog(withMeta))).message).to.include('it is no event log');
  });

  it('a file that is no database', async () => {
    const path = newFile();
    writeFileSync(path, 'not a database at all, but long enough for its first page to be read and looked at'.repeat(100));
    expect((await rejectionOf(sqliteEventLog(path))).message).to.include('file is not a database');
  });

  it('a path where no file can be', async () => {
    mkdirSync(join(folder.path, 'a-folder'));
    expect((await rejectionOf(sqliteEventLog(join(folder.path, 'a-folder')))).message).to.include('unable to open');
    expect((await rejectionOf(sqliteEventLog(join(folder.path, 'none', 'log.db')))).message).to.include('unable to open');
  });
});
