import { RegistryError } from '../../src/errors.ts';
import type { Views } from '../../src/projections/views/views.ts';

const READS = ['get', 'getMany', 'getPlaced', 'find', 'count', 'totals', 'checkpoint'] as const;

/** While `ask` runs these views are as they are before their first build. What feeds them, and whoever reads at once, knows nothing of it. @param reads those that fail */
export const whileAway = async <T>(
  views: Views,
  ask: () => Promise<T>,
  reads: readonly (typeof READS)[number][] = READS,
): Promise<T> => {
  const works = Object.fromEntries(reads.map((name) => [name, views[name]]));
  const away = async (): Promise<never> => {
    throw new RegistryError('UNAVAILABLE', 'The views are being built.', { reason: 'building' });
  };
  Object.assign(views, Object.fromEntries(reads.map((name) => [name, away])));
  try {
    return await ask();
  } finally {
    Object.assign(views, works);
  }
};
