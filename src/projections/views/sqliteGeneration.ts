import { setTimeout as wait } from 'node:timers/promises';
import { RegistryError } from '../../errors.ts';
import { ORIGIN, type Position } from '../../events/event.ts';
import type { EventLog } from '../../events/log/log.ts';
import { arrivals } from '../arrivals.ts';
import type { Building, Generation, GenerationStatus } from '../generation.ts';
import type { Group } from '../projection.ts';
import { backOff, type Projector, type ProjectorOptions, startProjector } from '../runner.ts';
import { delegated } from './delegated.ts';
import { type SqliteViews, type SqliteViewsOptions, sqliteViews, ViewsUnusable } from './sqlite.ts';
import type { Progress } from './sqliteBuild.ts';
import { removeFile, setAside } from './sqliteFile.ts';
import { folderOf } from './sqliteFolder.ts';
import { type Builder, BuildFailed } from './sqliteRebuild.ts';
import type { Views } from './views.ts';

export type GenerationOptions = Readonly<{
  /** Where the group's files are, or `:memory:`. */
  folder: string;
  group: Group;
  log: EventLog;
  prepare: ProjectorOptions['prepare'];
  /** Fills a new file from a log that has a history. Without one the projector does it, which takes many times longer. */
  build?: Builder;
  /** Told of every failure, and of files that were of no use; `retryInMs` is undefined where nothing will be tried again. */
  onError: ProjectorOptions['onError'];
  /** Told now and then while a build is under way, and at its end. */
  onProgress?: (progress: Building) => void;
  views?: Omit<SqliteViewsOptions, 'onDamage'>;
  projector?: Partial<Pick<ProjectorOptions, 'limit' | 'backOffMs' | 'sweepEveryMs' | 'tombstonesLiveMs' | 'now'>>;
}>;

/** One build and what feeds it. */
type Fed = { readonly file: string; readonly views: SqliteViews; readonly projector: Projector; damaged: boolean };

/** How often `onProgress` is told at most; the status is always up to date. */
const REPORT_EVERY_MS = 1000;

const NOT_BUILT = { position: ORIGIN, state: 'building', lagMs: 0, faults: {} } as const;

const unavailable = (): RegistryError =>
  new RegistryError('UNAVAILABLE', 'The views are being built from the log. Try again in a moment.', { reason: 'building' });

/**
 * Owns the files of one group: opens the one of this release's form, or builds it; builds another beside it when asked, or when
 * the file turns out to be damaged, and swaps it in between two calls. Nobody reads a build before it holds what the live one
 * does or, at the start, what the log does.
 */
export const sqliteGeneration = ({
  folder: path,
  group,
  log,
  prepare,
  build,
  onError,
  onProgress = () => undefined,
  views: viewsOptions = {},
  projector: projectorOptions = {},
}: GenerationOptions): Generation => {
  const folder = folderOf(path, group.name);
  const progress = arrivals();
  const stopping = new AbortController();
  const fed = new Set<Fed>();
  const { backOffMs = backOff } = projectorOptions;
  let current: Fed | undefined;
  let rebuilding: Promise<void> | undefined;
  let building: Building | undefined;
  let failure: string | undefined;

  /** @throws ViewsUnusable */
  const feed = async (file: string): Promise<Fed> => {
    stopping.signal.throwIfAborted();
    const onDamage = (error: unknown): void => {
      one.damaged = true;
      onError(error, 0);
      if (one === current) again(() => insist(buildNext)).catch(() => undefined);
      else void one.projector.stop();
    };
    const head = await log.head();
    const views = sqliteViews(file, group, { ...viewsOptions, onDamage });
    if ((await views.checkpoint()) > head) {
      await views.close();
      throw new ViewsUnusable(file, 'foreign', setAside(file));
    }
    const onCommit = (position: Position): void => {
      if (one === current) progress.advance(position);
    };
    const projector = startProjector({ ...projectorOptions, log, views, group, prepare, onError, onCommit });
    const one: Fed = { file, views, projector, damaged: false };
    fed.add(one);
    return one;
  };

  const retire = async (one: Fed): Promise<void> => {
    fed.delete(one);
    await one.projector.stop();
    await one.views.close();
    if (one.damaged && one.file !== ':memory:') setAside(one.file);
  };

  /** Waits until a build holds what it has to hold to be read. The live one may move on meanwhile. */
  const catchUp = async (next: Fed): Promise<void> => {
    const { projector } = next;
    const head = await log.head();
    const missing = (): Position | undefined => {
      const target = current?.projector.status().position ?? head;
      return projector.status().position < target ? target : undefined;
    };
    for (let target = missing(); target !== undefined; target = missing()) {
      if (await projector.reached(target, Number.POSITIVE_INFINITY)) continue;
      throw new BuildFailed(projector.status().error ?? 'The projector was stopped.', !next.damaged);
    }
  };

  /** From here on `next` is what everybody reads. */
  const adopt = async (next: Fed): Promise<void> => {
    try {
      await catchUp(next);
    } catch (error) {
      await retire(next);
      throw error;
    }
    const old = current;
    current = next;
    progress.advance(next.projector.status().position);
    if (old !== undefined) await retire(old);
    folder.keepOnly(next.file);
  };

  const fill = async (file: string): Promise<void> => {
    const head = await log.head();
    if (build === undefined || file === ':memory:' || head === ORIGIN) return;
    let reportedAt = Number.NEGATIVE_INFINITY;
    const watch = (done: Progress): void => {
      building = { ...done, head };
      if (performance.now() - reportedAt < REPORT_EVERY_MS) return;
      reportedAt = performance.now();
      onProgress(building);
    };
    await build({ group: group.name, file }, { onProgress: watch, signal: stopping.signal });
    if (building !== undefined) onProgress(building);
  };

  const buildNext = async (): Promise<void> => {
    const file = folder.next();
    try {
      await fill(file);
      await adopt(await feed(file));
    } catch (error) {
      if (file !== ':memory:' && file !== current?.file) removeFile(file);
      throw error;
    } finally {
      building = undefined;
    }
  };

  /** The newest file that is of use. A half-built one goes; one of another form stays until there is one of ours. */
  const feedNewest = async (): Promise<Fed | undefined> => {
    for (const file of folder.files()) {
      try {
        return await feed(file);
      } catch (error) {
        if (!(error instanceof ViewsUnusable)) throw error;
        if (error.outcome === 'unfinished') removeFile(file);
        else if (error.outcome !== 'otherForm') onError(error, 0);
      }
    }
    return undefined;
  };

  const start = async (): Promise<void> => {
    const found = await feedNewest();
    await (found === undefined ? buildNext() : adopt(found));
  };

  const insist = async (work: () => Promise<void>): Promise<void> => {
    for (let attempt = 1; ; attempt++) {
      try {
        return await work();
      } catch (error) {
        if (stopping.signal.aborted) throw error;
        const retryInMs = error instanceof BuildFailed && error.forGood ? undefined : backOffMs(attempt);
        onError(error, retryInMs);
        if (retryInMs === undefined) {
          failure = error instanceof Error ? error.message : String(error);
          throw error;
        }
        await wait(retryInMs, undefined, { signal: stopping.signal });
      }
    }
  };

  const ready = insist(start);
  ready.catch(() => undefined);

  const again = (work: () => Promise<void>): Promise<void> => {
    rebuilding ??= ready.then(work).finally(() => {
      rebuilding = undefined;
    });
    return rebuilding;
  };

  const stop = async (): Promise<void> => {
    stopping.abort(new BuildFailed('The views were closed.', true));
    progress.end();
    await Promise.all([...fed].map(({ projector }) => projector.stop()));
    await Promise.allSettled([ready, rebuilding]);
    const last = [...fed];
    current = undefined;
    await Promise.all(last.map(retire));
  };

  const live = (): Views => {
    if (current === undefined) throw unavailable();
    return current.views;
  };

  const status = (): GenerationStatus => {
    const fallback = failure === undefined ? NOT_BUILT : { ...NOT_BUILT, state: 'stopped' as const, error: failure };
    return { ...(current?.projector.status() ?? fallback), ...(building !== undefined && { building }) };
  };

  return { views: delegated(live, stop), ready, reached: progress.reached, status, rebuild: () => again(buildNext), stop };
};
