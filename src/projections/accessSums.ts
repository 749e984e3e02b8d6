import type { AccessAction, AccessEntry, AccessEvents } from '../events/access.ts';
import type { Recorded } from '../events/event.ts';
import { repositoryIn, trailKey, whoIs } from './trail.ts';

/**
 * Equal accesses of one recorded batch: as one, with how many they are. `resource` is in the words of the audit trail, `who` is the account behind
 * the actor.
 */
export type AccessTrailEntry = Omit<AccessEntry, 'count' | 'until' | 'userId'> &
  Readonly<{ until: string; count: number; who: string; repository?: string }>;
export type PullsAdded = Readonly<{ pulls: number; bytes: number; lastPulledAt: string }>;
export type SeenAt = Readonly<{ lastSeenAt: string; lastLoginAt?: string }>;

/** What a recorded batch means to each view, by the key of the document. */
export type AccessSums = Readonly<{
  trail: ReadonlyMap<string, AccessTrailEntry>;
  repositories: ReadonlyMap<string, PullsAdded>;
  digests: ReadonlyMap<string, PullsAdded>;
  seen: ReadonlyMap<string, SeenAt>;
}>;

export type AccessEvent = { [T in keyof AccessEvents]: Recorded<T, AccessEvents[T]> }[keyof AccessEvents];
type Batch = Recorded<'AccessRecorded', AccessEvents['AccessRecorded']>;

/** Of a manifest in one life of its repository. */
export const pulledKey = (repositoryId: string, digest: string): string => `${repositoryId}/${digest}`;
export const tokenWho = (tokenId: string): string => `token:${tokenId}`;

export const later = (one: string | undefined, other: string): string => (one !== undefined && one > other ? one : other);

const sameAs = (entry: AccessEntry): string =>
  `${entry.actor} ${entry.tokenId} ${entry.method} ${entry.ip} ${entry.action} ${entry.resource} ${entry.repositoryId} ${entry.digest} ${entry.status} ${entry.reason} ${entry.attempted} ${entry.userAgent}`;

const addPull = (sums: Map<string, PullsAdded>, key: string, { at, until = at, bytes = 0, count = 1 }: AccessEntry): void => {
  const sum = sums.get(key);
  sums.set(key, {
    pulls: (sum?.pulls ?? 0) + count,
    bytes: (sum?.bytes ?? 0) + bytes,
    lastPulledAt: later(sum?.lastPulledAt, until),
  });
};

/** A person showed who he is, by password or at an identity provider, to get in. */
const isLogin = ({ action, method }: AccessEntry): boolean =>
  (method === 'password' && (action === 'user.login' || action === 'token.issue')) ||
  (method === 'oidc' && action === 'user.login');

const addSeen = (seen: Map<string, SeenAt>, who: string, entry: AccessEntry): void => {
  const before = seen.get(who);
  const { at, until = at } = entry;
  const lastLoginAt = isLogin(entry) ? later(before?.lastLoginAt, at) : before?.lastLoginAt;
  seen.set(who, { lastSeenAt: later(before?.lastSeenAt, until), ...(lastLoginAt !== undefined && { lastLoginAt }) });
};

/** Anonymous callers are nobody who could be seen again. */
const isSomebody = ({ actor }: AccessEntry): boolean => actor.startsWith('user:') || actor.startsWith('robot:');

/** Adds what an access says of pulls and of who was seen. */
const sumUp = (
  entry: AccessEntry,
  repositories: Map<string, PullsAdded>,
  digests: Map<string, PullsAdded>,
  seen: Map<string, SeenAt>,
) => {
  if (entry.decision === 'refused') return;
  if (isSomebody(entry)) addSeen(seen, entry.actor, entry);
  if (entry.tokenId !== undefined) addSeen(seen, tokenWho(entry.tokenId), entry);
  if (entry.action !== 'manifest.pull' || entry.repositoryId === undefined || entry.digest === undefined) return;
  addPull(repositories, entry.repositoryId, entry);
  addPull(digests, pulledKey(entry.repositoryId, entry.digest), entry);
};

/** What was accessed, as the audit trail would say it: who let himself in, or which token was used, and what is known by its digest alone. */
const resourceOf = ({ action, actor, userId, tokenId, resource, digest }: AccessEntry): string => {
  if (action === 'credentials.use' && tokenId !== undefined) return tokenWho(tokenId);
  if (action === 'user.login' || action === 'token.issue') return whoIs(actor, userId);
  return digest !== undefined && !resource.includes(':') ? `${resource}@${digest}` : resource;
};

const IN_REPOSITORIES: ReadonlySet<AccessAction> = new Set<AccessAction>([
  'manifest.pull',
  'blob.pull',
  'manifest.push',
  'blob.push',
  'request.refuse',
]);

const trailEntryOf = ({ userId, ...entry }: AccessEntry): AccessTrailEntry => {
  const repository = IN_REPOSITORIES.has(entry.action) ? repositoryIn(entry.resource) : undefined;
  return {
    ...entry,
    resource: resourceOf({ ...entry, ...(userId !== undefined && { userId }) }),
    who: whoIs(entry.actor, userId),
    ...(repository !== undefined && { repository }),
    until: entry.until ?? entry.at,
    count: entry.count ?? 1,
  };
};

const together = (one: AccessTrailEntry, entry: AccessEntry): AccessTrailEntry => ({
  ...one,
  until: later(one.until, entry.until ?? entry.at),
  count: one.count + (entry.count ?? 1),
  ...(one.bytes !== undefined && { bytes: one.bytes + (entry.bytes ?? 0) }),
});

const compute = ({ position, data }: Batch): AccessSums => {
  const keys = new Map<string, string>();
  const trail = new Map<string, AccessTrailEntry>();
  const repositories = new Map<string, PullsAdded>();
  const digests = new Map<string, PullsAdded>();
  const seen = new Map<string, SeenAt>();
  for (const [index, entry] of data.entries.entries()) {
    sumUp(entry, repositories, digests, seen);
    const same = sameAs(entry);
    const key = keys.get(same);
    const before = key === undefined ? undefined : trail.get(key);
    if (key === undefined || before === undefined) {
      const fresh = trailKey(entry.at, position, index);
      keys.set(same, fresh);
      trail.set(fresh, trailEntryOf(entry));
    } else trail.set(key, together(before, entry));
  }
  return { trail, repositories, digests, seen };
};

// Each view asks for it once a document: without the memory a batch would be gone through as often as it has entries.
const known = new WeakMap<object, AccessSums>();

export const sumsOf = (batch: Batch): AccessSums => {
  const sums = known.get(batch.data) ?? compute(batch);
  known.set(batch.data, sums);
  return sums;
};
