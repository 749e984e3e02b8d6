import type { AccessEvents } from '../events/access.ts';
import { type AccessTrailEntry, sumsOf } from './accessSums.ts';
import { projection } from './projection.ts';
import { TRAIL_INDEXES } from './trail.ts';

/**
 * Who accessed what, in the order of time: the keys begin with it. Equal accesses of a tenth of a second are one document, so that a storm
 * of pulls does not become one of documents. What is older than the retention goes when its day's records do.
 */
export const accessTrail = projection<AccessTrailEntry, AccessEvents>({
  view: 'accessTrail',
  version: 2,
  indexes: TRAIL_INDEXES,
  keysOf: (event) => (event.type === 'AccessRecorded' ? [...sumsOf(event).trail.keys()] : []),
  on: {
    AccessRecorded: (_entry, event, key) => sumsOf(event).trail.get(key),
  },
  // All keys of a day are its date and a T.
  forgets: ({ type, data }) => (type === 'AccessDaySummed' && data.last ? `${data.day}U` : undefined),
});
