import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import type { Recorded } from '../../src/events/event.ts';
import { type EventLog, NO_STREAM } from '../../src/events/log/log.ts';
import { sqliteEventLog } from '../../src/events/log/sqlite.ts';
import { type RepositoryUpdate, repositoryUpdates } from '../../src/live/repositoryUpdates.ts';
import { waitUntil } from '../support/processes.ts';

const AT = '2030-01-02T03:04:05.678Z';

describe('updates of repositories', () => {
  let log: EventLog;
  beforeEach(async () => {
    log = await sqliteEventLog(':memory:');
  });
  afterEach(() => log.close());

  /** Facts of one request, in one append. */
  const record = async (repository: string, requestId: string, ...types: readonly string[]): Promise<void> => {
    const expected = (await log.readStream(repository, { direction: 'backwards', limit: 1 }))[0]?.revision ?? NO_STREAM;
    const events = types.map((type) => ({
      id: randomUUID(),
      type,
      data: { repository, repositoryId: 'r' },
      metadata: { actor: { kind: 'system', id: 'test' } as const, requestId, correlationId: requestId, at: AT, version: 1 },
    }));
    await log.append(repository, expected, events);
  };

  const watching = async (over: Partial<Parameters<typeof repositoryUpdates>[0]> = {}) => {
    const told: RepositoryUpdate[] = [];
    const feed = repositoryUpdates({ log, reached: async () => true, onError: () => undefined, retryMs: 1, ...over });
    const { listen, leave } = await feed.join();
    listen((update) => told.push(update));
    const until = (length: number): Promise<unknown> =>
      waitUntil(`${length} updates`, () => told.length >= length, { everyMs: 2 });
    return { told, until, leave };
  };
  const words = (told: readonly RepositoryUpdate[]): readonly string[] =>
    told.map(({ action, repository }) => `${action} ${repository}`);

  it('are one a push, whether it brings a manifest, moves tags or both, and one a deletion', async () => {
    const { told, until, leave } = await watching();
    await record('a', '1', 'RepositoryCreated', 'BlobLinked');
    await record('a', '2', 'ManifestPushed', 'TagMoved', 'TagMoved');
    await record('a', '3', 'ManifestHeld', 'TagMoved');
    await record('b', '4', 'ManifestPushed');
    await record('a', '5', 'TagDeleted', 'ManifestDeleted', 'BlobUnlinked');
    await record('a', '6', 'RepositoryDeleted');
    await record('a', '7', 'TagDeleted', 'ManifestDeleted', 'RepositoryCleared');
    await record('c', '8', 'ManifestPushed');
    await until(5);
    expect(words(told)).to.deep.equal([
      'manifest_added a',
      'manifest_added a',
      'manifest_added b',
      'repository_deleted a',
      'manifest_added c',
    ]);
    expect(told[0]?.timestamp, 'ms').to.equal(Date.parse(AT));
    leave();
  });

  it('are of what happens from the beginning of the watch on', async () => {
    await record('old', '1', 'ManifestPushed');
    const { told, until, leave } = await watching();
    await record('new', '2', 'ManifestPushed');
    await until(1);
    expect(words(told)).to.deep.equal(['manifest_added new']);
    leave();
  });

  it('come to all nodes, whichever of them it was', async () => {
    const nodes = await Promise.all([watching(), watching()]);
    await record('a', '1', 'ManifestPushed');
    for (const { told, until, leave } of nodes) {
      await until(1);
      expect(words(told)).to.deep.equal(['manifest_added a']);
      leave();
    }
  });

  it('come when readers see what they are about', async () => {
    let show: (shown: boolean) => void = () => undefined;
    const asked: string[] = [];
    const reached = (position: string): Promise<boolean> => {
      asked.push(position);
      return new Promise((resolve) => {
        show = resolve;
      });
    };
    const { told, until, leave } = await watching({ reached });
    await record('a', '1', 'ManifestPushed');
    await waitUntil('it waits', () => asked.length === 1, { everyMs: 2 });
    expect(told).to.deep.equal([]);
    expect(asked).to.deep.equal([await log.head()]);
    show(true);
    await until(1);
    leave();
  });

  it('of a push that comes in parts wait for the whole of it', async () => {
    const halves: Pick<EventLog, 'head' | 'follow'> = {
      head: log.head,
      follow: async function* (after, options): AsyncIterable<readonly Recorded[]> {
        for await (const events of log.follow(after, options)) for (const event of events) yield [event];
      },
    };
    const asked: string[] = [];
    const reached = async (position: string): Promise<boolean> => {
      asked.push(position);
      return true;
    };
    const { told, until, leave } = await watching({ log: halves, reached });
    await record('a', '1', 'ManifestPushed', 'TagMoved');
    const head = await log.head();
    await until(1);
    expect(asked).to.deep.equal([head]);
    await record('b', '2', 'ManifestPushed');
    await until(2);
    expect(words(told)).to.deep.equal(['manifest_added a', 'manifest_added b']);
    leave();
  });

  it('miss and repeat nothing when the log fails meanwhile', async () => {
    let failures = 0;
    const failing: Pick<EventLog, 'head' | 'follow'> = {
      head: log.head,
      follow: async function* (after, options): AsyncIterable<readonly Recorded[]> {
        for await (const events of log.follow(after, options)) {
          yield events;
          failures += 1;
          if (failures < 3) throw new Error('The log cannot be read.');
        }
      },
    };
    const errors: unknown[] = [];
    const { told, until, leave } = await watching({ log: failing, onError: (error) => errors.push(error) });
    for (const name of ['a', 'b', 'c', 'd']) {
      await record(name, name, 'ManifestPushed');
      await until(told.length + 1);
    }
    expect(words(told)).to.deep.equal(['a', 'b', 'c', 'd'].map((name) => `manifest_added ${name}`));
    expect(errors).to.have.lengthOf(2);
    leave();
  });

  it('take one reader of the log for all who watch, and none without them', async () => {
    const signals: (AbortSignal | undefined)[] = [];
    const counted: Pick<EventLog, 'head' | 'follow'> = {
      head: log.head,
      follow: (after, options) => {
        signals.push(options.signal);
        return log.follow(after, options);
      },
    };
    const feed = repositoryUpdates({ log: counted, reached: async () => true, onError: () => undefined });
    const all = await Promise.all([feed.join(), feed.join(), feed.join()]);
    expect(signals).to.have.lengthOf(1);
    for (const { leave } of all) leave();
    await waitUntil('it ends', () => signals[0]?.aborted === true, { everyMs: 2 });
    expect(signals).to.have.lengthOf(1);
  });
});
