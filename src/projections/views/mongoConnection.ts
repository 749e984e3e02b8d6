import { type Db, MongoClient, MongoError, MongoInvalidArgumentError } from 'mongodb';
import { RegistryError } from '../../errors.ts';

/** One client for the whole process; it connects when it is first needed, and again whenever that is necessary. */
export type MongoConnection = Readonly<{
  /** The URL's database, or another one of the same server. */
  db: (name?: string) => Db;
  databaseName: string;
  close: () => Promise<void>;
}>;

/** What a URL without a database means. */
const DATABASE = 'ghostdock';
const PATH = /^mongodb(?:\+srv)?:\/\/[^/]+\/([^?]+)/;

// Nothing hangs: a command has its answer after a few seconds or has failed, also on a server that is frozen. These stand over
// what a URL says, as does how reads and writes are made: what was read or acknowledged is never rolled back by a failover.
const OPTIONS = {
  writeConcern: { w: 'majority', journal: true },
  readConcern: { level: 'majority' },
  readPreference: 'primary',
  serverSelectionTimeoutMS: 2000,
  connectTimeoutMS: 2000,
  socketTimeoutMS: 4000,
  waitQueueTimeoutMS: 2000,
  heartbeatFrequencyMS: 1000,
  maxPoolSize: 50,
} as const;

/** Where the driver cannot retry a write, on a server that is no replica set, it knows so itself. @throws where the URL is none */
export const mongoConnection = (url: string, { appName }: Readonly<{ appName: string }>): MongoConnection => {
  const client = new MongoClient(url, { ...OPTIONS, appName });
  const databaseName = decodeURIComponent(PATH.exec(url)?.[1] ?? DATABASE);
  return { db: (name = databaseName) => client.db(name), databaseName, close: () => client.close() };
};

// The driver passes some errors of a socket on as they are, such as that of one that broke while it was idle.
const SOCKET = /^(?:E[A-Z]+|ERR_(?:STREAM|SOCKET)_.*)$/;

const isBroken = (error: unknown): boolean => {
  if (error instanceof MongoError) return !(error instanceof MongoInvalidArgumentError);
  return error instanceof Error && 'code' in error && SOCKET.test(String(error.code));
};

/** Whatever the server or the way to it did not do becomes UNAVAILABLE; our own mistakes stay what they are. */
export const reaching = async <T>(work: () => Promise<T>): Promise<T> => {
  try {
    return await work();
  } catch (cause) {
    if (!isBroken(cause)) throw cause;
    throw new RegistryError('UNAVAILABLE', 'The store of the views does not answer. Try again in a moment.', {}, { cause });
  }
};
