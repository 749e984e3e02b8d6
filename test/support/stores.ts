import { randomBytes } from 'node:crypto';
import { nanoid } from 'nanoid';
import { type EventStore, startEventStore } from './eventstore/eventstore.ts';
import { mongoForTests } from './mongo/mongoForTests.ts';
import type { Environment } from './processes.ts';

/** Where log and views are: `GHOSTDOCK_TEST_STORES` names one of these for the suites that run on any of them. */
export const COMBINATIONS = ['embedded', 'eventstore', 'mongo', 'eventstore+mongo'] as const;
export type Combination = (typeof COMBINATIONS)[number];

const isCombination = (text: string): text is Combination => (COMBINATIONS as readonly string[]).includes(text);

export const chosenStores = (): Combination => {
  const text = process.env.GHOSTDOCK_TEST_STORES ?? 'embedded';
  if (!isCombination(text)) throw new Error(`GHOSTDOCK_TEST_STORES must be one of ${COMBINATIONS.join(', ')}.`);
  return text;
};

/** Settings of a registry of its own on these stores, and how to remove what it left in them. */
export type TestStores = Readonly<{ env: Environment; drop: () => Promise<void> }>;

const KEY = randomBytes(32).toString('base64');

let shared: Promise<EventStore> | undefined;

/** Ends the servers that this process has started for its suites. Who needs one after that gets another. */
export const stopSharedStores = async (): Promise<void> => {
  const ending = shared;
  shared = undefined;
  await (await ending)?.dispose();
};

/** A server of all suites of this process, or the one that `GHOSTDOCK_TEST_EVENTSTORE=esdb://…` names. */
const eventStoreUrl = async (): Promise<string> => {
  const given = process.env.GHOSTDOCK_TEST_EVENTSTORE;
  if (given !== undefined) return given;
  shared ??= startEventStore();
  return (await shared).url;
};

const logOnServer = async (): Promise<Environment> => ({
  GHOSTDOCK_EVENT_LOG: await eventStoreUrl(),
  GHOSTDOCK_STREAM_PREFIX: `test-${nanoid(10)
    .toLowerCase()
    .replace(/[^a-z0-9]/g, '0')}`,
});

export const storesForTests = async (combination: Combination = chosenStores()): Promise<TestStores> => {
  const log = combination.startsWith('eventstore') ? await logOnServer() : {};
  if (!combination.endsWith('mongo')) return { env: log, drop: async () => undefined };
  const { url, drop } = await (await mongoForTests()).database();
  return { env: { ...log, GHOSTDOCK_VIEWS: url, GHOSTDOCK_SECRET_KEY: KEY }, drop };
};
