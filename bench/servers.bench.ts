import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { catalogue } from '../src/events/catalogue.ts';
import { ORIGIN } from '../src/events/event.ts';
import { eventstoreEventLog } from '../src/events/log/eventstore.ts';
import type { EventLog } from '../src/events/log/log.ts';
import { sqliteEventLog } from '../src/events/log/sqlite.ts';
import type { Generation } from '../src/projections/generation.ts';
import { serving } from '../src/projections/groups.ts';
import type { Seen } from '../src/projections/projection.ts';
import { mongoConnection } from '../src/projections/views/mongoConnection.ts';
import { mongoGeneration } from '../src/projections/views/mongoGeneration.ts';
import { mongoLeases } from '../src/projections/views/mongoLeases.ts';
import { sqliteGeneration } from '../src/projections/views/sqliteGeneration.ts';
import { startEventStore } from '../test/support/eventstore/eventstore.ts';
import { pushes } from '../test/support/histories.ts';
import { basic, bearer, httpClient, pushImage } from '../test/support/http.ts';
import { OCI_MANIFEST, randomImage } from '../test/support/images.ts';
import { mongoForTests } from '../test/support/mongo/mongoForTests.ts';
import { type Environment, installed, scratchFolder } from '../test/support/processes.ts';
import { ADMIN, PASSWORD, startRegistry } from '../test/support/registryProcess.ts';
import { type Combination, stopSharedStores, storesForTests } from '../test/support/stores.ts';
import { appendRate } from './appending.ts';
import { type Figure, median, rounded } from './figures.ts';
import { CONNECTIONS, wrk } from './wrk.ts';

const EVENTS = 20_000;
const REPOSITORIES = 500;
const APPENDERS = 100;
const ROUNDS = 3;
const PREFIX = 'registry';

type Pair = Readonly<{ servers: number; embedded: number }>;

const eventsPerSecond = ({ servers, embedded }: Pair): string =>
  `${rounded(servers)} events/s (embedded ${rounded(embedded)} events/s)`;

const fill = async (log: EventLog): Promise<void> => {
  let waiting: Promise<unknown>[] = [];
  for (const { stream, expected, events } of pushes(EVENTS, REPOSITORIES)) {
    waiting.push(log.append(stream, expected, events));
    // Fewer than repositories, each of which has one append at a time.
    if (waiting.length < REPOSITORIES / 2) continue;
    await Promise.all(waiting);
    waiting = [];
  }
  await Promise.all(waiting);
};

const followRate = async (log: EventLog): Promise<number> => {
  const begun = performance.now();
  let events = 0;
  for await (const batch of log.follow(ORIGIN, { limit: 500 })) {
    events += batch.length;
    if (events >= EVENTS) break;
  }
  return (events / (performance.now() - begun)) * 1000;
};

const buildRate = async (open: () => Generation): Promise<number> => {
  const begun = performance.now();
  const generation = open();
  await generation.ready;
  const seconds = (performance.now() - begun) / 1000;
  await generation.stop();
  return EVENTS / seconds;
};

const prepare = async (events: readonly unknown[]): Promise<readonly Seen[]> =>
  events.map((event) => catalogue.upcast(event as Seen) as Seen);
const onError = (error: unknown): void => console.error(error);

const logFigures = async (): Promise<readonly Figure[]> => {
  const server = await startEventStore();
  const { path, remove } = scratchFolder();
  const servers = await eventstoreEventLog(server.url, { prefix: 'bench' });
  const embedded = await sqliteEventLog(join(path, 'appends.db'));
  const filled = await eventstoreEventLog(server.url, { prefix: PREFIX });
  const filledFile = await sqliteEventLog(join(path, 'facts.db'));
  try {
    const appends = { servers: await appendRate(servers, APPENDERS), embedded: await appendRate(embedded, APPENDERS) };
    for (const log of [filled, filledFile]) await fill(log);
    const follows = { servers: await followRate(filled), embedded: await followRate(filledFile) };
    const figures = [
      { question: `log on a server: appends, ${APPENDERS} at a time`, figure: eventsPerSecond(appends) },
      { question: 'log on a server: following from the start', figure: eventsPerSecond(follows) },
    ];
    return [...figures, ...(await rebuildFigures(filledFile))];
  } finally {
    for (const log of [servers, embedded, filled, filledFile]) await log.close();
    await server.dispose();
    remove();
  }
};

/** Both fed by the projector, from the same embedded log: what differs is where the documents go. */
const rebuildFigures = async (log: EventLog): Promise<readonly Figure[]> => {
  const mongo = await mongoForTests();
  if (mongo.missing !== undefined) return [];
  const { url, drop } = await mongo.database();
  const { path, remove } = scratchFolder();
  const connection = mongoConnection(url, { appName: 'bench' });
  const db = connection.db();
  const options = { group: serving, log, prepare, onError };
  const rate = {
    servers: await buildRate(() => mongoGeneration({ ...options, db, leases: mongoLeases(db), node: 'bench' })),
    embedded: await buildRate(() => sqliteGeneration({ ...options, folder: path })),
  };
  await drop();
  await connection.close();
  remove();
  return [{ question: `views on a server (${mongo.name}): projecting from the start`, figure: eventsPerSecond(rate) }];
};

/** @returns requests a second, the median of some rounds */
const manifestRate = async (env: Environment): Promise<number> => {
  const registry = await startRegistry({ env });
  const client = httpClient(registry.url);
  const authorization = (await bearer(client, basic(ADMIN, PASSWORD), 'repository:bench/image:pull,push')) ?? '';
  await pushImage(client.as(authorization), 'bench/image', 'latest', randomImage('bench'));
  client.close();
  const rates: number[] = [];
  for (let round = 0; round < ROUNDS; round++)
    rates.push(await wrk(`${registry.url}/v2/bench/image/manifests/latest`, { accept: OCI_MANIFEST, authorization }));
  await registry.dispose();
  return median(rates);
};

const manifestFigure = async (combination: Combination, embedded: number): Promise<Figure> => {
  const { env, drop } = await storesForTests(combination);
  const servers = await manifestRate(env);
  await drop();
  const figure = `${rounded(servers)} /s (embedded ${rounded(embedded)} /s)`;
  return { question: `stores ${combination}: GET of a manifest by tag, ${CONNECTIONS} connections`, figure };
};

/**
 * What do the stores on servers cost, beside the embedded ones in the same run? Where nothing else is named by
 * GHOSTDOCK_TEST_EVENTSTORE and GHOSTDOCK_TEST_MONGODB, the servers are those of the test suites: on this machine, and slower than
 * the real ones.
 */
export const run = async (): Promise<readonly Figure[]> => {
  const figures = [...(await logFigures())];
  const mongo = await mongoForTests();
  if (installed('wrk') && mongo.missing === undefined) {
    const embedded = await manifestRate({});
    for (const combination of ['eventstore', 'eventstore+mongo'] as const)
      figures.push(await manifestFigure(combination, embedded));
  }
  await stopSharedStores();
  return figures;
};

if (import.meta.main) {
  console.table(await run());
  process.exit();
}
