import { isRefusal, RegistryError } from '../errors.ts';
import type { Position } from '../events/event.ts';
import type { HttpDeps } from './deps.ts';

/** What is read from views, or undefined while those are being built or their store is away. */
export const unlessAway = async <T>(read: Promise<T>): Promise<T | undefined> => {
  try {
    return await read;
  } catch (error) {
    if (isRefusal(error, 'UNAVAILABLE')) return undefined;
    throw error;
  }
};

/**
 * Waits until the reporting views show all that the serving ones do: whoever was told that something is done finds it in what he reads next.
 * @returns up to where the log is in them, at least
 * @throws RegistryError `UNAVAILABLE` where that takes too long
 */
export const upToDate = async ({ views, reported }: Pick<HttpDeps, 'views' | 'reported'>): Promise<Position> => {
  const position = await views.checkpoint();
  if (await reported(position)) return position;
  throw new RegistryError('UNAVAILABLE', 'The views that this is read from are behind. Try again.');
};

/**
 * Whether they do, having waited for it, for those who can answer without them. While they are being built, or their store is away, that is
 * said at once.
 */
export const isUpToDate = async (deps: Pick<HttpDeps, 'views' | 'reporting' | 'reported'>): Promise<boolean> => {
  const [position, reporting] = await Promise.all([deps.views.checkpoint(), unlessAway(deps.reporting.checkpoint())]);
  return reporting !== undefined && (await deps.reported(position));
};
