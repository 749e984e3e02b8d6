import { randomBytes } from 'node:crypto';
import { type Config, readConfig } from '../../src/config.ts';
import { basic, type HttpClient, httpClient } from '../support/http.ts';
import { mongoForTests } from '../support/mongo/mongoForTests.ts';
import { type Servers, startServers } from '../support/outages.ts';
import { type Environment, scratchFolder, waitUntil } from '../support/processes.ts';
import { ADMIN, PASSWORD, type RegistryProcess, startRegistry } from '../support/registryProcess.ts';
import { requires } from '../support/reporter.ts';

/** A registry whose log is in EventStoreDB and whose views are in MongoDB, on servers that may be treated badly. */
export type RegistryOnServers = Readonly<{
  servers: () => Servers;
  /** The process that runs now. */
  registry: () => RegistryProcess;
  /** Starts a process on these servers, which becomes the one that runs now. */
  start: () => Promise<RegistryProcess>;
  /** The administrator. */
  admin: () => HttpClient;
  config: () => Config & Readonly<{ eventLog: string; views: string }>;
}>;

const mongo = await mongoForTests();
const KEY = randomBytes(32).toString('base64');

/** For the suite whose `describe` callback calls it, which is skipped where there are no such servers. */
export const registryOnServers = (suite: Mocha.Suite): RegistryOnServers => {
  requires(suite, mongo.notOurs === undefined, mongo.notOurs ?? '');
  const given = process.env.GHOSTDOCK_TEST_EVENTSTORE;
  requires(suite, given === undefined, 'the server of GHOSTDOCK_TEST_EVENTSTORE is not ours to kill');

  let servers: Servers | undefined;
  let registry: RegistryProcess | undefined;
  let clients: HttpClient[] = [];
  let folder: ReturnType<typeof scratchFolder> | undefined;

  const current = <T>(one: T | undefined): T => {
    if (one === undefined) throw new Error('The registry runs only while the tests of its suite do.');
    return one;
  };
  const env = (): Environment & Servers['env'] => ({ ...current(servers).env, GHOSTDOCK_SECRET_KEY: KEY });
  const start = async (): Promise<RegistryProcess> => {
    registry = await startRegistry({ env: env(), dataDir: `${current(folder).path}/data` });
    return registry;
  };

  before(async () => {
    folder = scratchFolder();
    servers = await startServers();
    await start();
  });
  afterEach(() => {
    for (const client of clients) client.close();
    clients = [];
  });
  after(async () => {
    await registry?.dispose();
    await servers?.dispose();
    folder?.remove();
  });

  return {
    servers: () => current(servers),
    registry: () => current(registry),
    start,
    admin: () => {
      const client = httpClient(current(registry).url, { authorization: basic(ADMIN, PASSWORD) });
      clients.push(client);
      return client;
    },
    config: () => {
      const { GHOSTDOCK_EVENT_LOG: eventLog, GHOSTDOCK_VIEWS: views } = env();
      return { ...readConfig(env()), eventLog, views };
    },
  };
};

/** What the registry says of itself, with the status of its answer. */
export type Health = Readonly<{ code: number; status: string; database: string; problems?: readonly string[] }>;

export const healthOf = async (client: HttpClient): Promise<Health> => {
  const { status, body } = await client.send('GET', '/health');
  return { ...(JSON.parse(body.toString()) as Omit<Health, 'code'>), code: status };
};

/** Waits until a registry says that all is well, without anybody's help. */
export const healthyAgain = (client: HttpClient): Promise<unknown> =>
  waitUntil('all is well again', async () => (await healthOf(client)).status === 'healthy');
