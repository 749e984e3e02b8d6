import { RegistryError } from '../errors.ts';
import type { Position } from '../events/event.ts';
import { INVENTORY_TOTALS, inventory, movedAwayByMonth, movedAwayInMonthUntil } from '../projections/inventory.ts';
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
  /** What the next collection would remove. */
  orphanedManifests: number;
  /** Manifests stored, ever. */
  pushes: number;
}>;

type Deps = Pick<HttpDeps, 'reported' | 'reporting'>;

const DAY = 86_400_000;
/** Events may come faster than two totals are read with a count between them; so often in a row they hardly do. */
const ATTEMPTS = 20;

const sumsOf = ({ sums }: PlacedTotals): Readonly<Record<(typeof INVENTORY_TOTALS)[number], number>> =>
  Object.fromEntries(INVENTORY_TOTALS.map((name) => [name, sums[name] ?? 0] as const)) as ReturnType<typeof sumsOf>;

const later = (one: Position, other: Position): Position => {
  if (one > other) return one;
  return other;
};

type Counted = Readonly<{ totals: PlacedTotals; expired: number }>;

/**
 * Totals, and the manifests whose tag moved away before the time that they are retained for, as of the same position. Only those of the
 * last month are counted one by one: the documents up to the totals' position are all there then, and none of a later one, because their
 * totals would have been written before them.
 */
const countedAsOfOne = async ({ reporting, reported }: Deps, retainMs: number, clock: () => number): Promise<Counted> => {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const totals = await reporting.totals(inventory);
    if (retainMs === Number.POSITIVE_INFINITY) return { totals, expired: 0 };
    // Asked for behind the totals: nothing in them happened later.
    const until = new Date(clock() - retainMs).toISOString();
    const { before, within } = movedAwayByMonth(totals.sums, until);
    if (within === 0) return { totals, expired: before };
    if (!(await reported(totals.position))) break;
    const expired = before + (await reporting.count(inventory, movedAwayInMonthUntil(until)));
    const { position } = await reporting.totals(inventory);
    if (position === totals.position) return { totals, expired };
  }
  throw new RegistryError('UNAVAILABLE', 'The counters change faster than they can be read. Try again.');
};

/**
 * The counters as the reporting views show them, by a clock that says which manifests have been without a tag for longer than they are
 * retained.
 * @param retainDays `Infinity` for ever
 * @param clock milliseconds since 1970
 * @throws RegistryError `UNAVAILABLE`
 */
export const countersAt = async (deps: Deps, retainDays: number, clock: () => number = Date.now): Promise<Summary> => {
  const checkpoint = await deps.reporting.checkpoint();
  const { totals, expired } = await countedAsOfOne(deps, retainDays * DAY, clock);
  const { untagged, released, references, ...counters } = sumsOf(totals);
  return {
    // What comes between the totals' position and a later checkpoint has changed none of them.
    position: later(totals.position, checkpoint),
    ...counters,
    totalManifests: counters.tags + untagged,
    blobReferences: references,
    orphanedManifests: released + expired,
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
