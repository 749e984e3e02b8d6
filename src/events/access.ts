import type { Digest } from '../oci/digest.ts';
import type { EventDefinition } from './event.ts';
import { count, digest, object, text, timestamp } from './schema.ts';

/** How the caller showed who he is. `open`: nobody has to, because authentication is off. */
export type AccessMethod = 'password' | 'bearer' | 'pat' | 'oidc' | 'anonymous' | 'open';

/** What was done, `noun.verb` as in the audit trail. `credentials.use`: a login or token was used for what is not recorded by itself. */
export const ACCESS_ACTIONS = [
  'manifest.pull',
  'blob.pull',
  'manifest.push',
  'blob.push',
  'user.login',
  'token.issue',
  'credentials.use',
  'request.refuse',
] as const;
export type AccessAction = (typeof ACCESS_ACTIONS)[number];

/** One access, or several that differ in nothing but their time. All of it plain: its retention is its protection. */
export type AccessEntry = Readonly<{
  at: string;
  /** Of the last one, where there are several. */
  until?: string;
  /** `<kind>:<id>`, as in the audit trail. */
  actor: string;
  method: AccessMethod;
  /** The access token that was used, if one was. */
  tokenId?: string;
  /** Of the user whose token that is. */
  userId?: string;
  ip: string;
  /** At most 256 bytes. */
  userAgent?: string;
  action: AccessAction;
  /** `<repository>[:<tag>]`, or what else was asked for. */
  resource: string;
  /** The life of the repository. */
  repositoryId?: string;
  digest?: Digest;
  decision: 'allowed' | 'refused';
  /** Of the answer, over HTTP. */
  status: number;
  /** Of the first one. */
  requestId: string;
  /** What the answer to a pull has; of several, all together. */
  bytes?: number;
  /** The registry's own word for a refusal. */
  reason?: string;
  /** What was refused: the method and the route. */
  attempted?: string;
  /** How many they are; absent: one. */
  count?: number;
}>;

/** What a day's pulls of one manifest come to. */
export type PullSum = Readonly<{ repositoryId: string; digest: Digest; pulls: number; bytes: number; lastPulledAt: string }>;
/** When an actor or a token was last seen on a day: `user:7`, `token:12`. */
export type SeenSum = Readonly<{ who: string; lastSeenAt: string; lastLoginAt?: string }>;

/** The events of the access log, which is a log of its own: none of them is a fact. */
export type AccessEvents = Readonly<{
  AccessRecorded: Readonly<{ entries: readonly AccessEntry[]; dropped?: number }>;
  AccessDayClosed: Readonly<{ day: string }>;
  AccessDaySummed: Readonly<{ day: string; pulls: readonly PullSum[]; seen: readonly SeenSum[]; last: boolean }>;
}>;

/** What the facts say of the access log. */
export type AccessSealEvents = Readonly<{
  AccessDaySealed: Readonly<{ day: string; events: number; entries: number; dropped: number; root: string }>;
}>;

/** Most entries of one event. */
export const MOST_ENTRIES = 999;

const day = { type: 'string', pattern: '^\\d{4}-\\d\\d-\\d\\d$', minLength: 10, maxLength: 10 };
/** `<kind>:` and the id, as long as that may be in facts. */
const who = text(1, 320);
const id = text(1, 64);

const entry = object(
  {
    at: timestamp,
    actor: who,
    method: { enum: ['password', 'bearer', 'pat', 'oidc', 'anonymous', 'open'] },
    ip: text(0, 64),
    action: { enum: ACCESS_ACTIONS },
    resource: text(1, 512),
    decision: { enum: ['allowed', 'refused'] },
    status: count,
    requestId: id,
  },
  {
    tokenId: id,
    userId: id,
    userAgent: text(1, 256),
    repositoryId: id,
    digest,
    until: timestamp,
    bytes: count,
    reason: id,
    attempted: text(1, 256),
    count,
  },
);

const pullSum = object({ repositoryId: id, digest, pulls: count, bytes: count, lastPulledAt: timestamp });
const seenSum = object({ who, lastSeenAt: timestamp }, { lastLoginAt: timestamp });
const listOf = (items: object, maxItems: number) => ({ type: 'array', maxItems, items });

export const accessEvents: Readonly<Record<keyof AccessEvents, EventDefinition>> = {
  AccessRecorded: {
    version: 1,
    meaning:
      'What was accessed in up to a tenth of a second, in the order of the answers. `dropped`: so many more could not be held while the log did not take them.',
    schema: object({ entries: listOf(entry, MOST_ENTRIES) }, { dropped: count }),
  },
  AccessDayClosed: {
    version: 1,
    meaning: 'Nothing comes after this in the stream of its day: what is late goes to the stream of a later one.',
    schema: object({ day }),
  },
  AccessDaySummed: {
    version: 1,
    meaning:
      'What is kept of a sealed day whose records are dropped: its sums, in as many events as they take. The `last` one ends the day.',
    schema: object({ day, pulls: listOf(pullSum, 1000), seen: listOf(seenSum, 1000), last: { type: 'boolean' } }),
  },
};

export const accessSealEvents: Readonly<Record<keyof AccessSealEvents, EventDefinition>> = {
  AccessDaySealed: {
    version: 1,
    meaning:
      'A day of the access log is over, and what was recorded on it is sealed: so many events with so many entries, and the RFC 9162 root over the leaves of the events (see docs/access-log.md).',
    schema: object({ day, events: count, entries: count, dropped: count, root: { ...text(64, 64), pattern: '^[0-9a-f]{64}$' } }),
  },
};
