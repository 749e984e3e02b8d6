import { type Db, MongoClient } from 'mongodb';
import type { EventLog } from '../../src/events/log/log.ts';
import { openLog } from '../../src/stores.ts';
import { basic, type HttpClient, httpClient } from './http.ts';
import { type Environment, scratchFolder } from './processes.ts';
import { ADMIN, PASSWORD, type RegistryOptions, type RegistryProcess, startRegistry } from './registryProcess.ts';
import { stopSharedStores, storesForTests } from './stores.ts';

/** Who feeds a build of views, as the lease in the store has it. */
export type Feeder = Readonly<{ build: string; pid: number; beat: number }>;

export type NodeOptions = Pick<RegistryOptions, 'env' | 'main'>;

/** Several registries on one log, one store of views and secrets and one folder of blobs, with one key. */
export type Nodes = Readonly<{
  /** The settings that they share. */
  env: Environment;
  dataDir: string;
  /** Their places are in the order of `add`; a node keeps its place when it is started again. */
  node: (place: number) => RegistryProcess;
  all: () => readonly RegistryProcess[];
  add: (options?: NodeOptions) => Promise<RegistryProcess>;
  /** Another process in the same place and on the same port, once the last one has ended. */
  restart: (place: number) => Promise<RegistryProcess>;
  /** The administrator at a node, wherever that process is by now. */
  admin: (place: number, password?: string) => HttpClient;
  /** Who feeds the builds in use of a group. */
  feeders: (group: string) => Promise<readonly Feeder[]>;
  /** Their log, on a connection of its own. The caller closes it. */
  openLog: () => Promise<EventLog>;
  /** The database of their views. */
  db: () => Db;
  /** Kills them, and removes what they left. For `after` hooks; harmless when repeated. */
  dispose: () => Promise<void>;
}>;

after(stopSharedStores);

type LeaseRow = Readonly<{ _id: string; holder: string; beat: number }>;

/** Nodes say in their leases on which host and in which process they are. */
const feederOf = ({ _id, holder, beat }: LeaseRow): Feeder => ({ build: _id, pid: Number(holder.split(':')[1]), beat });

export const startNodes = async (count: number, options: NodeOptions = {}): Promise<Nodes> => {
  const { env, drop } = await storesForTests('eventstore+mongo');
  const folder = scratchFolder();
  const mongo = new MongoClient(String(env.GHOSTDOCK_VIEWS));
  const running: RegistryProcess[] = [];
  const clients: HttpClient[] = [];
  const dataDir = `${folder.path}/data`;

  const add = async (more: NodeOptions = {}): Promise<RegistryProcess> => {
    const node = await startRegistry({ ...options, ...more, dataDir, env: { ...env, ...options.env, ...more.env } });
    running.push(node);
    return node;
  };
  const node = (place: number): RegistryProcess => {
    const found = running[place];
    if (found === undefined) throw new Error(`There is no node ${place}.`);
    return found;
  };
  const dispose = async (): Promise<void> => {
    for (const client of clients) client.close();
    await Promise.all(running.splice(0).map((one) => one.kill()));
    await mongo.close();
    folder.remove();
    await drop();
  };

  try {
    // One after the other: the first start of several at once is a test of its own.
    for (let started = 0; started < count; started += 1) await add();
  } catch (error) {
    await dispose();
    throw error;
  }
  return {
    env,
    dataDir,
    node,
    all: () => running,
    add,
    restart: async (place) => {
      running[place] = await node(place).restart();
      return node(place);
    },
    admin: (place, password = PASSWORD) => {
      const client = httpClient(node(place).url, { authorization: basic(ADMIN, password) });
      clients.push(client);
      return client;
    },
    feeders: async (group) => {
      const rows = await mongo
        .db()
        .collection<LeaseRow>('leases')
        .find({ _id: new RegExp(`^${group}-`) as unknown as string })
        .toArray();
      return rows.map(feederOf);
    },
    openLog: () => openLog({ url: String(env.GHOSTDOCK_EVENT_LOG), prefix: String(env.GHOSTDOCK_STREAM_PREFIX) }),
    db: () => mongo.db(),
    dispose,
  };
};

/** Nodes for the suite whose `describe` callback calls it: started before its tests, gone after them. */
export const nodesFor = (count: number, options: NodeOptions = {}): (() => Nodes) => {
  let nodes: Nodes | undefined;
  before(async () => {
    nodes = await startNodes(count, options);
  });
  after(() => nodes?.dispose());
  return () => {
    if (nodes === undefined) throw new Error('The nodes run only while the tests of their suite do.');
    return nodes;
  };
};
