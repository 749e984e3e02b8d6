import { randomUUID } from 'node:crypto';
import { type EventstoreEventLogOptions, eventstoreEventLog } from '../../../src/events/log/eventstore.ts';
import type { EventLog } from '../../../src/events/log/log.ts';
import { requires } from '../reporter.ts';
import { type EventStore, type EventStoreOptions, startEventStore } from './eventstore.ts';

/** A real server to run against what needs no misbehaviour. Tests leave their streams in it, under random prefixes. */
const REAL = process.env.GHOSTDOCK_TEST_EVENTSTORE;

/** A connection string for the suite whose `describe` callback calls it: of the real server, or of one started for it. */
export const eventStoreUrl = (): (() => string) => {
  let server: EventStore | undefined;
  before(async () => {
    if (REAL === undefined) server = await startEventStore();
  });
  after(() => server?.dispose());
  return () => REAL ?? server?.url ?? '';
};

/** A server for the suite that can be told to misbehave, and behaves again after each test. With a real one the suite is skipped. */
export const scriptedEventStore = (suite: Mocha.Suite, options: EventStoreOptions = {}): (() => EventStore) => {
  requires(suite, REAL === undefined, 'a real event store cannot be told to misbehave');
  let server: EventStore | undefined;
  before(async () => {
    server = await startEventStore(options);
  });
  afterEach(() => server?.heal());
  after(() => server?.dispose());
  return () => {
    if (server === undefined) throw new Error('The server runs only while the tests of its suite do.');
    return server;
  };
};

export const freshPrefix = (): string => `test-${randomUUID()}`;

/** Tries again soon and gives up late: for what must go well in the end, on a busy machine too. */
export const STUBBORN = { appendTryMs: 250, appendTotalMs: 20_000, readMs: 5000, subscribeMs: 500, watchMs: 100 } as const;

/** Gives up soon: for what must fail. */
export const IMPATIENT = { ...STUBBORN, appendTotalMs: 600, readMs: 300 } as const;

/** Logs that a suite opens, closed after each of its tests. */
export const openLogs = (): ((url: string, options?: Partial<EventstoreEventLogOptions>) => Promise<EventLog>) => {
  const open: EventLog[] = [];
  afterEach(() => Promise.all(open.splice(0).map((log) => log.close())));
  return async (url, options = {}) => {
    const log = await eventstoreEventLog(url, { prefix: 'ours', ...options });
    open.push(log);
    return log;
  };
};
