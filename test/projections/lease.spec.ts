import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'chai';
import fc from 'fast-check';
import { competeFor, type Lease, type Leases } from '../../src/projections/views/lease.ts';
import { waitUntil } from '../support/processes.ts';
import { sharedLeases } from '../support/sharedLeases.ts';

const NAME = 'serving.1';
const EXPIRES_MS = 100;

/** Whatever a failing test leaves behind. */
const left = new Set<() => Promise<void>>();

/** A node whose calls to the store pass through a gate, and whose clock is moved by hand. */
const nodeOn = (store: Leases, holder: string) => {
  let clock = 0;
  let open = true;
  let failing = false;
  let answersOnly = false;
  let releaseAll: () => void = () => undefined;
  const changes: string[] = [];
  const passed = async (isAnswer = false): Promise<void> => {
    while (!open && (isAnswer || !answersOnly))
      await new Promise<void>((resolve) => {
        releaseAll = resolve;
      });
    if (failing) throw new Error('The store does not answer.');
  };
  const gated: Leases = {
    read: async (name) => {
      await passed();
      return store.read(name);
    },
    replace: async (name, seen, next) => {
      await passed();
      const done = await store.replace(name, seen, next);
      await passed(true); // the answer may be late, or lost, as well
      return done;
    },
    release: async (name, who) => {
      await passed();
      await store.release(name, who);
    },
  };
  const lease: Lease = competeFor({
    leases: gated,
    name: NAME,
    holder,
    onGained: () => changes.push('gained'),
    onLost: () => changes.push('lost'),
    renewMs: 0,
    expiresMs: EXPIRES_MS,
    now: () => clock,
  });
  const stop = async (): Promise<void> => {
    left.delete(stop);
    failing = false;
    open = true;
    releaseAll();
    await lease.stop();
  };
  left.add(stop);
  return {
    holder,
    changes,
    isFresh: lease.isFresh,
    pass: (ms: number) => {
      clock += ms;
    },
    pause: () => {
      open = false;
      answersOnly = false;
    },
    /** What it writes arrives; that it did is not known to it for now. */
    pauseAnswers: () => {
      open = false;
      answersOnly = true;
    },
    go: () => {
      open = true;
      releaseAll();
    },
    fail: (fails: boolean) => {
      failing = fails;
    },
    stop,
  };
};

/** A turn in which the nodes' own timers run out, too. */
const timersTurn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));

const turns = async (count: number): Promise<void> => {
  for (let n = 0; n < count; n++) await turn();
};

describe('a lease', () => {
  afterEach(async () => {
    for (const stop of left) await stop();
    left.clear();
  });

  it('goes to the one who asks first, and stays there while the holder lives', async () => {
    const store = sharedLeases();
    const first = nodeOn(store, 'first');
    await waitUntil('the first has it', async () => first.isFresh());
    const second = nodeOn(store, 'second');
    for (let n = 0; n < 20; n++) {
      first.pass(EXPIRES_MS / 2);
      second.pass(EXPIRES_MS / 2);
      const { beat } = store.held(NAME) ?? { beat: 0 };
      await waitUntil('the holder has beaten', async () => (store.held(NAME)?.beat ?? 0) > beat + 1);
      expect(first.isFresh()).to.equal(true);
      expect(second.isFresh()).to.equal(false);
    }
    expect(first.changes).to.deep.equal(['gained']);
    await first.stop();
    await second.stop();
  });

  it('goes on at once when its holder lets go', async () => {
    const store = sharedLeases();
    const first = nodeOn(store, 'first');
    await waitUntil('the first has it', async () => first.isFresh());
    const second = nodeOn(store, 'second');
    await first.stop();
    expect(first.isFresh()).to.equal(false);
    expect(first.changes).to.deep.equal(['gained', 'lost']);
    await waitUntil('the second has it', async () => second.isFresh());
    await second.stop();
    expect(store.held(NAME)).to.equal(undefined);
  });

  it('is taken over from a holder that does not beat any more, and the old holder has stopped writing before', async () => {
    const store = sharedLeases();
    const first = nodeOn(store, 'first');
    await waitUntil('the first has it', async () => first.isFresh());
    first.pause();
    const second = nodeOn(store, 'second');
    await turns(20);
    expect(second.isFresh(), 'nobody takes it before it expires').to.equal(false);
    first.pass(EXPIRES_MS);
    expect(first.isFresh(), 'the old holder counts from before its last renewal').to.equal(false);
    second.pass(EXPIRES_MS);
    await waitUntil('the second has it', async () => second.isFresh());
    first.go();
    await waitUntil('the first has heard of it', async () => first.changes.includes('lost'));
    expect(second.isFresh()).to.equal(true);
    await second.stop();
    await first.stop();
  });

  it('is not held by one who learns too late that its renewal arrived', async () => {
    const store = sharedLeases();
    const first = nodeOn(store, 'first');
    await waitUntil('the first has it', async () => first.isFresh());
    const beat = store.held(NAME)?.beat ?? 0;
    first.pauseAnswers();
    await waitUntil('a renewal has arrived', async () => (store.held(NAME)?.beat ?? 0) > beat);
    const second = nodeOn(store, 'second');
    await turns(20);
    for (const node of [first, second]) node.pass(EXPIRES_MS);
    await waitUntil('the second has it', async () => second.isFresh());
    first.go();
    while (!first.changes.includes('lost')) {
      expect(first.isFresh(), 'its answer came late').to.equal(false);
      await turn();
    }
    expect(first.changes).to.deep.equal(['gained', 'lost']);
    expect(second.isFresh()).to.equal(true);
    await second.stop();
    await first.stop();
  });

  it('is not given up for one failed renewal, only when it can have expired', async () => {
    const store = sharedLeases();
    const node = nodeOn(store, 'node');
    await waitUntil('it has it', async () => node.isFresh());
    node.fail(true);
    await turns(20);
    expect(node.isFresh()).to.equal(true);
    expect(node.changes).to.deep.equal(['gained']);
    node.pass(EXPIRES_MS);
    await waitUntil('it has given it up', async () => node.changes.includes('lost'));
    node.fail(false);
    await waitUntil('it has it again', async () => node.isFresh());
    await node.stop();
  });

  it('is never held by two at once, however nodes are paused and answers are late', async () => {
    const step = fc.record({
      node: fc.nat(2),
      does: fc.constantFrom('pause' as const, 'go' as const, 'fail' as const, 'mend' as const, 'wait' as const),
      ms: fc.nat(EXPIRES_MS),
      turns: fc.nat(4),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
        const store = sharedLeases();
        const nodes = ['a', 'b', 'c'].map((name) => nodeOn(store, name));
        try {
          for (const { node: at, does, ms, turns: count } of steps) {
            const node = nodes[at] as (typeof nodes)[number];
            if (does === 'pause') node.pause();
            if (does === 'go') node.go();
            if (does === 'fail' || does === 'mend') node.fail(does === 'fail');
            // Time passes for all alike, if not by the same numbers.
            for (const one of nodes) one.pass(ms);
            for (let n = 0; n < count; n++) {
              await timersTurn();
              expect(nodes.filter((one) => one.isFresh()).map(({ holder }) => holder)).to.have.length.at.most(1);
            }
          }
        } finally {
          for (const node of nodes) await node.stop();
        }
      }),
      { numRuns: 100 },
    );
  });
});
