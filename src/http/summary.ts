import type { Position } from '../events/event.ts';
import { INVENTORY_TOTALS, inventory, movedAwayBefore } from '../projections/inventory.ts';
import type { PlacedTotals } from '../projections/views/views.ts';
import type { HttpDeps } from './deps.ts';
import { upToDate } from './reported.ts';

/** The counters of the whole registry, as of one position of the log: what each means is in docs/monitoring.md. */
export type Summary = Readonly<{
  /** A replay of the log up to here counts the same. */
  position: Position;
  /** Names with at least one manifest. */
  repositories: number;
  tags: number;
  /** Distinct ones of each repository. */
  manifests: number;
  /** Tags, and manifests without a tag. */
  totalManifests: number;
  /** Distinct ones that some repository links; manifests are none. */
  blobs: number;
  /** Bytes of these, each once. */
  uniqueBytes: number;
  /** One for each repository that links a blob. */
  links: number;
  /** Bytes of these. */
  logicalBytes: number;
  /** One for each manifest that names a linked blob. */
  blobReferences: number;
  /** Linked blobs that no manifest names. */
  unreferencedBlobs: number;
  unreferencedBytes: number;
  /** Distinct ones that were linked and that no repository links any more, whose bytes are still there. */
  recoverableBlobs: number;
  recoverableBytes: number;
  /** What the next collection would remove. */
  orphanedManifests: number;
  /** Manifests stored, ever. */
  pushes: number;
}>;

const DAY = 86_400_000;

const sumsOf = ({ sums }: PlacedTotals): Readonly<Record<(typeof INVENTORY_TOTALS)[number], number>> =>
  Object.fromEntries(INVENTORY_TOTALS.map((name) => [name, sums[name] ?? 0] as const)) as ReturnType<typeof sumsOf>;

const later = (one: Position, other: Position): Position => {
  if (one > other) return one;
  return other;
};

/** Days are whole ones of UTC, so that totals by day say it exactly: at least `retainDays` after its tag, and less than a day more. */
const expiredIn = ({ sums }: PlacedTotals, retainDays: number, now: number): number => {
  if (retainDays === 0) return movedAwayBefore(sums);
  if (retainDays === Number.POSITIVE_INFINITY) return 0;
  return movedAwayBefore(sums, new Date(now - retainDays * DAY).toISOString());
};

/**
 * The counters as the reporting views show them now, from one read of their totals.
 * @param retainDays whole days of UTC for which a manifest is kept whose tag moved away; 0: none is; `Infinity`: for ever
 * @param clock milliseconds since 1970
 */
export const countersAt = async (
  { reporting }: Pick<HttpDeps, 'reporting'>,
  retainDays: number,
  clock: () => number = Date.now,
): Promise<Summary> => {
  const checkpoint = await reporting.checkpoint();
  const totals = await reporting.totals(inventory);
  const { untagged, released, references, ...counters } = sumsOf(totals);
  return {
    // The checkpoint was read before: what comes between the totals' position and a later checkpoint has changed none of them.
    position: later(totals.position, checkpoint),
    ...counters,
    totalManifests: counters.tags + untagged,
    blobReferences: references,
    orphanedManifests: released + expiredIn(totals, retainDays, clock()),
  };
};

/**
 * The counters of the whole registry, from totals in constant time, with everything in them that the serving views show: whoever was
 * told that something is done finds it counted.
 * @throws RegistryError `UNAVAILABLE` where the views are behind
 */
export const summaryOf = async (deps: Pick<HttpDeps, 'views' | 'reported' | 'reporting' | 'settings'>): Promise<Summary> => {
  await upToDate(deps);
  return await countersAt(deps, deps.settings.retainUntaggedDays);
};
