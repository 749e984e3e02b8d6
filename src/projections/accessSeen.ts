import type { AccessEvents } from '../events/access.ts';
import { later, type SeenAt, sumsOf } from './accessSums.ts';
import { projection } from './projection.ts';

const latest = (seen: SeenAt | undefined, added: SeenAt | undefined): SeenAt | undefined => {
  if (added === undefined) return seen;
  const lastLoginAt = added.lastLoginAt === undefined ? seen?.lastLoginAt : later(seen?.lastLoginAt, added.lastLoginAt);
  return { lastSeenAt: later(seen?.lastSeenAt, added.lastSeenAt), ...(lastLoginAt !== undefined && { lastLoginAt }) };
};

/** When users (`user:7`, `robot:8`) and access tokens (`token:12`) were last seen, and when a user last logged in. */
export const lastSeen = projection<SeenAt, AccessEvents>({
  view: 'lastSeen',
  version: 2,
  indexes: [],
  keysOf: (event) => {
    if (event.type === 'AccessRecorded') return [...sumsOf(event).seen.keys()];
    return event.type === 'AccessDaySummed' ? event.data.seen.map(({ who }) => who) : [];
  },
  on: {
    AccessRecorded: (seen, event, key) => latest(seen, sumsOf(event).seen.get(key)),
    AccessDaySummed: (seen, { data }, key) =>
      latest(
        seen,
        data.seen.find(({ who }) => who === key),
      ),
  },
});
