import { access, constants, statfs } from 'node:fs/promises';
import type { EventLog } from './events/log/log.ts';
import type { Health } from './http/deps.ts';
import type { GenerationStatus } from './projections/generation.ts';
import type { Views } from './projections/views/views.ts';

/** Less room than this, in bytes, and pushes are about to fail. */
const LEAST_ROOM = 64 * 1024 * 1024;
/** Views that lag for longer, in ms, make the registry degraded. */
const LONGEST_LAG_MS = 10_000;

export type Watched = Readonly<{
  version: string;
  log: Pick<EventLog, 'head'>;
  /** Those that requests are served from. */
  views: Pick<Views, 'checkpoint'>;
  generations: Readonly<Record<string, { status: () => GenerationStatus }>>;
  dataDir: string;
  /** Of a registry that speaks TLS. */
  certificate?: Readonly<{ problems: () => readonly string[] }>;
  accessLog: Readonly<{ problems: () => readonly string[] }>;
}>;

const problemsOfViews = (name: string, { state, lagMs, error, faults }: GenerationStatus): readonly string[] => {
  const problems = Object.entries(faults).map(
    ([view, { type, position }]) => `The view ${view} stopped at ${type} (position ${position}). Rebuild the views.`,
  );
  if (state === 'stopped') problems.push(`The ${name} views are not fed any more${error === undefined ? '' : `: ${error}`}.`);
  if (state === 'building') problems.push(`The ${name} views are being built from the log.`);
  if (state === 'retrying') problems.push(`The ${name} views cannot be written${error === undefined ? '' : `: ${error}`}.`);
  if (lagMs > LONGEST_LAG_MS) problems.push(`The ${name} views are ${Math.round(lagMs / 1000)} s behind.`);
  return problems;
};

const problemsOfStorage = async (dataDir: string): Promise<readonly string[]> => {
  try {
    await access(dataDir, constants.W_OK);
    const { bavail, bsize } = await statfs(dataDir);
    return bavail * bsize < LEAST_ROOM ? ['The data folder has no room left: pushes fail.'] : [];
  } catch (error) {
    return [`The data folder cannot be used (${(error as NodeJS.ErrnoException).code ?? 'unknown'}).`];
  }
};

const answers = (asked: Promise<unknown>): Promise<boolean> =>
  asked.then(
    () => true,
    () => false,
  );

/** Looks at the parts each time it is asked. Degraded: something that people should see to. Unhealthy: of no use to clients. */
export const healthOf = ({
  version,
  log,
  views,
  generations,
  dataDir,
  certificate,
  accessLog,
}: Watched): (() => Promise<Health>) => {
  const startedAt = performance.now();
  return async () => {
    const [logAnswers, viewsAnswer] = await Promise.all([answers(log.head()), answers(views.checkpoint())]);
    const ofViews = Object.entries(generations).flatMap(([name, generation]) => problemsOfViews(name, generation.status()));
    const ofStorage = await problemsOfStorage(dataDir);
    const silent = [
      ...(logAnswers ? [] : ['The event log does not answer.']),
      ...(viewsAnswer ? [] : ['The store of the views does not answer.']),
    ];
    const problems = [...silent, ...ofViews, ...ofStorage, ...(certificate?.problems() ?? []), ...accessLog.problems()];
    const degraded = problems.length > 0 ? 'degraded' : 'healthy';
    return {
      status: silent.length > 0 ? 'unhealthy' : degraded,
      version,
      uptime: Math.round((performance.now() - startedAt) / 1000),
      database: silent.length > 0 ? 'unhealthy' : ofViews.length > 0 ? 'degraded' : 'healthy',
      storage: ofStorage.length > 0 ? 'unhealthy' : 'healthy',
      problems,
    };
  };
};
