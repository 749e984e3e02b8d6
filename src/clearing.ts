import { setTimeout as wait } from 'node:timers/promises';
import type { Execute } from './commands/execute.ts';
import type { ClearRepository } from './commands/repository/commands.ts';
import { repositoryDecider } from './commands/repository.ts';
import { isRefusal } from './errors.ts';
import type { Position } from './events/event.ts';
import type { RepositoryEvents } from './events/repository.ts';
import type { Streams } from './events/streams.ts';
import { systemContext } from './firstStart.ts';
import type { Digest } from './oci/digest.ts';
import { endedLives } from './projections/endedLives.ts';
import { linkKey, links } from './projections/links.ts';
import { manifestKey, manifests } from './projections/manifests.ts';
import type { Document, Projection } from './projections/projection.ts';
import { tagKey, tags } from './projections/tags.ts';
import { pagesOf } from './projections/views/pages.ts';
import type { Views } from './projections/views/views.ts';

/** Things of one batch, each of which becomes an event. */
const BATCH = 200;
/** Manifests that are read at a time: one may have half a mebibyte. */
const MANIFESTS = 50;
/** Bytes of the references in one batch, which leave room in an append for the rest of it. */
const LARGEST_BATCH = 256 * 1024;
/** Lives that are looked at together, and cleared at the same time. */
const LIVES = 100;
const AT_ONCE = 4;
/** How often it is looked whether another process, or the next free turn of this one, has cleared a life: less and less often. */
const FIRST_LOOK_MS = 25;
const LAST_LOOK_MS = 400;

/** A life that has ended, and where the log says so. */
export type Ended = Readonly<{ repositoryId: string; repository: string; position: Position }>;

export type ClearingOptions = Readonly<{
  /** The serving views. */
  views: Views;
  execute: Execute;
  streams: Streams;
  /** Waits until the serving views show the log up to a position. */
  reached: (position: Position) => Promise<boolean>;
  /** Whether other processes may do the same work. */
  shared: boolean;
  onError: (error: unknown) => void;
  /** How often it looks for work that others have left, in ms; half of that more by chance, so that nodes look at different times. */
  lookEveryMs?: number;
  /** The longest pause between two batches, in ms. A pause is as long as its batch took. */
  longestRestMs?: number;
}>;

export type Clearing = Readonly<{
  /** The same, noticing what is deleted on the way: whoever deletes a repository clears it. */
  execute: Execute;
  /** Waits until all of a life is recorded as gone, whoever does it. @returns false when that took too long: it goes on all the same */
  cleared: (life: Ended, timeoutMs: number) => Promise<boolean>;
  /** Resolves when the batch in hand is written. */
  stop: () => Promise<void>;
}>;

type Kind = 'tags' | 'manifests' | 'blobs';
type Left = Readonly<{ kind: Kind; name: string; size: number }>;
type Batch = Pick<ClearRepository, Kind | 'last'>;

async function* valuesUnder<D extends Document>(views: Views, view: Projection<D>, prefix: string, limit: number) {
  for await (const items of pagesOf(views, view, { where: { key: { $prefix: prefix } }, limit }))
    for (const { value } of items) yield value;
}

/** Tags before what they point at, manifests before what they name. */
async function* everythingIn(views: Views, id: string): AsyncGenerator<Left> {
  const any = '' as Digest;
  for await (const { name } of valuesUnder(views, tags, tagKey(id, ''), BATCH)) yield { kind: 'tags', name, size: 0 };
  for await (const { digest, references } of valuesUnder(views, manifests, manifestKey(id, any), MANIFESTS))
    yield { kind: 'manifests', name: digest, size: JSON.stringify(references).length };
  for await (const { digest } of valuesUnder(views, links, linkKey(id, any), BATCH))
    yield { kind: 'blobs', name: digest, size: 0 };
}

/** What is left of a life, in batches that fit into an append; the last one says so. */
async function* batchesOf(views: Views, repositoryId: string): AsyncGenerator<Batch> {
  const left: Record<Kind, string[]> = { tags: [], manifests: [], blobs: [] };
  let [count, bytes] = [0, 0];
  const take = (last: boolean): Batch => {
    [count, bytes] = [0, 0];
    const [names, digests] = [left.tags.splice(0), [left.manifests.splice(0), left.blobs.splice(0)] as Digest[][]];
    return { tags: names, manifests: digests[0] ?? [], blobs: digests[1] ?? [], last };
  };
  for await (const { kind, name, size } of everythingIn(views, repositoryId)) {
    if (count === BATCH || (bytes > 0 && bytes + size > LARGEST_BATCH)) yield take(false);
    left[kind].push(name);
    [count, bytes] = [count + 1, bytes + size];
  }
  yield take(true);
}

/**
 * Records of the repositories that were deleted what went with them, a batch at a time, so that pushes to the same name get in between.
 * What a crash leaves undone is found at the next start, or by another process: a life that stands still between two looks has nobody
 * who clears it. Two that begin at once do no harm (each passes by what the other has recorded), and one of them soon leaves it to the other.
 */
export const startClearing = ({
  views,
  execute,
  streams,
  reached,
  shared,
  onError,
  lookEveryMs = 3000,
  longestRestMs = 1000,
}: ClearingOptions): Clearing => {
  const stopping = new AbortController();
  const running = new Map<string, Promise<void>>();
  let seen: ReadonlyMap<string, number> = new Map();

  const rest = (ms: number): Promise<void> => wait(ms, undefined, { signal: stopping.signal }).catch(() => undefined);

  const within = async (work: Promise<void>, ms: number): Promise<void> => {
    const done = new AbortController();
    const over = wait(ms, undefined, { signal: AbortSignal.any([stopping.signal, done.signal]) }).catch(() => undefined);
    await Promise.race([work, over]);
    done.abort();
  };

  /** That the log or the views do not answer is told elsewhere. Either way the life is found again by a later look. */
  const failed = (error: unknown): void => {
    if (!isRefusal(error, 'UNAVAILABLE')) onError(error);
  };

  /** @returns how many things it recorded as gone */
  const record = async ({ repositoryId, repository }: Ended, batch: Batch): Promise<number> => {
    const command: ClearRepository = { type: 'ClearRepository', repository, repositoryId, ...batch };
    const { facts, position } = await execute(streams.repository(repository), repositoryDecider, command, systemContext());
    if (!(await reached(position))) throw new Error(`The views do not show what was cleared of ${repository}.`);
    return facts.length;
  };

  const clear = async (life: Ended): Promise<void> => {
    // Nothing is added to a life after its end: what the views show from there on is all that there is.
    if (!(await reached(life.position))) return;
    let known = (await views.get(endedLives, life.repositoryId))?.cleared ?? 0;
    for await (const batch of batchesOf(views, life.repositoryId)) {
      if (stopping.signal.aborted) return;
      const began = performance.now();
      const own = await record(life, batch);
      const left = await views.get(endedLives, life.repositoryId);
      if (left === undefined) return;
      const byOthers = left.cleared - known - own;
      if (shared && byOthers > 0 && Math.random() < 0.5) return;
      known = left.cleared;
      await rest(Math.min(performance.now() - began, longestRestMs));
    }
  };

  /** @returns false where too many are being cleared */
  const begin = (life: Ended): boolean => {
    const { repositoryId } = life;
    if (running.has(repositoryId)) return true;
    if (stopping.signal.aborted || running.size >= AT_ONCE) return false;
    const work = clear(life)
      .catch(failed)
      .finally(() => running.delete(repositoryId));
    running.set(repositoryId, work);
    return true;
  };

  const cleared = async (life: Ended, timeoutMs: number): Promise<boolean> => {
    const deadline = performance.now() + timeoutMs;
    // What was begun here and left to another process is not begun again.
    let begun = false;
    for (let pause = FIRST_LOOK_MS; ; pause = Math.min(2 * pause, LAST_LOOK_MS)) {
      if (!begun) begun = begin(life);
      const left = deadline - performance.now();
      const work = running.get(life.repositoryId);
      await (work === undefined ? rest(Math.min(pause, left)) : within(work, left));
      if ((await views.get(endedLives, life.repositoryId)) === undefined) return true;
      if (performance.now() >= deadline || stopping.signal.aborted) return false;
    }
  };

  const look = async (): Promise<void> => {
    const { items } = await views.find(endedLives, { limit: LIVES });
    const still = items.filter(({ key, value }) => !shared || seen.get(key) === value.cleared).map(({ key }) => key);
    seen = new Map(items.map(({ key, value }) => [key, value.cleared]));
    for (const { value, position } of await views.getPlaced(endedLives, still))
      if (value !== undefined) begin({ ...value, position });
  };

  const watch = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      await look().catch(failed);
      await rest(lookEveryMs * (1 + Math.random() / 2));
    }
  };
  const watching = watch();

  return {
    execute: async (...given) => {
      const outcome = await execute(...given);
      for (const { type, data } of outcome.facts)
        if (type === 'RepositoryDeleted')
          begin({ ...(data as RepositoryEvents['RepositoryDeleted']), position: outcome.position });
      return outcome;
    },
    cleared,
    stop: async () => {
      stopping.abort();
      await Promise.all([watching, ...running.values()]);
    },
  };
};
