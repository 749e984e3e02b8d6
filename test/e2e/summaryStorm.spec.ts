import { expect } from 'chai';
import { readConfig } from '../../src/config.ts';
import type { Position, Recorded } from '../../src/events/event.ts';
import { basic, expectStatus, type HttpClient, httpClient } from '../support/http.ts';
import { seeded } from '../support/images.ts';
import { mongoForTests } from '../support/mongo/mongoForTests.ts';
import { nodesFor } from '../support/nodes.ts';
import { stocktaking } from '../support/recount.ts';
import { ADMIN, PASSWORD, registryFor } from '../support/registryProcess.ts';
import { requires } from '../support/reporter.ts';
import { KINDS, restless } from './restless.ts';
import { expectGapless, factsIn } from './stopped.ts';
import { factsOnServer } from './stored.ts';

const mongo = await mongoForTests();

const SEED = Number(process.env.GHOSTDOCK_TEST_SEED ?? Date.now() % 1_000_000);
const CLIENTS = 6;
/** What a tag has moved away from counts at once, so that it is in every summary. */
const env = { GHOSTDOCK_RETAIN_UNTAGGED: '0', GHOSTDOCK_API_REQUESTS_PER_HOUR: '0', GHOSTDOCK_API_REQUESTS_PER_MINUTE: '0' };
const FAR_AHEAD = '9999';

type Polled = Readonly<{ position: Position; counters: Readonly<Record<string, number>> }>;

const poll = async (client: HttpClient): Promise<Polled> => {
  const { body } = expectStatus('state', await client.send('GET', '/api/registry/state?limit=0'), 200);
  const { summary, storage } = JSON.parse(body.toString()) as {
    summary: Record<string, number> & { position: Position };
    storage: Record<string, number>;
  };
  const { position, ...counters } = summary;
  const { totalBytes = -1, uniqueBytes = -1, uniqueBlobs = -1 } = storage;
  return { position, counters: { ...counters, totalBytes, uniqueBytes, uniqueBlobs } };
};

/** What the log says up to each of these positions, in the words of the monitoring API. */
const recounted = (facts: readonly Recorded[], positions: readonly Position[]): ReadonlyMap<Position, Polled['counters']> => {
  const stock = stocktaking();
  const found = new Map<Position, Polled['counters']>();
  let next = 0;
  for (const position of [...new Set(positions)].sort((a, b) => (a < b ? -1 : 1))) {
    for (let fact = facts[next]; fact !== undefined && fact.position <= position; fact = facts[next]) {
      stock.take(fact);
      next += 1;
    }
    const { repositories, totalManifests, blobs, unreferencedBlobs, unreferencedBytes, orphanedManifests, ...more } =
      stock.counters(FAR_AHEAD);
    found.set(position, {
      ...{ totalRepositories: repositories, totalManifests, totalBlobs: blobs, unreferencedBlobs, orphanedManifests },
      ...{
        estimatedSpaceToFree: unreferencedBytes,
        totalBytes: more.logicalBytes,
        uniqueBytes: more.uniqueBytes,
        uniqueBlobs: blobs,
        recoverableBlobs: more.recoverableBlobs,
        recoverableBytes: more.recoverableBytes,
      },
    });
  }
  return found;
};

const hasOrphans = ({ counters }: Polled): boolean => Number(counters.orphanedManifests) > 0;
/** Positions that summaries have reported. */
const seenIn = (polled: readonly Polled[]): number => new Set(polled.map(({ position }) => position)).size;

/**
 * Works and polls until everything that can be done was done, and summaries of so many positions were seen.
 * @returns every summary, the last one of each client after everything else
 */
const storm = async (
  clients: readonly HttpClient[],
  pollers: readonly HttpClient[],
  positions: number,
): Promise<readonly Polled[]> => {
  let over = false;
  const all = clients.map((client, n) => restless(client, seeded(SEED + n)));
  const polled: Polled[] = [];
  const did = (kind: string): number => all.reduce((sum, { done }) => sum + (done.get(kind) ?? 0), 0);
  const polling = pollers.map(async (client) => {
    while (!over) {
      polled.push(await poll(client));
      if (KINDS.every((kind) => did(kind) > 0) && seenIn(polled) >= positions && polled.some(hasOrphans)) over = true;
    }
  });
  const working = all.map(({ work }) => work(() => over));
  await Promise.all([...working, ...polling]).finally(() => {
    over = true;
  });
  for (const client of pollers) polled.push(await poll(client));
  expect(all.flatMap(({ failures }) => failures)).to.deep.equal([]);
  return polled;
};

const expectExact = (polled: readonly Polled[], facts: readonly Recorded[]): void => {
  const positions = polled.map(({ position }) => position);
  const expected = recounted(facts, positions);
  for (const { position, counters } of polled) expect(counters, `at ${position}`).to.deep.equal(expected.get(position));
};

describe(`The summary of a registry during a storm of pushes and deletes (seed ${SEED}; GHOSTDOCK_TEST_SEED repeats it)`, function () {
  this.timeout(180_000);
  const registry = registryFor({ env });
  let polled: readonly Polled[] = [];

  it('is polled all the while', async () => {
    const admin = httpClient(registry.current().url, { authorization: basic(ADMIN, PASSWORD) });
    polled = await storm(
      Array.from({ length: CLIENTS }, () => admin),
      [admin],
      60,
    );
    admin.close();
  });

  it('always equals a recount of the log up to the position that it reports', async () => {
    expect((await registry.current().stop()).code).to.equal(0);
    const facts = await factsIn(registry.current().dataDir);
    expectGapless(facts);
    expectExact(polled, facts);
  });
});

describe(`The same with two nodes on EventStoreDB and MongoDB (seed ${SEED})`, function () {
  requires(this, mongo.missing === undefined, mongo.missing ?? '');
  this.timeout(180_000);
  const nodes = nodesFor(2, { env });
  let polled: readonly Polled[] = [];

  it('is polled all the while, at both', async () => {
    const admins = [nodes().admin(0), nodes().admin(1)];
    polled = await storm(
      Array.from({ length: 4 }, (_, n) => admins[n % 2] as HttpClient),
      admins,
      10,
    );
  });

  it('always equals a recount of the log up to the position that it reports', async () => {
    const { eventLog = '', views = '', ...rest } = readConfig({ ...nodes().env, GHOSTDOCK_DATA_DIR: nodes().dataDir });
    expectExact(polled, await factsOnServer({ ...rest, eventLog, views }));
  });
});
