import type { AccessEvents, PullSum } from '../events/access.ts';
import { type AccessEvent, later, type PullsAdded, pulledKey, sumsOf } from './accessSums.ts';
import { projection } from './projection.ts';

export type Pulls = Readonly<{
  pulls: number;
  bytes: number;
  lastPulledAt: string;
  /** The first day whose pulls were counted one by one, and not from its sums. */
  since: string;
}>;

const plus = (pulls: Pulls | undefined, added: PullsAdded, since: string): Pulls => ({
  pulls: (pulls?.pulls ?? 0) + added.pulls,
  bytes: (pulls?.bytes ?? 0) + added.bytes,
  lastPulledAt: later(pulls?.lastPulledAt, added.lastPulledAt),
  since,
});

/** No day that is counted one by one: its sums count. */
const NEVER = '9999-12-31';
const DAY_LENGTH = 10;

/** The stream of a day ends with it. */
const dayOf = ({ stream }: AccessEvent): string => stream.slice(-DAY_LENGTH);

const counted = (pulls: Pulls | undefined, added: PullsAdded | undefined, day: string): Pulls | undefined => {
  if (added === undefined) return pulls;
  return plus(pulls, added, pulls !== undefined && pulls.since < day ? pulls.since : day);
};

/** A day's sums are for those who have not counted that day: views that were built anew after its records were dropped. */
const summed = (pulls: Pulls | undefined, sums: readonly PullSum[], day: string): Pulls | undefined => {
  if (pulls !== undefined && pulls.since <= day) return pulls;
  return sums.reduce<Pulls | undefined>((sum, added) => plus(sum, added, sum?.since ?? NEVER), pulls);
};

const counting = (
  view: string,
  ofBatch: 'repositories' | 'digests',
  keyOf: (sum: PullSum) => string,
  indexes: readonly (readonly string[])[],
) =>
  projection<Pulls, AccessEvents>({
    view,
    version: 1,
    indexes,
    keysOf: (event) => {
      if (event.type === 'AccessRecorded') return [...sumsOf(event)[ofBatch].keys()];
      return event.type === 'AccessDaySummed' ? [...new Set(event.data.pulls.map(keyOf))] : [];
    },
    on: {
      AccessRecorded: (pulls, event, key) => counted(pulls, sumsOf(event)[ofBatch].get(key), dayOf(event)),
      AccessDaySummed: (pulls, { data }, key) =>
        summed(
          pulls,
          data.pulls.filter((sum) => keyOf(sum) === key),
          data.day,
        ),
    },
    totals: (before, after) => ({
      pulls: (after?.pulls ?? 0) - (before?.pulls ?? 0),
      bytes: (after?.bytes ?? 0) - (before?.bytes ?? 0),
    }),
  });

/** Pulls of manifests by the life of a repository. Blobs and HEADs are no pulls. */
export const repositoryPulls = counting('repositoryPulls', 'repositories', ({ repositoryId }) => repositoryId, [['pulls']]);

/** The same by manifest: all of a repository stand together. */
export const digestPulls = counting('digestPulls', 'digests', ({ repositoryId, digest }) => pulledKey(repositoryId, digest), []);
