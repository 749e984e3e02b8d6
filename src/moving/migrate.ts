import { ORIGIN, type Position } from '../events/event.ts';
import type { EventLog } from '../events/log/log.ts';
import type { Generation } from '../projections/generation.ts';
import type { Group } from '../projections/projection.ts';
import type { Secrets } from '../secrets/secrets.ts';
import { CannotMove, refused } from './cannotMove.ts';
import { type Compared, compareViews } from './compareViews.ts';
import { type Copied, copy } from './copy.ts';
import { copySecrets } from './copySecrets.ts';
import { eventsIn, type Moved } from './moved.ts';
import type { OnProgress } from './progress.ts';

/** The stores of one side. */
export type Side = Readonly<{
  log: EventLog;
  secrets: Secrets;
  /** Opens the views of a group, or builds them. */
  generation: (group: Group) => Generation;
}>;

export type Migration = Readonly<{
  source: Side;
  target: Side;
  /** What moves; the rest is the same store on both sides. */
  moves: Readonly<{ log: boolean; secrets: boolean }>;
  groups: readonly Group[];
  streamPrefix: string;
  /** How many events the source has, where that is known. */
  total?: number | undefined;
  onProgress?: OnProgress;
  signal?: AbortSignal | undefined;
}>;

/** What is the same on both sides now. Absent: it did not have to move. */
export type Migrated = Readonly<{
  log?: Copied;
  secrets?: Readonly<{ secrets: number; alreadyThere: number }>;
  /** By the name of their group. */
  views: ReadonlyMap<string, Compared>;
}>;

const LOOK_EVERY_MS = 500;

/** Waits until the views hold everything up to `position`, and tells how far they are meanwhile. */
const upToDate = async (
  generation: Generation,
  position: Position,
  doing: string,
  { total, onProgress = () => undefined, signal }: Migration,
): Promise<void> => {
  const stop = (): void => void generation.stop();
  const looking = setInterval(() => {
    const { building } = generation.status();
    if (building !== undefined) onProgress({ doing, done: building.events, of: total });
  }, LOOK_EVERY_MS);
  signal?.addEventListener('abort', stop);
  try {
    await generation.ready;
    if (await generation.reached(position, Number.POSITIVE_INFINITY)) return;
    throw new Error(generation.status().error ?? 'they are not fed any more');
  } catch (cause) {
    const why = signal?.aborted === true ? 'it was told to' : (cause as Error).message;
    const message = `${doing} stopped, because ${why}. Log and secrets are on the other side. Run the same command again to go on.`;
    throw new CannotMove('stopped', message, { cause });
  } finally {
    clearInterval(looking);
    signal?.removeEventListener('abort', stop);
  }
};

const compareGroup = async (migration: Migration, group: Group, streams: Iterable<string>): Promise<Compared> => {
  const { source, target, onProgress = () => undefined, signal } = migration;
  const here = source.generation(group);
  const there = target.generation(group);
  try {
    await upToDate(here, await source.log.head(), `Opening the ${group.name} views`, migration);
    await upToDate(there, await target.log.head(), `Building the ${group.name} views`, migration);
    return await compareViews({ group, source: here.views, target: there.views, streams, onProgress, signal });
  } finally {
    await here.stop();
    await there.stop();
  }
};

const standsStill = async (log: EventLog, head: Position, side: string): Promise<void> => {
  if ((await log.head()) === head) return;
  throw new CannotMove(
    'different',
    `The log of ${side} got events meanwhile, so a registry is running on it. Stop every node of both sides and run the same command again.`,
  );
};

/**
 * Brings a registry from one set of stores to another: the log, which is read back; the secrets, wrapped anew; then the views,
 * which the other side computes from its log and which have to come out the same. Nothing is taken away from the source.
 *
 * @throws CannotMove
 */
export const migrate = async (migration: Migration): Promise<Migrated> => {
  const { source, target, moves, groups, streamPrefix, total, onProgress, signal } = migration;
  const head = await source.log.head();
  if (head === ORIGIN) throw refused('There is nothing to move: the log is empty. The settings name what is moved from.');
  const streams = new Set<string>();
  async function* events(): AsyncGenerator<Moved> {
    for await (const event of eventsIn(source.log, head)) {
      streams.add(event.stream);
      yield event;
    }
  }
  const log = moves.log
    ? await copy({ events, total, target: target.log, streamPrefix, signal, ...(onProgress !== undefined && { onProgress }) })
    : undefined;
  if (log === undefined) for await (const _ of events());
  const targetHead = await target.log.head();
  const secrets = moves.secrets ? await copySecrets(source.secrets, target.secrets) : undefined;
  const views = new Map<string, Compared>();
  try {
    for (const group of groups) views.set(group.name, await compareGroup(migration, group, streams));
  } finally {
    // First of all, because it would explain any difference.
    await standsStill(source.log, head, 'the source');
    await standsStill(target.log, targetHead, 'the other side');
  }
  return { ...(log !== undefined && { log }), ...(secrets !== undefined && { secrets }), views };
};
