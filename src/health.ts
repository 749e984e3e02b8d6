import { access, constants, statfs } from 'node:fs/promises';
import { isRefusal } from './errors.ts';
import type { EventLog } from './events/log/log.ts';
import type { Health } from './http/deps.ts';
import { patiently } from './http/inTime.ts';
import type { BoundedQueue } from './identity/boundedQueue.ts';
import type { GenerationStatus } from './projections/generation.ts';
import type { Views } from './projections/views/views.ts';
import type { Secrets } from './secrets/secrets.ts';

/** Less room than this, in bytes, and pushes are about to fail. */
const LEAST_ROOM = 64 * 1024 * 1024;
/** Views that lag for longer, in ms, make the registry degraded. */
const LONGEST_LAG_MS = 10_000;
/** How long a part may take to answer, in ms. All are asked at the same time. */
const PATIENCE_MS = 2000;

export type Watched = Readonly<{
  version: string;
  log: Pick<EventLog, 'head'>;
  /** Those that requests are served from. */
  views: Pick<Views, 'checkpoint'>;
  secrets: Pick<Secrets, 'get'>;
  /** Checks of passwords. */
  logins: Pick<BoundedQueue, 'status'>;
  generations: Readonly<Record<string, { status: () => GenerationStatus }>>;
  dataDir: string;
  /** Of a registry that speaks TLS. */
  certificate?: Readonly<{ problems: () => readonly string[] }>;
  accessLog: Readonly<{ problems: () => readonly string[] }>;
  patienceMs?: number;
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

/** `full` serves pulls; of `away` nothing can be served. */
type Storage = Readonly<{ state: 'usable' | 'full' | 'away'; problems: readonly string[] }>;

const lookAtStorage = async (dataDir: string): Promise<Storage> => {
  await access(dataDir, constants.W_OK);
  const { bavail, bsize } = await statfs(dataDir);
  if (bavail * bsize >= LEAST_ROOM) return { state: 'usable', problems: [] };
  return { state: 'full', problems: ['The data folder has no room left: pushes fail.'] };
};

const storageAway = (error: unknown): Storage => {
  const { code, name } = error as NodeJS.ErrnoException;
  return { state: 'away', problems: [`The data folder cannot be used (${code ?? name}).`] };
};

type Answer = 'answers' | 'silent' | 'building';

/** Asks whether something answers; never rejects, and never waits for longer than `ms`. */
const asking = (ms: number, ask: () => Promise<unknown>): (() => Promise<Answer>) => {
  const asked = patiently(ms, ask);
  return () =>
    asked().then(
      () => 'answers',
      (error: unknown) => (isRefusal(error, 'UNAVAILABLE') && error.detail.reason === 'building' ? 'building' : 'silent'),
    );
};

const problemsOfLogins = ({ logins }: Watched): readonly string[] => {
  const { waiting, longest } = logins.status();
  return waiting >= longest ? ['More logins come than can be checked: some are refused.'] : [];
};

/**
 * Looks at the parts when it is asked, for no longer than `patienceMs`: what hangs reads as away, and is not asked again until it
 * has answered. Degraded: something that people should see to. Unhealthy: of no use to clients.
 */
export const healthOf = (watched: Watched): (() => Promise<Health>) => {
  const { version, log, views, secrets, generations, dataDir, certificate, accessLog, patienceMs = PATIENCE_MS } = watched;
  const startedAt = performance.now();
  const askLog = asking(patienceMs, () => log.head());
  const askViews = asking(patienceMs, () => views.checkpoint());
  // What is asked for is not there; that it is not takes a look all the same.
  const askSecrets = asking(patienceMs, () => secrets.get('health'));
  const askStorage = patiently(patienceMs, () => lookAtStorage(dataDir));

  return async () => {
    const [ofLog, ofViews, ofSecrets, storage] = await Promise.all([
      askLog(),
      askViews(),
      askSecrets(),
      askStorage().catch(storageAway),
    ]);
    const silent = [
      ...(ofLog === 'answers' ? [] : ['The event log does not answer.']),
      ...(ofViews === 'silent' ? ['The store of the views does not answer.'] : []),
    ];
    const groups = Object.entries(generations).flatMap(([name, { status }]) => problemsOfViews(name, status()));
    const ofSecretStore = ofSecrets === 'answers' ? [] : ['The store of the secrets does not answer.'];
    const logins = problemsOfLogins(watched);
    const problems = [
      ...[...silent, ...ofSecretStore, ...groups, ...storage.problems, ...logins],
      ...[...(certificate?.problems() ?? []), ...accessLog.problems()],
    ];
    const useless = ofLog !== 'answers' || ofViews !== 'answers' || storage.state === 'away';
    const noDatabase = ofLog !== 'answers' || ofViews !== 'answers';
    const noLogins = ofViews !== 'answers' || ofSecrets !== 'answers';
    return {
      status: useless ? 'unhealthy' : problems.length > 0 ? 'degraded' : 'healthy',
      version,
      uptime: Math.round((performance.now() - startedAt) / 1000),
      database: noDatabase ? 'unhealthy' : groups.length > 0 ? 'degraded' : 'healthy',
      storage: storage.state === 'usable' ? 'healthy' : 'unhealthy',
      auth: noLogins ? 'unhealthy' : logins.length > 0 ? 'degraded' : 'healthy',
      problems,
    };
  };
};
