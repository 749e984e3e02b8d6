import { setImmediate as turn } from 'node:timers/promises';
import type { Db } from 'mongodb';
import type { EventLog } from '../../../src/events/log/log.ts';
import type { Group } from '../../../src/projections/projection.ts';
import { type Projector, startProjector } from '../../../src/projections/runner.ts';
import { type MongoViews, mongoViews } from '../../../src/projections/views/mongo.ts';
import { seen } from '../projecting.ts';
import { gatedDb, type WriteCommand } from './gatedDb.ts';

/** What becomes of a command that waits at the gate. */
export type Fate =
  | 'answered'
  /** It happens, but its sender hears of a failure. */
  | 'answerLost'
  /** Some of its writes happen, and its sender hears of a failure. */
  | 'cutShort'
  | 'lost'
  /** It happens and is answered, and happens once more later: the driver repeated it, and the first one was only slow. */
  | 'repeated';

/** Where a process stands still until somebody lets it go on. */
type Stop = Readonly<{ what: string; goOn: (fate: Fate) => Promise<void> }>;

/** A projector whose every write waits until it is told what becomes of it: one that stands still for as long as one likes. */
export type UnreliableProcess = Readonly<{
  /** Where it stands. Several where it writes several things at once. */
  stops: () => readonly Stop[];
  /** Resolves once it stands somewhere, or has nothing to do. */
  settled: () => Promise<void>;
  /** Removes tombstones of that age, in writes of their own that wait as well. */
  sweep: (olderThanMs: number) => void;
  /** Whether it holds the whole log. */
  isIdle: () => Promise<boolean>;
  /** Its writes that wait never happen, and it is gone. */
  kill: () => Promise<void>;
}>;

export type UnreliableOptions = Readonly<{
  db: Db;
  name: string;
  group: Group;
  log: EventLog;
  /** Most events of a batch. */
  limit: number;
  /** Milliseconds; stands still while nobody moves it. */
  now: () => number;
  /** A write reaches the server at most so long after its step began, or never: what a lease and time-outs see to. */
  latestMs: number;
  /** Told of commands that will happen once more. */
  onRepeat: (command: WriteCommand, sendAgain: () => Promise<void>) => void;
}>;

const failed = (what: string): Error => new Error(`no answer to ${what}`);

/** @returns a process that stands before its first step as soon as there is something to do */
export const startUnreliable = async (options: UnreliableOptions): Promise<UnreliableProcess> => {
  const { db, name, group, log, limit, now, latestMs, onRepeat } = options;
  const stops: Stop[] = [];
  let dead = false;
  let sweeps = 0;
  let begunAt = now();

  const isLate = (): boolean => now() - begunAt > latestMs;

  /** Stands still at `what`; `act` says what happens when it is let go. */
  const stopAt = <T>(what: string, act: (fate: Fate) => Promise<T>): Promise<T> =>
    new Promise((resolve, reject) => {
      const stop: Stop = {
        what,
        goOn: async (fate) => {
          stops.splice(stops.indexOf(stop), 1);
          await (dead ? Promise.reject(failed(what)) : act(fate)).then(resolve, reject);
        },
      };
      stops.push(stop);
    });

  const write = (command: WriteCommand): Promise<unknown> =>
    stopAt(command.what, async (fate) => {
      if (fate === 'lost' || isLate()) throw failed(command.what);
      if (fate === 'cutShort') await command.send(Math.floor(command.writes / 2)).catch(() => undefined);
      if (fate === 'cutShort') throw failed(command.what);
      const sent = begunAt;
      if (fate === 'repeated')
        onRepeat(command, async () => {
          if (now() - sent <= latestMs) await command.send().catch(() => undefined);
        });
      const answer = await command.send();
      if (fate === 'answerLost') throw failed(command.what);
      return answer;
    });

  const guard = (): void => {
    if (dead || isLate()) throw new Error('the lease is lost');
  };

  const views: MongoViews = await mongoViews(gatedDb(db, write), name, group, { now, guard });
  const halting: MongoViews = {
    ...views,
    // A process may stand still for any time between what it read and its first write.
    commit: async (step) => {
      await stopAt('commit', async () => undefined);
      begunAt = now();
      await views.commit(step);
    },
  };
  const projector: Projector = startProjector({
    log,
    views: halting,
    group,
    prepare: async (events) => {
      await stopAt('prepare', async () => undefined);
      return seen(events);
    },
    limit,
    onError: () => undefined,
    backOffMs: () => 0,
    sweepEveryMs: Number.POSITIVE_INFINITY,
    now,
  });

  const isIdle = async (): Promise<boolean> =>
    stops.length === 0 && sweeps === 0 && projector.status().position >= (await log.head());

  return {
    stops: () => stops,
    settled: async () => {
      while (stops.length === 0 && !(await isIdle())) await turn();
    },
    sweep: (olderThanMs) => {
      sweeps += 1;
      views
        .sweep(olderThanMs)
        .catch(() => 0)
        .finally(() => {
          sweeps -= 1;
        });
    },
    isIdle,
    kill: async () => {
      dead = true;
      const stopped = projector.stop();
      let over = false;
      stopped.finally(() => {
        over = true;
      });
      while (!over || sweeps > 0) {
        for (const stop of [...stops]) await stop.goOn('lost');
        await turn();
      }
    },
  };
};
