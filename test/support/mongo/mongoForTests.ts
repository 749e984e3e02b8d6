import { MongoClient } from 'mongodb';
import { nanoid } from 'nanoid';
import { waitUntil } from '../processes.ts';
import { findProgram } from './programs.ts';
import { type MongoServer, startMongo } from './server.ts';

/**
 * Which MongoDB server the tests have, looked for in this order: the one that `GHOSTDOCK_TEST_MONGODB=mongodb://…` names, a `mongod` on
 * the PATH, mongo-java-server (`scripts/installMongo.sh`).
 */
export type TestMongo = Readonly<{
  /** What the suites run against, for their titles. */
  name: string;
  /** Why there is no server at all, for `requires`. */
  missing: string | undefined;
  /** Why there is none that may be killed. */
  notOurs: string | undefined;
  /** Whether it can say how a query was answered. */
  explains: boolean;
  /** A new database on a server that all suites of this process share. */
  database: () => Promise<TestDatabase>;
  /** A server of the caller's own. */
  start: () => Promise<MongoServer>;
}>;

/** `drop` removes it, and those whose names begin with its own. */
export type TestDatabase = Readonly<{ url: string; drop: () => Promise<void> }>;

const GIVEN = process.env.GHOSTDOCK_TEST_MONGODB;

let shared: Promise<MongoServer> | undefined;

const serverUrl = async (): Promise<string> => {
  if (GIVEN !== undefined) return GIVEN;
  shared ??= startMongo();
  return (await shared).url;
};

const databaseOn = async (): Promise<TestDatabase> => {
  const url = new URL(await serverUrl());
  url.pathname = `/ghostdock-test-${nanoid(10)}`;
  const drop = async (): Promise<void> => {
    const client = new MongoClient(url.href);
    const dropAll = async (): Promise<true> => {
      const { databases } = await client.db().admin().listDatabases({ nameOnly: true });
      for (const { name } of databases) if (name.startsWith(url.pathname.slice(1))) await client.db(name).dropDatabase();
      return true;
    };
    try {
      // What a killed process has sent may still be written, which keeps some servers from dropping it.
      await waitUntil('the database is dropped', dropAll);
    } finally {
      await client.close();
    }
  };
  return { url: url.href, drop };
};

/** Fetches the server where it can be had and is not there yet; starts nothing. */
export const mongoForTests = async (): Promise<TestMongo> => {
  const program = GIVEN === undefined ? await findProgram() : undefined;
  const missing = typeof program === 'string' ? program : undefined;
  const given = program === undefined ? 'the server of GHOSTDOCK_TEST_MONGODB is not ours to kill' : undefined;
  return {
    name: typeof program === 'object' ? program.name : 'GHOSTDOCK_TEST_MONGODB',
    missing,
    notOurs: missing ?? given,
    explains: typeof program === 'object' ? program.explains : true,
    database: databaseOn,
    start: startMongo,
  };
};
