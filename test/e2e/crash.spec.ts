import { expect } from 'chai';
import { basic, type HttpClient, httpClient, tagsOf } from '../support/http.ts';
import { seeded } from '../support/images.ts';
import { ADMIN, PASSWORD, registryFor } from '../support/registryProcess.ts';
import { pusher } from './pusher.ts';
import { corruptBlobs, expectGapless, expectViewsAgree, factsIn, statesOf } from './stopped.ts';
import { halfVisible, looking } from './visible.ts';

const SEED = Number(process.env.GHOSTDOCK_TEST_SEED ?? Date.now() % 1_000_000);
const ROUNDS = Number(process.env.GHOSTDOCK_TEST_CRASHES ?? 12);
const CLIENTS = 6;
const REPOSITORIES = ['crash/first', 'crash/second'];
/** Most answers of a round before the end comes. */
const MOST_ANSWERS = 250;
/** And how many ms after such an answer, at most. */
const LATER = 12;
/** In how many rounds the views are being built anew when the end comes. */
const REBUILDS = 0.3;
/** Of what was told in earlier rounds, looked at in each. */
const SAMPLE = 60;

const inByteOrder = (one: string, other: string): number => (one < other ? -1 : 1);

/** The same client, which says when an answer has come. */
const counting = (client: HttpClient, onAnswer: () => void): HttpClient => ({
  ...client,
  send: async (...request) => {
    const answer = await client.send(...request);
    onAnswer();
    return answer;
  },
});

describe(`A registry that is killed in the middle of pushes (seed ${SEED}; GHOSTDOCK_TEST_SEED repeats it)`, function () {
  this.timeout(300_000);
  const random = seeded(SEED);
  const pushers = Array.from({ length: CLIENTS }, (_, index) =>
    pusher({ name: `client${index}`, repositories: REPOSITORIES, random: seeded(SEED + 1 + index) }),
  );
  const found = { broken: [] as string[], half: [] as string[], uploads: [] as string[], listed: [] as string[] };
  const registry = registryFor();

  const admin = (): HttpClient => httpClient(registry.current().url, { authorization: basic(ADMIN, PASSWORD), connections: 24 });

  /** All push at once until the registry is killed, a moment after some answer. Only that may break a request off. */
  const pushUntilKilled = async (): Promise<void> => {
    let left = 1 + Math.floor(random() ** 2 * MOST_ANSWERS);
    const later = random() * LATER;
    const client = admin();
    let killed: Promise<unknown> | undefined;
    const kill = (): void => {
      killed ??= registry.current().kill();
    };
    const onAnswer = (): void => {
      left -= 1;
      if (left === 0) setTimeout(kill, later);
    };
    if (random() < REBUILDS) process.kill(registry.current().pid, 'SIGUSR2'); // all views are built anew meanwhile
    const work = pushers.map(({ work }) =>
      work(counting(client, onAnswer)).catch((error: unknown) => {
        if (killed !== undefined) return;
        kill();
        throw error;
      }),
    );
    const results = await Promise.allSettled(work);
    await killed;
    client.close();
    for (const result of results) if (result.status === 'rejected') throw result.reason;
  };

  const sampleOf = (keys: readonly string[]): readonly string[] =>
    keys.length <= SAMPLE ? keys : Array.from({ length: SAMPLE }, () => keys[Math.floor(random() * keys.length)] ?? '');

  const checkListings = async (client: HttpClient): Promise<void> => {
    for (const repository of REPOSITORIES) {
      const prefix = `tag ${repository} `;
      const told = pushers.flatMap(({ notes }) => notes.keys().filter((key) => key.startsWith(prefix) && notes.held(key)));
      if (told.length === 0) continue; // it may not exist yet
      const expected = told.map((key) => key.slice(prefix.length)).sort(inByteOrder);
      const tags = await tagsOf(client, repository);
      if (tags.join() !== expected.join()) found.listed.push(`${repository}: told ${expected}, lists ${tags}`);
    }
  };

  const check = async (sample: (keys: readonly string[]) => readonly string[]): Promise<void> => {
    const client = admin();
    try {
      for (const { notes } of pushers) found.broken.push(...(await notes.check(looking(client), sample)));
      found.half.push(...(await halfVisible(client)));
      await checkListings(client);
      const wrong = await Promise.all(pushers.map(({ resume }) => resume(client)));
      found.uploads.push(...wrong.flat());
    } finally {
      client.close();
    }
  };

  it(`starts again by itself, ${ROUNDS} times on the same folder`, async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      await pushUntilKilled();
      await registry.restart();
      await check(sampleOf);
    }
    await check((keys) => keys); // everything that was ever told, and the uploads that went on
    const told = pushers.reduce((sum, { notes }) => sum + notes.keys().length, 0);
    expect(told, 'things that clients were told about').to.be.greaterThan(ROUNDS * CLIENTS);
  });

  it('has kept everything that it had answered with 2xx', () => expect(found.broken).to.deep.equal([]));

  it('never shows anything half: each tag has its manifest, each manifest its blobs', () => expect(found.half).to.deep.equal([]));

  it('lists the tags that were pushed and not deleted, and no others', () => expect(found.listed).to.deep.equal([]));

  it('goes on with unfinished uploads from where it says that they stand', () => expect(found.uploads).to.deep.equal([]));

  it('has a gapless history that says what the clients were told', async () => {
    expect((await registry.current().stop()).code).to.equal(0);
    const facts = await factsIn(registry.current().dataDir);
    expectGapless(facts);
    const states = statesOf(facts);
    for (const key of pushers.flatMap(({ notes }) => notes.keys().map((key) => [key, notes.held(key)] as const))) {
      const [kind, repository = '', name = ''] = key[0].split(' ');
      const state = states.get(repository);
      const held = { tag: state?.tags.get(name), manifest: present(state?.manifests, name), blob: present(state?.blobs, name) };
      expect(held[kind as keyof typeof held], key[0]).to.equal(key[1]);
    }
  });

  it('has views that agree with the log', () => expectViewsAgree(registry.current().dataDir));

  it('has no stored blob whose bytes are not those of its digest', async () => {
    expect(await corruptBlobs(registry.current().dataDir)).to.deep.equal([]);
  });
});

const present = (set: ReadonlySet<string> | undefined, digest: string): string | undefined =>
  set?.has(digest) ? digest : undefined;
