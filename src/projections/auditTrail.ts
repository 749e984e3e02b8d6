import type { AccessSealEvents } from '../events/access.ts';
import type { AccessTokenEvents } from '../events/accessTokens.ts';
import type { Recorded } from '../events/event.ts';
import type { GrantEvents } from '../events/grants.ts';
import type { KeyEvents } from '../events/keys.ts';
import type { RepositoryEvents } from '../events/repository.ts';
import type { TeamEvents } from '../events/teams.ts';
import type { UserEvents } from '../events/users.ts';
import { projection } from './projection.ts';

/** `ip` and `userAgent` stay sealed here and are revealed to those who may read them, so that erasing a person leaves no copy. */
export type AuditEntry = Readonly<{
  eventId: string;
  at: string;
  actor: string;
  action: string;
  resource: string;
  requestId: string;
  ip?: string;
  userAgent?: string;
}>;

type Audited = RepositoryEvents & UserEvents & AccessTokenEvents & GrantEvents & TeamEvents & KeyEvents & AccessSealEvents;
type AuditedEvent = { [T in keyof Audited]: Recorded<T, Audited[T]> }[keyof Audited];

const entry = (event: AuditedEvent, action: string, resource: string): AuditEntry => {
  const { actor, at, requestId, ip, userAgent } = event.metadata;
  return {
    eventId: event.id,
    at,
    actor: `${actor.kind}:${actor.id}`,
    action,
    resource,
    requestId,
    ...(ip !== undefined && { ip }),
    ...(userAgent !== undefined && { userAgent }),
  };
};

/** What was decided, by whom and from where, in the order of the log: one document an event, under its position. */
export const auditTrail = projection<AuditEntry, Audited>({
  view: 'auditTrail',
  version: 1,
  indexes: [['actor'], ['action'], ['resource']],
  keysOf: ({ position }) => [position],
  on: {
    RepositoryCreated: (_entry, event) => entry(event, 'repository.create', event.data.repository),
    RepositoryDescribed: (_entry, event) => entry(event, 'repository.describe', event.data.repository),
    VisibilityChanged: (_entry, event) => entry(event, 'repository.changeVisibility', event.data.repository),
    OwnerChanged: (_entry, event) => entry(event, 'repository.changeOwner', event.data.repository),
    ImmutabilityRulesSet: (_entry, event) => entry(event, 'repository.setImmutability', event.data.repository),
    RepositoryDeleted: (_entry, event) => entry(event, 'repository.delete', event.data.repository),
    RepositoryCleared: (_entry, event) => entry(event, 'repository.clear', event.data.repository),
    BlobLinked: (_entry, event) =>
      entry(
        event,
        event.data.mountedFrom === undefined ? 'blob.upload' : 'blob.mount',
        `${event.data.repository}@${event.data.digest}`,
      ),
    BlobUnlinked: (_entry, event) => entry(event, 'blob.delete', `${event.data.repository}@${event.data.digest}`),
    ManifestPushed: (_entry, event) => entry(event, 'manifest.push', `${event.data.repository}@${event.data.digest}`),
    ManifestDeleted: (_entry, event) => entry(event, 'manifest.delete', `${event.data.repository}@${event.data.digest}`),
    ManifestReleased: (_entry, event) => entry(event, 'manifest.release', `${event.data.repository}@${event.data.digest}`),
    ManifestHeld: (_entry, event) => entry(event, 'manifest.hold', `${event.data.repository}@${event.data.digest}`),
    TagMoved: (_entry, event) => entry(event, 'tag.move', `${event.data.repository}:${event.data.tag}`),
    TagDeleted: (_entry, event) => entry(event, 'tag.delete', `${event.data.repository}:${event.data.tag}`),
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
    AccessGranted: (_entry, event) => entry(event, 'access.grant', event.data.scope),
    AccessRevoked: (_entry, event) => entry(event, 'access.revoke', event.data.scope),
    TeamCreated: (_entry, event) => entry(event, 'team.create', `team:${event.data.teamId}`),
    TeamDeleted: (_entry, event) => entry(event, 'team.delete', `team:${event.data.teamId}`),
    TeamMemberAdded: (_entry, event) => entry(event, 'team.addMember', `team:${event.data.teamId}`),
    TeamMemberRemoved: (_entry, event) => entry(event, 'team.removeMember', `team:${event.data.teamId}`),
    AccessDaySealed: (_entry, event) => entry(event, 'accessDay.seal', `accessDay:${event.data.day}`),
    SigningKeyRotated: (_entry, event) => entry(event, 'key.rotate', `key:${event.data.keyId}`),
  },
});
