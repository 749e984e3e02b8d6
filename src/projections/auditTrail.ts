import type { AccessSealEvents } from '../events/access.ts';
import type { AccessTokenEvents } from '../events/accessTokens.ts';
import type { Metadata, Recorded } from '../events/event.ts';
import type { GrantEvents } from '../events/grants.ts';
import type { KeyEvents } from '../events/keys.ts';
import type { RepositoryEvents } from '../events/repository.ts';
import { subjectOfSealed } from '../events/schema.ts';
import type { TeamEvents } from '../events/teams.ts';
import type { UserEvents } from '../events/users.ts';
import { isPrefixGlob } from '../oci/names.ts';
import { projection } from './projection.ts';
import { ownerBySubject, TRAIL_INDEXES, trailKey, whoIs } from './trail.ts';

/** What the facts say was done, `noun.verb`. */
export const FACT_ACTIONS = [
  'repository.create',
  'repository.describe',
  'repository.changeVisibility',
  'repository.changeOwner',
  'repository.setImmutability',
  'repository.delete',
  'repository.clear',
  'blob.upload',
  'blob.mount',
  'blob.delete',
  'manifest.push',
  'manifest.delete',
  'manifest.release',
  'manifest.hold',
  'tag.move',
  'tag.delete',
  'user.create',
  'user.changeEmail',
  'user.changePassword',
  'user.linkIdentity',
  'user.reserveName',
  'user.erase',
  'user.changeRole',
  'user.suspend',
  'user.reinstate',
  'user.delete',
  'user.logout',
  'token.create',
  'token.revoke',
  'access.grant',
  'access.revoke',
  'team.create',
  'team.delete',
  'team.addMember',
  'team.removeMember',
  'accessDay.seal',
  'key.rotate',
] as const;
export type FactAction = (typeof FACT_ACTIONS)[number];

/** `ip` and `userAgent` stay sealed here and are revealed to those who may read them, so that erasing a person leaves no copy. */
export type AuditEntry = Readonly<{
  eventId: string;
  at: string;
  /** As the event has it: the access token, where one was used. */
  actor: string;
  /** The account behind it, see `whoIs`. */
  who: string;
  action: FactAction;
  resource: string;
  /** What it is about, where that is a repository or something in one. */
  repository?: string;
  /** Where a tag was moved to. */
  digest?: string;
  requestId: string;
  ip?: string;
  userAgent?: string;
}>;

type Audited = RepositoryEvents & UserEvents & AccessTokenEvents & GrantEvents & TeamEvents & KeyEvents & AccessSealEvents;
type AuditedEvent = { [T in keyof Audited]: Recorded<T, Audited[T]> }[keyof Audited];

const ownerOf = ({ actor, ip, userAgent }: Metadata): string | undefined =>
  actor.kind === 'token' ? ownerBySubject(subjectOfSealed(ip ?? userAgent ?? '')) : undefined;

const entry = (
  event: AuditedEvent,
  action: FactAction,
  resource: string,
  about: Pick<AuditEntry, 'repository' | 'digest'> = {},
): AuditEntry => {
  const { actor, at, requestId, ip, userAgent } = event.metadata;
  const text = `${actor.kind}:${actor.id}`;
  return {
    eventId: event.id,
    at,
    actor: text,
    who: whoIs(text, ownerOf(event.metadata)),
    action,
    resource,
    ...about,
    requestId,
    ...(ip !== undefined && { ip }),
    ...(userAgent !== undefined && { userAgent }),
  };
};

type InRepository = Extract<AuditedEvent, Readonly<{ data: Readonly<{ repository: string }> }>>;
type OfDigest = Extract<InRepository, Readonly<{ data: Readonly<{ digest: string }> }>>;

const ofRepository = (event: InRepository, action: FactAction): AuditEntry =>
  entry(event, action, event.data.repository, { repository: event.data.repository });
const ofDigest = (event: OfDigest, action: FactAction): AuditEntry =>
  entry(event, action, `${event.data.repository}@${event.data.digest}`, { repository: event.data.repository });
const ofTag = (event: InRepository, action: FactAction, tag: string, digest?: string): AuditEntry => {
  const { repository } = event.data;
  return entry(event, action, `${repository}:${tag}`, { repository, ...(digest !== undefined && { digest }) });
};
const ofScope = (event: AuditedEvent, action: FactAction, scope: string): AuditEntry =>
  entry(event, action, scope, isPrefixGlob(scope) ? {} : { repository: scope });

/** What was decided, by whom and from where, in the order of time: one document an event. Its totals are how often what was done. */
export const auditTrail = projection<AuditEntry, Audited>({
  view: 'auditTrail',
  version: 2,
  indexes: TRAIL_INDEXES,
  keysOf: ({ metadata, position }) => [trailKey(metadata.at, position)],
  on: {
    RepositoryCreated: (_entry, event) => ofRepository(event, 'repository.create'),
    RepositoryDescribed: (_entry, event) => ofRepository(event, 'repository.describe'),
    VisibilityChanged: (_entry, event) => ofRepository(event, 'repository.changeVisibility'),
    OwnerChanged: (_entry, event) => ofRepository(event, 'repository.changeOwner'),
    ImmutabilityRulesSet: (_entry, event) => ofRepository(event, 'repository.setImmutability'),
    RepositoryDeleted: (_entry, event) => ofRepository(event, 'repository.delete'),
    RepositoryCleared: (_entry, event) => ofRepository(event, 'repository.clear'),
    BlobLinked: (_entry, event) => ofDigest(event, event.data.mountedFrom === undefined ? 'blob.upload' : 'blob.mount'),
    BlobUnlinked: (_entry, event) => ofDigest(event, 'blob.delete'),
    ManifestPushed: (_entry, event) => ofDigest(event, 'manifest.push'),
    ManifestDeleted: (_entry, event) => ofDigest(event, 'manifest.delete'),
    ManifestReleased: (_entry, event) => ofDigest(event, 'manifest.release'),
    ManifestHeld: (_entry, event) => ofDigest(event, 'manifest.hold'),
    TagMoved: (_entry, event) => ofTag(event, 'tag.move', event.data.tag, event.data.digest),
    TagDeleted: (_entry, event) => ofTag(event, 'tag.delete', event.data.tag),
    UserRegistered: (_entry, event) => entry(event, 'user.create', `user:${event.data.userId}`),
    EmailChanged: (_entry, event) => entry(event, 'user.changeEmail', `user:${event.data.userId}`),
    PasswordChanged: (_entry, event) => entry(event, 'user.changePassword', `user:${event.data.userId}`),
    IdentityLinked: (_entry, event) => entry(event, 'user.linkIdentity', `user:${event.data.userId}`),
    UsernameReserved: (_entry, event) => entry(event, 'user.reserveName', `user:${event.data.userId}`),
    PersonErased: (_entry, event) => entry(event, 'user.erase', `user:${event.data.userId}`),
    RoleChanged: (_entry, event) => entry(event, 'user.changeRole', `user:${event.data.userId}`),
    UserSuspended: (_entry, event) => entry(event, 'user.suspend', `user:${event.data.userId}`),
    UserReinstated: (_entry, event) => entry(event, 'user.reinstate', `user:${event.data.userId}`),
    UserDeleted: (_entry, event) => entry(event, 'user.delete', `user:${event.data.userId}`),
    SessionEnded: (_entry, event) => entry(event, 'user.logout', `user:${event.data.userId}`),
    AccessTokenIssued: (_entry, event) => entry(event, 'token.create', `token:${event.data.tokenId}`),
    AccessTokenRevoked: (_entry, event) => entry(event, 'token.revoke', `token:${event.data.tokenId}`),
    AccessGranted: (_entry, event) => ofScope(event, 'access.grant', event.data.scope),
    AccessRevoked: (_entry, event) => ofScope(event, 'access.revoke', event.data.scope),
    TeamCreated: (_entry, event) => entry(event, 'team.create', `team:${event.data.teamId}`),
    TeamDeleted: (_entry, event) => entry(event, 'team.delete', `team:${event.data.teamId}`),
    TeamMemberAdded: (_entry, event) => entry(event, 'team.addMember', `team:${event.data.teamId}`),
    TeamMemberRemoved: (_entry, event) => entry(event, 'team.removeMember', `team:${event.data.teamId}`),
    AccessDaySealed: (_entry, event) => entry(event, 'accessDay.seal', `accessDay:${event.data.day}`),
    SigningKeyRotated: (_entry, event) => entry(event, 'key.rotate', `key:${event.data.keyId}`),
  },
  totals: (before, after) => {
    const done = after ?? before;
    return done === undefined ? {} : { [done.action]: Number(after !== undefined) - Number(before !== undefined) };
  },
});
