import { setTimeout as pause } from 'node:timers/promises';
import { type EventStore, startEventStore } from './eventstore/eventstore.ts';
import { type MongoServer, startMongo } from './mongo/server.ts';

/** How a server is away: its process is gone, or stands still with its connections open. */
export const MANNERS = ['killed', 'frozen'] as const;
export type Manner = (typeof MANNERS)[number];

/** A server that a registry needs, and the ways in which it goes away and comes back. */
export type Server = Pick<EventStore & MongoServer, 'kill' | 'restart' | 'freeze' | 'thaw'>;

export type Servers = Readonly<{
  log: Server;
  views: Server;
  /** Settings of a registry on them. */
  env: Readonly<Record<'GHOSTDOCK_EVENT_LOG' | 'GHOSTDOCK_VIEWS', string>>;
  dispose: () => Promise<void>;
}>;

/** Servers of both kinds, with nobody else on them. */
export const startServers = async (): Promise<Servers> => {
  const views = await startMongo();
  let log: EventStore;
  try {
    log = await startEventStore();
  } catch (error) {
    await views.dispose();
    throw error;
  }
  return {
    log,
    views,
    env: { GHOSTDOCK_EVENT_LOG: log.url, GHOSTDOCK_VIEWS: views.url },
    dispose: async () => {
      await Promise.all([log.dispose(), views.dispose()]);
    },
  };
};

export const goAway = async (server: Server, manner: Manner): Promise<void> => {
  if (manner === 'killed') await server.kill();
  else server.freeze();
};

export const comeBack = async (server: Server, manner: Manner): Promise<void> => {
  if (manner === 'killed') await server.restart();
  else server.thaw();
};

/** One server away for a while, after a while in which all is well, and `laterMs` after a change was begun. In ms. */
export type Outage = Readonly<{ server: Server; manner: Manner; calmMs: number; laterMs: number; awayMs: number }>;

const LONG_EVERY = 7;
const [SHORTEST_LONG, LONGEST_LONG] = [8000, 10_000];
const [SHORTEST, LONGEST] = [100, 900];
const [LEAST_CALM, MOST_CALM] = [50, 1200];
/** By then a change is in the log and in the views, mostly. */
const LATEST = 150;

/**
 * At random moments, each server in each manner equally often. Most are over before anybody's patience is; one in seven, of all kinds
 * in turn, lasts longer than the registry's.
 */
export const outagesOf = ({ log, views }: Servers, count: number, random: () => number): readonly Outage[] => {
  const between = (least: number, most: number): number => least + random() * (most - least);
  const kinds = MANNERS.flatMap((manner) => [log, views].map((server) => ({ server, manner })));
  const first = Math.floor(random() * kinds.length);
  return Array.from({ length: count }, (_, round) => {
    const kind = kinds[(first + round) % kinds.length] ?? { server: log, manner: 'killed' };
    const isLong = round % LONG_EVERY === LONG_EVERY - 1;
    const awayMs = isLong ? between(SHORTEST_LONG, LONGEST_LONG) : between(SHORTEST, LONGEST);
    return { ...kind, calmMs: between(LEAST_CALM, MOST_CALM), laterMs: LATEST * random() ** 2, awayMs };
  });
};

/** @param nextChange resolves when somebody begins to change something */
export const happen = async (outage: Outage, nextChange: () => Promise<void>): Promise<void> => {
  const { server, manner, calmMs, laterMs, awayMs } = outage;
  await pause(calmMs);
  await nextChange();
  await pause(laterMs);
  await goAway(server, manner);
  await pause(awayMs);
  await comeBack(server, manner);
};
