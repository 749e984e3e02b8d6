import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { status } from '@grpc/grpc-js';
import { expect } from 'chai';
import fc from 'fast-check';
import { RegistryError } from '../../src/errors.ts';
import { type NewEvent, ORIGIN, type Position, type Recorded } from '../../src/events/event.ts';
import { type Appended, AppendOutcomeUnknown, type EventLog, NO_STREAM } from '../../src/events/log/log.ts';
import { anEvent, events, everything, idsOf, rejectionOf, takeUntil, turns } from '../contracts/eventLog/given.ts';
import { type EventStore, startEventStore } from '../support/eventstore/eventstore.ts';
import type { Disturbance, Fault } from '../support/eventstore/faults.ts';
import { freshPrefix, IMPATIENT, openLogs, STUBBORN, scriptedEventStore } from '../support/eventstore/given.ts';
import { exitOf, waitUntil } from '../support/processes.ts';

/** Repeats an append whose outcome is unknown, as those do who must know it. */
const insist = async (log: EventLog, stream: string, expected: number, added: readonly NewEvent[]): Promise<Appended> => {
  for (;;) {
    try {
      return await log.append(stream, expected, added);
    } catch (error) {
      if (!(error instanceof AppendOutcomeUnknown)) throw error;
    }
  }
};

/** Appends batches to a stream, one after the other. @returns what it appended, in order */
const write = async (log: EventLog, stream: string, batches: readonly number[]): Promise<readonly NewEvent[]> => {
  const written: NewEvent[] = [];
  for (const count of batches) {
    const added = events(count);
    const { revision } = await insist(log, stream, written.length - 1, added);
    written.push(...added);
    expect(revision).to.equal(written.length - 1);
  }
  return written;
};

const expectStreams = (all: readonly Recorded[], written: ReadonlyMap<string, readonly NewEvent[]>): void => {
  for (const [stream, added] of written) {
    const recorded = all.filter((event) => event.stream === stream);
    expect(idsOf(recorded)).to.deep.equal(idsOf(added));
    expect(recorded.map(({ revision }) => revision)).to.deep.equal(added.map((_, index) => index));
  }
  expect(all).to.have.length([...written.values()].reduce((sum, added) => sum + added.length, 0));
};

describe('The log on an event store, appended to', function () {
  const server = scriptedEventStore(this);
  const open = openLogs();
  let log: EventLog;
  let impatient: EventLog;
  let stream: string;
  beforeEach(async () => {
    const prefix = freshPrefix();
    stream = `${prefix}.users`;
    log = await open(server().url, { ...STUBBORN, prefix });
    impatient = await open(server().url, { ...IMPATIENT, prefix });
  });

  const failures: readonly (readonly [what: string, fault: Fault])[] = [
    ['the answer is lost', { kind: 'replyLost', on: 'append' }],
    ['the answer comes too late', { kind: 'replyDelayed', on: 'append', ms: 300 }],
    ['the call is not answered at all', { kind: 'silent', on: 'append' }],
    ...(
      ['UNAVAILABLE', 'CANCELLED', 'ABORTED', 'INTERNAL', 'UNKNOWN', 'DEADLINE_EXCEEDED', 'RESOURCE_EXHAUSTED'] as const
    ).flatMap((code): [string, Fault][] => [
      [`the call ends with ${code} after it was written`, { kind: 'writtenThenRefused', on: 'append', code: status[code] }],
      [`the call ends with ${code} before anything was written`, { kind: 'refused', on: 'append', code: status[code], times: 2 }],
    ]),
    ['the answer does not say where it is', { kind: 'noPosition', on: 'append' }],
  ];

  for (const [what, fault] of failures)
    it(`records once what it appends, and answers with its place, when ${what}`, async () => {
      await log.append(stream, NO_STREAM, events(2));
      await server().script(fault);
      const added = events(3);
      const outcome = await log.append(stream, 1, added);
      const all = await everything(log);
      expect(idsOf(all.slice(2))).to.deep.equal(idsOf(added));
      expect(outcome).to.deep.equal({ revision: 4, position: all[4]?.position });
      expect(await log.head()).to.equal(outcome.position);
      expect(await log.append(stream, 1, added)).to.deep.equal(outcome);
    });

  it('says that the outcome is unknown when nothing is answered for long, and finds it when it is asked again', async () => {
    await server().script({ kind: 'replyLost', on: 'append', times: 'always' });
    const added = events(2);
    await rejectionOf(impatient.append(stream, NO_STREAM, added), AppendOutcomeUnknown);
    await server().heal();
    const outcome = await log.append(stream, NO_STREAM, added);
    expect(idsOf(await everything(log))).to.deep.equal(idsOf(added));
    expect(outcome.revision).to.equal(1);
  });

  it('says that the outcome is unknown when it cannot be read back where it is', async () => {
    await server().script({ kind: 'noPosition', on: 'append', times: 'always' });
    await server().script({ kind: 'silent', on: 'read', times: 'always' });
    await rejectionOf(impatient.append(stream, NO_STREAM, events(2)), AppendOutcomeUnknown);
  });

  it('records a large append whole, however often it is cut short while it is sent', async () => {
    const added = Array.from({ length: 40 }, () => anEvent('x'.repeat(20_000)));
    const hasty = await open(server().url, { prefix: stream.slice(0, stream.indexOf('.')), appendTryMs: 30, appendTotalMs: 500 });
    for (let round = 0; round < 3; round++) {
      await Promise.allSettled([hasty.append(stream, NO_STREAM, added)]);
      expect((await everything(log)).length).to.be.oneOf([0, 40]);
    }
    const patient = await open(server().url, {
      prefix: stream.slice(0, stream.indexOf('.')),
      appendTryMs: 20_000,
      appendTotalMs: 20_000,
    });
    await patient.append(stream, NO_STREAM, added);
    expect(idsOf(await everything(log))).to.deep.equal(idsOf(added));
  });

  it('does not repeat what the server refuses', async () => {
    const { append } = await server().counts();
    await server().script({ kind: 'refused', on: 'append', code: status.INVALID_ARGUMENT });
    expect((await rejectionOf(log.append(stream, NO_STREAM, events(1)))).message).to.include('refused an append');
    expect((await server().counts()).append).to.equal(append + 1);
  });

  it('answers every one of many when all of them are stuck at first', async () => {
    await server().script({ kind: 'replyLost', on: 'append', times: 100 });
    const added = Array.from({ length: 100 }, () => anEvent());
    const outcomes = await Promise.all(added.map((event, index) => insist(log, `${stream}-${index}`, NO_STREAM, [event])));
    const all = await everything(log);
    expect(new Set(idsOf(all))).to.deep.equal(new Set(idsOf(added)));
    expect(all).to.have.length(100);
    expect(outcomes.map(({ position }) => position).sort()).to.deep.equal(all.map(({ position }) => position));
  });
});

describe('The log on an event store, read', function () {
  const server = scriptedEventStore(this);
  const open = openLogs();
  let log: EventLog;
  let impatient: EventLog;
  let stream: string;
  let ids: readonly string[];
  beforeEach(async () => {
    const prefix = freshPrefix();
    stream = `${prefix}.users`;
    log = await open(server().url, { ...STUBBORN, prefix });
    impatient = await open(server().url, { ...IMPATIENT, prefix });
    const added = events(30);
    ids = idsOf(added);
    await log.append(stream, NO_STREAM, added);
  });

  const reads: readonly (readonly [what: string, read: (from: EventLog) => Promise<unknown>, answer: () => unknown])[] = [
    ['a stream', async (from) => idsOf(await from.readStream(stream, { limit: 100 })), () => ids],
    ['everything', async (from) => idsOf(await from.readAll({ limit: 100 })), () => ids],
    ['the head', async (from) => (await from.head()) > ORIGIN, () => true],
  ];

  for (const [what, read, answer] of reads) {
    it(`tries again to read ${what} when the connection breaks, and gives it whole`, async () => {
      await server().script({ kind: 'refused', on: 'read', code: status.UNAVAILABLE });
      await server().script({ kind: 'cut', on: 'read', after: 3, code: status.CANCELLED });
      expect(await read(log)).to.deep.equal(answer());
    });

    it(`says that it is unavailable when ${what} is not answered`, async () => {
      await server().script({ kind: 'silent', on: 'read', times: 'always' });
      expect(await rejectionOf(read(impatient), RegistryError)).to.include({ code: 'UNAVAILABLE' });
    });
  }

  it('says that it is unavailable when a read stops half way and goes no further', async () => {
    await server().script({ kind: 'cut', on: 'read', after: 10, code: status.UNAVAILABLE, times: 'always' });
    expect(await rejectionOf(log.readStream(stream, { limit: 30 }), RegistryError)).to.include({ code: 'UNAVAILABLE' });
  });

  it('refuses a read that its own closing cuts short, rather than give a part', async () => {
    await server().script({ kind: 'paused', on: 'read', after: 10 });
    const { read } = await server().counts();
    const refused = rejectionOf(log.readStream(stream, { limit: 30 }), RegistryError);
    await waitUntil('the read to begin', async () => (await server().counts()).read > read);
    await log.close();
    expect((await refused).message).to.include('closed');
    for (const late of [() => log.readAll({ limit: 1 }), () => log.head()])
      expect((await rejectionOf(late(), RegistryError)).message).to.include('closed');
  });
});

describe('The log on an event store that stands still or is gone', function () {
  const server = scriptedEventStore(this);
  const open = openLogs();

  for (const [what, strike, recover] of [
    ['is frozen', async () => server().freeze(), async () => server().thaw()],
    ['was killed', () => server().kill(), () => server().restart()],
    ['was stopped', () => server().stop(), () => server().restart()],
  ] as const)
    it(`does not hang when it ${what}, and goes on when it is back`, async () => {
      const prefix = freshPrefix();
      const log = await open(server().url, { ...STUBBORN, prefix });
      const impatient = await open(server().url, { ...IMPATIENT, prefix });
      const before = events(3);
      await log.append(`${prefix}.users`, NO_STREAM, before);
      const seen = takeUntil(log.follow(ORIGIN, { limit: 2 }), (list) => list.length === 5);
      await strike();
      const added = events(2);
      await rejectionOf(impatient.append(`${prefix}.users`, 2, added), AppendOutcomeUnknown);
      for (const read of [
        () => impatient.readStream(`${prefix}.users`, { limit: 1 }),
        () => impatient.readAll({ limit: 1 }),
        () => impatient.head(),
      ])
        expect(await rejectionOf(read(), RegistryError)).to.include({ code: 'UNAVAILABLE' });
      await recover();
      await insist(log, `${prefix}.users`, 2, added);
      expect(idsOf(await seen)).to.deep.equal(idsOf([...before, ...added]));
      expect(await everything(log)).to.deep.equal(await seen);
    });
});

describe('The log on an event store whose server is not the leader', function () {
  const follower = scriptedEventStore(this);
  const open = openLogs();
  let leader: EventStore;
  before(async () => {
    leader = await startEventStore();
  });
  after(() => leader.dispose());

  it('goes to the leader, with everything', async () => {
    await follower().script({ kind: 'notLeader', host: '127.0.0.1', port: leader.port, times: 'always' });
    for (const first of [
      (log: EventLog) => log.append(`ours.${randomUUID()}`, NO_STREAM, events(1)),
      (log: EventLog) => log.readAll({ limit: 1 }),
      (log: EventLog) => log.head(),
    ]) {
      const log = await open(follower().url, STUBBORN);
      await first(log);
      const added = events(4);
      const after = await log.head();
      const seen = takeUntil(log.follow(after, { limit: 3 }), (list) => list.length === 4);
      await log.append(`ours.${randomUUID()}`, NO_STREAM, added);
      expect(idsOf(await seen)).to.deep.equal(idsOf(added));
    }
    const log = await open(follower().url, STUBBORN);
    expect(await takeUntil(log.follow(ORIGIN, { limit: 20 }), (list) => list.length === 13)).to.deep.equal(await everything(log));
    // One that took too long on a busy machine came again, under the same ids.
    expect((await leader.counts()).append).to.be.at.least(4);
  });
});

describe('The log on an event store, followed', function () {
  const server = scriptedEventStore(this);
  const open = openLogs();
  let log: EventLog;
  let prefix: string;
  let stream: string;
  let errors: unknown[];
  beforeEach(async () => {
    prefix = freshPrefix();
    stream = `${prefix}.users`;
    errors = [];
    log = await open(server().url, { ...STUBBORN, prefix, onError: (error) => errors.push(error) });
  });

  /** A follower, and a way to wait until it has seen so many. */
  const following = (after: Position = ORIGIN, limit = 3) => {
    const seen: Recorded[] = [];
    const stop = new AbortController();
    const end = (async () => {
      for await (const batch of log.follow(after, { limit, signal: stop.signal })) seen.push(...batch);
    })();
    return {
      seen,
      has: (count: number) => waitUntil(`${count} events seen`, () => seen.length >= count, { everyMs: 5 }),
      stop: () => {
        stop.abort();
        return end;
      },
    };
  };

  for (const how of ['end', 'fail', 'stall'] as const satisfies readonly Disturbance[])
    it(`goes on from the last event that it handed out when its subscription does this: ${how}`, async () => {
      const follower = following();
      for (let round = 0; round < 3; round++) {
        await log.append(stream, round * 4 - 1, events(4));
        await follower.has((round + 1) * 4);
        const [last] = await log.readStream(stream, { direction: 'backwards', limit: 1 });
        expect(await server().disturb(how)).to.be.at.least(1);
        if (how !== 'stall') await waitUntil('a new subscription', async () => (await server().counts()).subscriptions === 1);
        const begun = await server().begun();
        if (how !== 'stall') expect(begun.at(-1)).to.be.at.least(Number(`0x${last?.position.slice(0, 16)}`));
      }
      await log.append(stream, 11, events(4));
      await follower.has(16);
      await follower.stop();
      expect(follower.seen).to.deep.equal(await everything(log));
      expect(errors.length).to.be.at.least(3);
    });

  for (const [what, fault] of [
    ['is not confirmed', { kind: 'silent', on: 'subscribe', times: 2 }],
    ['is refused', { kind: 'refused', on: 'subscribe', code: status.UNKNOWN, times: 4 }],
    ['finds no connection', { kind: 'refused', on: 'subscribe', code: status.UNAVAILABLE, times: 4 }],
    ['breaks after two events each time', { kind: 'cut', on: 'subscribe', after: 2, code: status.UNAVAILABLE, times: 8 }],
    ['ends in peace after two events each time', { kind: 'endedEarly', on: 'subscribe', after: 2, times: 8 }],
    ['ends in peace before any event', { kind: 'endedEarly', on: 'subscribe', after: 0, times: 4 }],
  ] as const)
    it(`misses and repeats nothing when its subscription ${what}`, async () => {
      await log.append(stream, NO_STREAM, events(10));
      await server().script(fault as Fault);
      const follower = following();
      await log.append(stream, 9, events(10));
      await follower.has(20);
      await follower.stop();
      expect(follower.seen).to.deep.equal(await everything(log));
      expect(errors).to.not.have.length(0);
    });

  it('begins anew behind what is not its own, where the server has looked already', async () => {
    const others = await open(server().url, { prefix: `${prefix}2` });
    const { position } = await log.append(stream, NO_STREAM, events(3));
    const follower = following();
    await follower.has(3);
    for (let count = 0; count < 6; count++) await others.append(`${prefix}2.${count}`, NO_STREAM, events(200));
    const beyond = (await server().begun()).length;
    await waitUntil('a checkpoint', async () => {
      await server().disturb('end');
      const begun = await server().begun();
      return begun.length > beyond && (begun.at(-1) ?? 0) > Number(`0x${position.slice(0, 16)}`);
    });
    await log.append(stream, 2, events(3));
    await follower.has(6);
    await follower.stop();
    expect(follower.seen).to.deep.equal(await everything(log));
  });

  it('is not restless while nothing comes, or only what is not its own', async () => {
    const others = await open(server().url, { prefix: `${prefix}2` });
    await log.append(stream, NO_STREAM, events(1));
    const follower = following();
    await follower.has(1);
    const { subscribe, read } = await server().counts();
    const before = errors.length;
    // It looks at the head every 100 ms.
    await waitUntil('some looks', async () => {
      await others.append(`${prefix}2.${randomUUID()}`, NO_STREAM, events(1));
      return (await server().counts()).read > read + 5;
    });
    expect((await server().counts()).subscribe).to.equal(subscribe);
    expect(errors).to.have.length(before);
    await follower.stop();
  });

  it('leaves with the server what its follower does not take', async () => {
    const data = 'x'.repeat(20_000);
    const appends = 8;
    const patient = await open(server().url, { prefix, appendTryMs: 5000, appendTotalMs: 30_000 });
    for (let count = 0; count < appends; count++)
      await patient.append(
        stream,
        count * 40 - 1,
        Array.from({ length: 40 }, () => anEvent(data)),
      );
    const { sent } = await server().counts();
    const batches = log.follow(ORIGIN, { limit: 10 })[Symbol.asyncIterator]();
    expect((await batches.next()).value).to.have.lengthOf.within(1, 10);
    let before = -1;
    const standsStill = async (): Promise<boolean> => {
      const now = (await server().counts()).sent;
      const same = now === before;
      before = now;
      return same;
    };
    await waitUntil('the server to stop sending', standsStill, { everyMs: 200 });
    expect(before - sent).to.be.lessThan(appends * 20);
    const first = await log.readAll({ limit: 10 });
    await batches.return?.();
    const seen = await takeUntil(
      log.follow(first[9]?.position ?? '', { limit: 50 }),
      (list) => list.length === appends * 40 - 10,
    );
    expect(seen.at(-1)?.revision).to.equal(appends * 40 - 1);
  });

  it('lets go of its subscription on the server when nobody follows any more', async () => {
    await log.append(stream, NO_STREAM, events(5));
    await takeUntil(log.follow(ORIGIN, { limit: 1 }), (list) => list.length === 2);
    const stop = new AbortController();
    const waiting = takeUntil(log.follow(ORIGIN, { limit: 1, signal: stop.signal }), () => false);
    await waitUntil('a subscription', async () => (await server().counts()).subscriptions === 1);
    stop.abort();
    await waiting;
    await waitUntil('no subscription', async () => (await server().counts()).subscriptions === 0);
  });
});

describe('The log on an event store that is killed again and again', function () {
  const server = scriptedEventStore(this);
  const open = openLogs();

  it('has all that it acknowledged, once and in order, and hands it out so', async () => {
    const log = await open(server().url, { ...STUBBORN });
    const over = new AbortController();
    const written = new Map<string, NewEvent[]>();
    let acknowledged = 0;
    const writing = Array.from({ length: 8 }, async (_, index) => {
      const stream = `ours.writer-${index}`;
      const mine: NewEvent[] = [];
      written.set(stream, mine);
      while (!over.signal.aborted) {
        const added = events(1 + (mine.length % 4));
        const { revision } = await insist(log, stream, mine.length - 1, added);
        mine.push(...added);
        expect(revision).to.equal(mine.length - 1);
        acknowledged += 1;
      }
    });
    const stop = new AbortController();
    const seen: Recorded[] = [];
    const following = (async () => {
      for await (const batch of log.follow(ORIGIN, { limit: 20, signal: stop.signal })) seen.push(...batch);
    })();
    for (const more of [5, 40, 90, 25, 3]) {
      const goal = acknowledged + more;
      await waitUntil(`${more} more appends`, () => acknowledged >= goal, { everyMs: 1 });
      await server().kill();
      await server().restart();
    }
    over.abort();
    await Promise.all(writing);
    const all = await everything(log);
    expectStreams(all, written);
    await waitUntil('everything seen', () => seen.length >= all.length);
    stop.abort();
    await following;
    expect(seen).to.deep.equal(all);
  });
});

describe('The log on an event store, as a part of a process', function () {
  const server = scriptedEventStore(this);
  const USE_AND_CLOSE = fileURLToPath(new URL('../support/eventstore/useAndClose.ts', import.meta.url));

  for (const [what, strike, recover] of [
    ['while all is well', async () => undefined, async () => undefined],
    ['while the server is frozen', async () => server().freeze(), async () => server().thaw()],
    ['while the server is gone', () => server().kill(), () => server().restart()],
  ] as const)
    it(`lets the process end once it is closed, ${what}`, async () => {
      const child = spawn(process.execPath, [USE_AND_CLOSE, server().url], { stdio: ['pipe', 'pipe', 'pipe'] });
      let output = '';
      let complaints = '';
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        output += text;
      });
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        complaints += text;
      });
      await waitUntil('a follower', () => output.includes('follows\n'));
      await strike();
      child.stdin.write('close\n');
      expect(await exitOf(child)).to.deep.equal({ code: 0, signal: null });
      expect(output).to.equal('follows\nfollowed\nclosed\n');
      expect(complaints).to.equal('');
      await recover();
    });
});

describe('The log on an event store where anything may go wrong', function () {
  const server = scriptedEventStore(this);
  const open = openLogs();

  type Trouble = Readonly<{ fault: Fault }> | Readonly<{ disturb: Disturbance }> | 'kill';
  type Scenario = Readonly<{
    writers: readonly (readonly number[])[];
    follower: Readonly<{ limit: number; pause: number; begins: number }>;
    troubles: readonly Readonly<{ pause: number; trouble: Trouble }>[];
  }>;

  const codes = [status.UNAVAILABLE, status.CANCELLED, status.UNKNOWN, status.INTERNAL, status.ABORTED];
  const fault: fc.Arbitrary<Fault> = fc.oneof(
    fc.record({ kind: fc.constant('replyLost' as const), on: fc.constant('append' as const) }),
    fc.record({ kind: fc.constant('noPosition' as const), on: fc.constant('append' as const) }),
    fc.record({ kind: fc.constant('replyDelayed' as const), on: fc.constant('append' as const), ms: fc.constantFrom(20, 250) }),
    fc.record({
      kind: fc.constant('silent' as const),
      on: fc.constantFrom('append' as const, 'read' as const, 'subscribe' as const),
    }),
    fc.record({
      kind: fc.constant('writtenThenRefused' as const),
      on: fc.constant('append' as const),
      code: fc.constantFrom(...codes),
    }),
    fc.record({ kind: fc.constant('refused' as const), code: fc.constantFrom(...codes), times: fc.integer({ min: 1, max: 3 }) }),
    fc.record({
      kind: fc.constant('cut' as const),
      on: fc.constantFrom('read' as const, 'subscribe' as const),
      after: fc.nat(6),
      code: fc.constantFrom(...codes),
    }),
    fc.record({ kind: fc.constant('endedEarly' as const), on: fc.constant('subscribe' as const), after: fc.nat(6) }),
  );
  const trouble: fc.Arbitrary<Trouble> = fc.oneof(
    { weight: 8, arbitrary: fault.map((one) => ({ fault: one })) },
    { weight: 4, arbitrary: fc.constantFrom<Disturbance>('end', 'fail', 'stall').map((disturb) => ({ disturb })) },
    { weight: 1, arbitrary: fc.constant('kill' as const) },
  );
  const scenarios: fc.Arbitrary<Scenario> = fc.record({
    writers: fc.array(fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 12 }), { minLength: 1, maxLength: 5 }),
    follower: fc.record({ limit: fc.constantFrom(1, 3, 50), pause: fc.nat(4), begins: fc.nat(10) }),
    troubles: fc.array(fc.record({ pause: fc.nat(12), trouble }), { maxLength: 8 }),
  });

  const inflict = async (what: Trouble): Promise<void> => {
    if (what === 'kill') {
      await server().kill();
      await server().restart();
    } else if ('fault' in what) await server().script(what.fault);
    else await server().disturb(what.disturb);
  };

  it('loses nothing, doubles nothing and keeps the order', async () => {
    await fc.assert(
      fc.asyncProperty(scenarios, async ({ writers, follower, troubles }) => {
        const prefix = freshPrefix();
        const log = await open(server().url, { ...STUBBORN, prefix });
        const stop = new AbortController();
        const seen: Recorded[] = [];
        const following = (async () => {
          await turns(follower.begins);
          for await (const batch of log.follow(ORIGIN, { limit: follower.limit, signal: stop.signal })) {
            expect(batch.length).to.be.within(1, follower.limit);
            seen.push(...batch);
            await turns(follower.pause);
          }
        })();
        const writing = Promise.all(
          writers.map(async (batches, index) => {
            const stream = `${prefix}.${index}`;
            return [stream, await write(log, stream, batches)] as const;
          }),
        );
        try {
          for (const { pause, trouble: what } of troubles) {
            await turns(pause);
            await inflict(what);
          }
          const written = new Map(await writing);
          await server().heal();
          const all = await everything(log);
          expectStreams(all, written);
          await waitUntil('everything seen', () => seen.length >= all.length, { everyMs: 5 });
          expect(seen).to.deep.equal(all);
        } finally {
          stop.abort();
          await Promise.allSettled([writing, following]);
          await server().heal();
        }
        await following;
      }),
      { numRuns: 12 },
    );
  });
});
