import { userIdOfSubject } from '../events/users.ts';
import { isName } from '../oci/names.ts';

// What the trails of both logs say in the same words, so that one question finds the entries of either.

/** `<time>/<position>`, and in the access log `/<index>`: the byte order of keys is the order of time. */
export const trailKey = (at: string, position: string, index?: number): string =>
  index === undefined ? `${at}/${position}` : `${at}/${position}/${String(index).padStart(3, '0')}`;

/** Characters of the time that a key begins with. */
export const TIME_IN_KEY = '2026-01-31T12:00:00.000Z'.length;

export const ANONYMOUS = 'anonymous';
export const SYSTEM = 'system';
export const accountOf = (userId: number | string): string => `user:${userId}`;

const isNumber = (text: string): boolean => /^[1-9]\d{0,14}$/.test(text);

/**
 * Who stands behind an actor: `user:7` for the account, be it a person's or a robot's, whatever it came with; `robot:<provider>:<subject>` for
 * a workload; `anonymous`; `system`.
 * @param owner of the token that the actor is, where it is one and that is known
 */
export const whoIs = (actor: string, owner?: string): string => {
  const colon = actor.indexOf(':');
  const [kind, id] = [actor.slice(0, colon), actor.slice(colon + 1)];
  if (kind === ANONYMOUS || kind === SYSTEM) return kind;
  if (kind === 'token') return owner === undefined ? actor : accountOf(owner);
  return kind === 'robot' && isNumber(id) ? accountOf(id) : actor;
};

/** The user under whose key what is known of the caller is sealed. */
export const ownerBySubject = (subject: string | undefined): string | undefined =>
  subject === undefined ? undefined : userIdOfSubject(subject);

/** The repository that `<name>`, `<name>:<tag>` or `<name>@<digest>` is about; of anything else, undefined. */
export const repositoryIn = (resource: string): string | undefined => {
  const [name = ''] = resource.split(/[:@]/, 1);
  return isName(name) ? name : undefined;
};

/**
 * The indexes of a trail. All are ended by the key, that is by time; who, repository and resource are found action by action. Actions alone
 * come last: of indexes that seem equal to it, as they do where a time is asked for as well, SQLite takes one that was made before.
 */
export const TRAIL_INDEXES = [['who', 'action'], ['repository', 'action'], ['resource', 'action'], ['action']] as const;

/** Entries of one access event, and one for the event itself: so many ids a position. */
const IDS_A_POSITION = 1000;

/** EventStoreDB's positions are two numbers in hex, of which the second is the event's own; those of the embedded log are one. */
const numberOf = (position: string): number =>
  position.length === 32 ? Number(BigInt(`0x${position.slice(16)}`)) : Number(position);

/**
 * A number for an entry: 1000 for each position of its log, and 1 to 999 more for what is in an access event, so that no entry of either log has
 * that of another. Exact up to position 9,007,199,254,740: so many events, or bytes of EventStoreDB's log.
 */
export const trailId = (key: string): number => {
  const [, position = '', index] = key.split('/');
  return numberOf(position) * IDS_A_POSITION + (index === undefined ? 0 : Number(index) + 1);
};
