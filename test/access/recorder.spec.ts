import { expect } from 'chai';
import { accessRecorder, type RecorderOptions } from '../../src/access/recorder.ts';
import { isRefusal } from '../../src/errors.ts';
import type { AccessEntry } from '../../src/events/access.ts';
import type { NewEvent } from '../../src/events/event.ts';
import { rejectionOf } from '../contracts/eventLog/given.ts';
import { waitUntil } from '../support/processes.ts';
import { batchesIn, entriesIn, OTHER_DIGEST, pull } from './entries.ts';

type Appended = Readonly<{ day: string; events: readonly NewEvent[] }>;

/** A log that takes what comes, unless it is told to fail or to wait. */
const logFor = () => {
  const appended: Appended[] = [];
  let fault: Error | undefined;
  let gate = Promise.resolve();
  const tries: (readonly NewEvent[])[] = [];
  return {
    appended,
    tries,
    append: async (day: string, events: readonly NewEvent[]): Promise<void> => {
      tries.push(events);
      await gate;
      if (fault !== undefined) throw fault;
      appended.push({ day, events });
    },
    failWith: (error: Error | undefined): void => {
      fault = error;
    },
    hold: (): (() => void) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      gate = promise;
      return resolve;
    },
    entries: (): readonly AccessEntry[] => appended.flatMap(({ events }) => entriesIn(events)),
    dropped: (): number => appended.flatMap(({ events }) => batchesIn(events)).reduce((sum, { dropped = 0 }) => sum + dropped, 0),
  };
};

const recording = (options: Partial<RecorderOptions> = {}) => {
  const log = logFor();
  return { log, recorder: accessRecorder({ mode: 'on', append: log.append, ...options }) };
};

const pulls = (count: number): readonly AccessEntry[] =>
  Array.from({ length: count }, (_, index) => pull({ ip: `10.0.${index >> 8}.${index & 255}` }));

describe('Recording accesses', () => {
  it('keeps nobody waiting, and puts what comes together into one event', async () => {
    const { log, recorder } = recording();
    for (const entry of pulls(20)) expect(recorder.record(entry)).to.equal(undefined);
    expect(log.tries).to.have.length(0);
    await waitUntil('it is recorded', async () => log.appended.length > 0);
    expect(log.appended.map(({ events }) => events.length)).to.deep.equal([1]);
    expect(log.entries()).to.deep.equal(pulls(20));
    await recorder.close();
  });

  it('ends an event at 48 KiB, and appends it without waiting for more', async () => {
    const { log, recorder } = recording({ limits: { flushMs: 60_000 } });
    for (const entry of pulls(300)) recorder.record(entry);
    await waitUntil('the full event is recorded', async () => log.appended.length > 0);
    const [first] = log.appended.flatMap(({ events }) => batchesIn(events));
    expect(Buffer.byteLength(JSON.stringify(first))).to.be.within(30 * 1024, 49 * 1024);
    await recorder.close();
    expect(log.entries()).to.deep.equal(pulls(300));
  });

  it('appends many events at once when the log is slower than they come', async () => {
    const { log, recorder } = recording({ limits: { flushMs: 1 } });
    const release = log.hold();
    recorder.record(pull());
    await waitUntil('the first append is under way', async () => log.tries.length === 1);
    for (const entry of pulls(1000)) recorder.record(entry);
    release();
    await recorder.close();
    expect(log.entries()).to.have.length(1001);
    expect(log.tries.length).to.be.at.most(4);
  });

  it('makes equal pulls of a moment one, with how many they are, how much they took, and until when', async () => {
    const { log, recorder } = recording();
    const at = (ms: number): string => new Date(Date.UTC(2026, 2, 1) + ms).toISOString();
    for (let n = 0; n < 50; n += 1) recorder.record(pull({ at: at(n), requestId: `request-${n}` }));
    recorder.record(pull({ at: at(60), actor: 'user:8' }));
    await recorder.close();
    expect(log.entries()).to.deep.equal([
      pull({ at: at(0), until: at(49), count: 50, bytes: 50 * 500, requestId: 'request-0' }),
      pull({ at: at(60), actor: 'user:8' }),
    ]);
  });

  it('never makes one of pulls that differ in anything but their time and their request', async () => {
    const { log, recorder } = recording();
    const differences: readonly Partial<AccessEntry>[] = [
      { actor: 'user:8' },
      { method: 'password' },
      { tokenId: '12' },
      { ip: '203.0.113.6' },
      { userAgent: 'podman' },
      { action: 'blob.pull' },
      { resource: 'team/app:1' },
      { repositoryId: 'life-2' },
      { digest: OTHER_DIGEST },
      { status: 206 },
    ];
    for (const different of differences) {
      recorder.record(pull());
      recorder.record(pull(different));
    }
    await recorder.close();
    for (const different of differences) expect(log.entries()).to.deep.include(pull(different));
    for (const { count = 1 } of log.entries()) expect(count).to.be.at.most(2);
  });

  it('never puts two days into one event', async () => {
    const { log, recorder } = recording();
    recorder.record(pull({ at: '2026-03-01T23:59:59.999Z' }));
    recorder.record(pull({ at: '2026-03-02T00:00:00.000Z' }));
    await recorder.close();
    expect(log.appended.map(({ day, events }) => [day, events.length])).to.deep.equal([
      ['2026-03-01', 1],
      ['2026-03-02', 1],
    ]);
  });

  it('records nothing when it is off', async () => {
    const { log, recorder } = recording({ mode: 'off' });
    recorder.record(pull());
    await recorder.close();
    expect(log.tries).to.have.length(0);
  });

  it('writes what waits before it ends', async () => {
    const { log, recorder } = recording({ limits: { flushMs: 60_000 } });
    recorder.record(pull());
    await recorder.close();
    expect(log.entries()).to.have.length(1);
  });

  it('loses no other record to one that is not as it should be', async () => {
    const troubles: unknown[] = [];
    const { log, recorder } = recording({ onTrouble: (error) => troubles.push(error) });
    recorder.record(pull({ at: '2026-03-01T23:59:59.999Z', actor: '' }));
    recorder.record(pull({ at: '2026-03-02T00:00:00.000Z' }));
    await recorder.close();
    expect(log.entries().map(({ at }) => at)).to.deep.equal(['2026-03-02T00:00:00.000Z']);
    expect([log.dropped(), troubles.length]).to.deep.equal([1, 1]);
    expect(recorder.status()).to.include({ recorded: 1, everDropped: 1 });
  });
});

describe('Recording accesses to a log that fails', () => {
  it('tries the very same events again until it has them, and tells once', async () => {
    const told: string[] = [];
    const { log, recorder } = recording({
      limits: { flushMs: 1, retryMs: 1 },
      onTrouble: (error) => told.push((error as Error).message),
      onRecovered: (dropped) => told.push(`again, ${dropped} dropped`),
    });
    log.failWith(new Error('away'));
    recorder.record(pull());
    await waitUntil('it tried some times', async () => log.tries.length > 3);
    expect(recorder.status()).to.include({ entries: 1, error: 'away' });
    log.failWith(undefined);
    await waitUntil('it is recorded', async () => log.appended.length === 1);
    expect(new Set(log.tries.map(([event]) => event?.id)).size).to.equal(1);
    expect(told).to.deep.equal(['away', 'again, 0 dropped']);
    expect(recorder.status()).to.deep.equal({ entries: 0, bytes: 0, dropped: 0, recorded: 1, everDropped: 0 });
    await recorder.close();
  });

  it('holds so much and no more, and says later how many it had to drop', async () => {
    const { log, recorder } = recording({ limits: { flushMs: 1, retryMs: 1, heldBytes: 40_000 } });
    log.failWith(new Error('away'));
    for (const entry of pulls(1000)) recorder.record(entry);
    const { bytes, entries, dropped } = recorder.status();
    expect(bytes).to.be.at.most(40_000);
    expect(entries + dropped).to.equal(1000);
    expect(dropped).to.be.greaterThan(0);
    log.failWith(undefined);
    await waitUntil('what was held is recorded', async () => recorder.status().entries === 0);
    recorder.record(pull());
    await recorder.close();
    expect(log.entries()).to.have.length(entries + 1);
    expect(log.dropped()).to.equal(dropped);
  });

  it('gives up at the end, in bounded time', async () => {
    const { log, recorder } = recording({ limits: { flushMs: 1, retryMs: 60_000, patienceMs: 20 } });
    log.failWith(new Error('away'));
    recorder.record(pull());
    await recorder.close();
    expect(recorder.status().entries).to.equal(1);
  });
});

describe('Recording accesses strictly', () => {
  it('lets nobody go before the log has his record', async () => {
    const { log, recorder } = recording({ mode: 'strict' });
    const release = log.hold();
    let answered = false;
    const recorded = recorder.record(pull())?.then(() => {
      answered = true;
    });
    await waitUntil('the append is under way', async () => log.tries.length === 1);
    expect(answered).to.equal(false);
    release();
    await recorded;
    expect(log.entries()).to.have.length(1);
    await recorder.close();
  });

  it('records those together that come while others are written', async () => {
    const { log, recorder } = recording({ mode: 'strict' });
    await Promise.all(pulls(500).map((entry) => recorder.record(entry)));
    expect(log.entries()).to.have.length(500);
    expect(log.tries.length).to.be.at.most(3);
    await recorder.close();
  });

  it('refuses whom it cannot record in time', async () => {
    const { log, recorder } = recording({ mode: 'strict', limits: { patienceMs: 20, retryMs: 1 } });
    log.failWith(new Error('away'));
    const error = await rejectionOf(recorder.record(pull()) ?? Promise.resolve());
    expect(isRefusal(error, 'UNAVAILABLE')).to.equal(true);
    await recorder.close();
  });

  it('refuses at once whom it cannot even hold', async () => {
    const { log, recorder } = recording({ mode: 'strict', limits: { patienceMs: 60_000, retryMs: 1, heldBytes: 500 } });
    log.failWith(new Error('away'));
    const held = recorder.record(pull());
    const error = await rejectionOf(recorder.record(pull({ ip: '203.0.113.6' })) ?? Promise.resolve());
    expect(isRefusal(error, 'UNAVAILABLE')).to.equal(true);
    log.failWith(undefined);
    await held;
    await recorder.close();
  });
});
