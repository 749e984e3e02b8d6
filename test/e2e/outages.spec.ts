import { expect } from 'chai';
import type { Recorded } from '../../src/events/event.ts';
import type { HttpClient } from '../support/http.ts';
import { seeded } from '../support/images.ts';
import { happen, outagesOf } from '../support/outages.ts';
import { healthyAgain, registryOnServers } from './onServers.ts';
import { patient, watching } from './patient.ts';
import { pusher } from './pusher.ts';
import { expectGapless, repeatedIn, statesOf } from './stopped.ts';
import { expectStoredViewsAgree, factsOnServer } from './stored.ts';
import { halfVisible, looking } from './visible.ts';
import { puller, rival } from './witnesses.ts';

const SEED = Number(process.env.GHOSTDOCK_TEST_SEED ?? Date.now() % 1_000_000);
const OUTAGES = Number(process.env.GHOSTDOCK_TEST_OUTAGES ?? 20);
const REPOSITORIES = ['outages/first', 'outages/second', 'outages/third'];
const CONTESTED = 'outages/contested';
const [PUSHERS, RIVALS, PULLERS] = [8, 4, 2];

type Worker = Readonly<{ work: (client: HttpClient) => Promise<never> }>;

const several = <T>(count: number, make: (index: number) => T): readonly T[] =>
  Array.from({ length: count }, (_, index) => make(index));

describe(`A registry whose servers go away during a storm of pushes (seed ${SEED}; GHOSTDOCK_TEST_SEED repeats it)`, function () {
  this.timeout(600_000);
  const { servers, admin, registry, config } = registryOnServers(this);
  const random = (number: number): (() => number) => seeded(SEED + number);
  const pushers = several(PUSHERS, (n) => pusher({ name: `client${n}`, repositories: REPOSITORIES, random: random(1 + n) }));
  const rivals = several(RIVALS, (n) => rival(`rival${n}`, CONTESTED, random(100 + n)));
  const pullers = several(PULLERS, (n) => puller(random(200 + n)));
  const seen = watching();
  const over = new Error('The storm is over.');
  let facts: readonly Recorded[];

  /** Repeats what is refused, until it gets through; ends between two requests once `isOver`. */
  const insistent = (number: number, isOver: () => boolean): HttpClient => {
    const client = patient(admin(), seen, random(300 + number));
    return {
      ...client,
      send: async (...request) => {
        if (isOver()) throw over;
        return client.send(...request);
      },
    };
  };

  /** All work at once. `broken` resolves when one of them cannot go on; `end` resolves to the reasons for that. */
  const storm = (workers: readonly Worker[]) => {
    let isOver = false;
    const work = workers.map(({ work }, number) => work(insistent(number, () => isOver)).catch((error: unknown) => error));
    return {
      broken: Promise.race(work).then(() => undefined),
      end: async (): Promise<readonly unknown[]> => {
        isOver = true;
        return (await Promise.all(work)).filter((error) => error !== over);
      },
    };
  };

  it(`gets everything done in the end, through ${OUTAGES} outages`, async () => {
    const { broken, end } = storm([...pushers, ...rivals, ...pullers]);
    const nextChange = (): Promise<void> => Promise.race([seen.nextChange(), broken]);
    for (const outage of outagesOf(servers(), OUTAGES, seeded(SEED))) await happen(outage, nextChange);
    expect(await end(), 'what was refused for good').to.deep.equal([]);
    expect(seen.statuses().get(503), 'requests that an outage has met').to.be.greaterThan(0);
  });

  it('has answered every request, with what clients expect or with 503 and when to try again', () => {
    expect(seen.wrong()).to.deep.equal([]);
  });

  it('has shown at once what it had acknowledged, and nothing but whole images', () => {
    expect([...rivals, ...pullers].flatMap(({ wrong }) => wrong)).to.deep.equal([]);
  });

  it('is well again by itself', async () => {
    await healthyAgain(admin());
    expect(process.kill(registry().pid, 0), 'it is the same process').to.equal(true);
  });

  it('has kept everything that it had acknowledged, and deleted what it said it had', async () => {
    const client = admin();
    const checks = await Promise.all(pushers.map(({ notes }) => notes.check(looking(client), (keys) => keys)));
    expect(checks.flat()).to.deep.equal([]);
  });

  it('never shows anything half: each tag has its manifest, each manifest its blobs', async () => {
    expect(await halfVisible(admin())).to.deep.equal([]);
  });

  it('has a gapless history that records each change once', async () => {
    facts = await factsOnServer(config());
    expectGapless(facts);
    expect(repeatedIn(facts)).to.deep.equal([]);
  });

  it('has a history that says what the clients were told', () => {
    const states = statesOf(facts);
    const there = (set: ReadonlySet<string> | undefined, digest: string) => (set?.has(digest) ? digest : undefined);
    for (const key of pushers.flatMap(({ notes }) => notes.keys().map((key) => [key, notes.held(key)] as const))) {
      const [kind, repository = '', name = ''] = key[0].split(' ');
      const state = states.get(repository);
      const held = { tag: state?.tags.get(name), manifest: there(state?.manifests, name), blob: there(state?.blobs, name) };
      expect(held[kind as keyof typeof held], key[0]).to.equal(key[1]);
    }
    for (const { told } of rivals)
      for (const [digest, held] of told)
        expect(states.get(CONTESTED)?.manifests.has(digest), `${CONTESTED}@${digest}`).to.equal(held);
  });

  it('has views that agree with a log that is read anew', () => expectStoredViewsAgree(config()));

  after(() => {
    const counts = [...seen.statuses()].map(([status, count]) => `${count} × ${status}`);
    if (counts.length > 0)
      process.stdout.write(`      clients saw ${counts.join(', ')}; the slowest answer came to ${seen.slowest()}\n`);
  });
});
