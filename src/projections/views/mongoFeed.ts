import type { Db } from 'mongodb';
import type { Position } from '../../events/event.ts';
import type { EventLog } from '../../events/log/log.ts';
import type { Group } from '../projection.ts';
import { type Projector, type ProjectorOptions, type ProjectorStatus, startProjector } from '../runner.ts';
import { competeFor, LeaseLost, type LeaseOptions, type Leases } from './lease.ts';
import { type MongoViews, mongoViews } from './mongo.ts';

/** A build as this node has it: open for reading, and fed by this node for as long as it has the lease. */
export type FedBuild = Readonly<{
  number: number;
  name: string;
  views: MongoViews;
  /** Whether this node feeds it now. */
  holds: () => boolean;
  /** Of the projector, where this node has one. */
  status: () => ProjectorStatus | undefined;
  /** How many events this node has fed it. */
  events: () => number;
  /** @throws Error when this node's projector has given up for good */
  throwIfOver: () => void;
  /** Ends the projector, then lets go of the lease. */
  stop: () => Promise<void>;
}>;

export type FeedOptions = Readonly<{
  db: Db;
  leases: Leases;
  /** This process, by a name that no other one ever has. */
  node: string;
  group: Group;
  log: EventLog;
  prepare: ProjectorOptions['prepare'];
  onError: ProjectorOptions['onError'];
  projector?: Partial<Pick<ProjectorOptions, 'limit' | 'backOffMs' | 'sweepEveryMs' | 'tombstonesLiveMs' | 'now'>>;
  lease?: Partial<Pick<LeaseOptions, 'renewMs' | 'expiresMs'>>;
}>;

type Build = Readonly<{ number: number; name: string; onCommit: (position: Position) => void }>;

/** Events a batch: what is far away is written in fewer, larger steps. */
const BATCH = 500;

/** Opens a build and competes for its lease: whoever has it runs the projector, which writes nothing once the lease may have gone. */
export const feedBuild = async (options: FeedOptions, { number, name, onCommit }: Build): Promise<FedBuild> => {
  const { db, leases, node, group, log, prepare, onError } = options;
  let projector: Projector | undefined;
  let changing: Promise<unknown> = Promise.resolve();
  let events = 0;
  let over: unknown;

  const guard = (): void => {
    if (!lease.isFresh()) throw new LeaseLost(name);
  };
  const views = await mongoViews(db, name, group, { guard });

  const counted = async (batch: Parameters<typeof prepare>[0]) => {
    const prepared = await prepare(batch);
    events += batch.length;
    return prepared;
  };

  const begin = (): void => {
    projector = startProjector({
      limit: BATCH,
      ...options.projector,
      log,
      views,
      group,
      prepare: counted,
      onCommit,
      onError: (error, retryInMs) => {
        if (retryInMs === undefined) over = error;
        if (!(error instanceof LeaseLost)) onError(error, retryInMs);
      },
    });
  };
  const end = async (): Promise<void> => {
    await projector?.stop();
    projector = undefined;
  };
  /** One after the other, because a projector ends only with the batch in its hand. */
  const change = (work: () => Promise<void> | void): void => {
    changing = changing.then(work).catch((error: unknown) => onError(error, 0));
  };

  const lease = competeFor({
    ...options.lease,
    leases,
    name,
    holder: node,
    onGained: () => change(begin),
    onLost: () => change(end),
    onError: (error) => onError(error, 0),
  });

  return {
    number,
    name,
    views,
    holds: () => projector !== undefined && lease.isFresh(),
    status: () => projector?.status(),
    events: () => events,
    throwIfOver: () => {
      if (over !== undefined) throw over;
    },
    stop: async () => {
      change(end);
      await changing;
      await lease.stop();
      await changing;
      await views.close();
    },
  };
};
