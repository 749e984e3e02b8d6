import { RegistryError } from '../errors.ts';
import type { Position } from '../events/event.ts';
import type { HttpDeps } from './deps.ts';

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
