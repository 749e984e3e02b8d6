import type { Recorded } from '../events/event.ts';
import type { KeyEvents } from '../events/keys.ts';
import type { RepositoryEvents } from '../events/repository.ts';
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

type Audited = RepositoryEvents & UserEvents & KeyEvents;
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
    BlobLinked: (_entry, event) =>
      entry(
        event,
        event.data.mountedFrom === undefined ? 'blob.upload' : 'blob.mount',
        `${event.data.repository}@${event.data.digest}`,
      ),
    BlobUnlinked: (_entry, event) => entry(event, 'blob.delete', `${event.data.repository}@${event.data.digest}`),
    ManifestPushed: (_entry, event) => entry(event, 'manifest.push', `${event.data.repository}@${event.data.digest}`),
    ManifestDeleted: (_entry, event) => entry(event, 'manifest.delete', `${event.data.repository}@${event.data.digest}`),
    TagMoved: (_entry, event) => entry(event, 'tag.move', `${event.data.repository}:${event.data.tag}`),
    TagDeleted: (_entry, event) => entry(event, 'tag.delete', `${event.data.repository}:${event.data.tag}`),
    UserRegistered: (_entry, event) => entry(event, 'user.create', `user:${event.data.userId}`),
    PasswordChanged: (_entry, event) => entry(event, 'user.changePassword', `user:${event.data.userId}`),
    SigningKeyRotated: (_entry, event) => entry(event, 'key.rotate', `key:${event.data.keyId}`),
  },
});
