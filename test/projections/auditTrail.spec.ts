import { expect } from 'chai';
import { catalogue } from '../../src/events/catalogue.ts';
import type { Fact } from '../../src/events/event.ts';
import { type AuditEntry, auditTrail, FACT_ACTIONS, type FactAction } from '../../src/projections/auditTrail.ts';
import { trailKey } from '../../src/projections/trail.ts';
import {
  at,
  cleared,
  created,
  described,
  ended,
  given,
  heldAgain,
  image,
  layer,
  linked,
  NAME,
  pushed,
  released,
  removed,
  ruled,
  shownTo,
  tagged,
  unlinked,
  untagged,
} from '../support/facts.ts';
import { positionOf, projecting, type Told } from '../support/projecting.ts';
import { forAnyHistory } from '../support/repositoryCommands.ts';

const EVENT = '11111111-2222-4333-8444-555555555555';

const metadata = {
  actor: { kind: 'robot', id: '12' },
  requestId: 'r1',
  ip: 'sealed:address',
  userAgent: 'sealed:agent',
} as const;
const digestIn = (action: FactAction) => (action === 'tag.move' ? { digest: image.digest } : {});
const entry = (action: FactAction, resource: string): AuditEntry => ({
  eventId: EVENT,
  at: at(0),
  actor: 'robot:12',
  who: 'user:12',
  action,
  resource,
  ...(resource.startsWith(NAME) && { repository: NAME }),
  ...digestIn(action),
  requestId: 'r1',
  ip: 'sealed:address',
  userAgent: 'sealed:agent',
});

const user = { userId: 3, username: 'ada', email: null, role: 'user', passwordHash: 'hash' };
const token = {
  tokenId: 5,
  userId: 3,
  name: 'CI',
  hash: 'hash',
  prefix: 'ghd_ab12',
  permissions: [],
  repositories: [],
  expiresAt: null,
};
const mounted = { ...linked(layer), data: { ...linked(layer).data, mountedFrom: 'team/base' } };

const audited: readonly (readonly [fact: Fact, action: FactAction, resource: string])[] = [
  [created, 'repository.create', NAME],
  [ruled('v*'), 'repository.setImmutability', NAME],
  [ended(1, 1), 'repository.delete', NAME],
  [cleared, 'repository.clear', NAME],
  [linked(layer), 'blob.upload', `${NAME}@${layer.digest}`],
  [mounted, 'blob.mount', `${NAME}@${layer.digest}`],
  [unlinked(layer), 'blob.delete', `${NAME}@${layer.digest}`],
  [pushed(image), 'manifest.push', `${NAME}@${image.digest}`],
  [removed(image), 'manifest.delete', `${NAME}@${image.digest}`],
  [released(image, 'tagDeleted'), 'manifest.release', `${NAME}@${image.digest}`],
  [heldAgain(image, 'tag'), 'manifest.hold', `${NAME}@${image.digest}`],
  [tagged('latest', image), 'tag.move', `${NAME}:latest`],
  [untagged('latest', image, at(0)), 'tag.delete', `${NAME}:latest`],
  [{ type: 'UserRegistered', data: user }, 'user.create', 'user:3'],
  [{ type: 'PasswordChanged', data: { userId: 3, passwordHash: 'hash' } }, 'user.changePassword', 'user:3'],
  [{ type: 'EmailChanged', data: { userId: 3, email: null } }, 'user.changeEmail', 'user:3'],
  [{ type: 'RoleChanged', data: { userId: 3, role: 'admin', previous: 'user' } }, 'user.changeRole', 'user:3'],
  [{ type: 'UserSuspended', data: { userId: 3 } }, 'user.suspend', 'user:3'],
  [{ type: 'UserReinstated', data: { userId: 3, role: 'admin' } }, 'user.reinstate', 'user:3'],
  [{ type: 'UserDeleted', data: { userId: 3 } }, 'user.delete', 'user:3'],
  [
    {
      type: 'IdentityLinked',
      data: { userId: 3, issuer: 'https://id.example.com', subject: 'ada-1', fingerprint: 'f'.repeat(43) },
    },
    'user.linkIdentity',
    'user:3',
  ],
  [{ type: 'UsernameReserved', data: { userId: 3, fingerprint: 'f' } }, 'user.reserveName', 'user:3'],
  [{ type: 'PersonErased', data: { userId: 3, identities: [] } }, 'user.erase', 'user:3'],
  [{ type: 'SessionEnded', data: { userId: 3, sessionId: 's1', expiresAt: at(9) } }, 'user.logout', 'user:3'],
  [{ type: 'AccessTokenIssued', data: token }, 'token.create', 'token:5'],
  [{ type: 'AccessTokenRevoked', data: { tokenId: 5, userId: 3 } }, 'token.revoke', 'token:5'],
  [described('text'), 'repository.describe', NAME],
  [shownTo('public'), 'repository.changeVisibility', NAME],
  [given(9), 'repository.changeOwner', NAME],
  [
    { type: 'AccessGranted', data: { grantId: 1, subject: { user: 3 }, scope: 'team/*', level: 'read' } },
    'access.grant',
    'team/*',
  ],
  [
    { type: 'AccessRevoked', data: { grantId: 1, subject: { user: 3 }, scope: 'team/*', cause: 'revoked' } },
    'access.revoke',
    'team/*',
  ],
  [{ type: 'TeamCreated', data: { teamId: 4, name: 'dev' } }, 'team.create', 'team:4'],
  [{ type: 'TeamDeleted', data: { teamId: 4, name: 'dev', members: [] } }, 'team.delete', 'team:4'],
  [{ type: 'TeamMemberAdded', data: { teamId: 4, userId: 3 } }, 'team.addMember', 'team:4'],
  [{ type: 'TeamMemberRemoved', data: { teamId: 4, userId: 3 } }, 'team.removeMember', 'team:4'],
  [{ type: 'SigningKeyRotated', data: { keyId: 'k1', algorithm: 'HS256' } }, 'key.rotate', 'key:k1'],
  [{ type: 'AccessDaySealed', data: { day: '2026-03-01' } }, 'accessDay.seal', 'accessDay:2026-03-01'],
];

describe('the audit trail', () => {
  for (const [fact, action, resource] of audited) {
    it(`says "${action}" of ${fact.type}: of what, by whom, from where and when`, () => {
      const told: Told = { ...fact, id: EVENT, metadata };
      projecting(auditTrail)(told).yields({ [trailKey(at(0), positionOf(1))]: entry(action, resource) });
      projecting(auditTrail)(told).addsUpTo({ [action]: 1 });
    });
  }

  it('knows every fact that this release writes', () => {
    expect(new Set(audited.map(([{ type }]) => type))).to.deep.equal(new Set(catalogue.types));
  });

  it('has a list of all its actions', () => {
    expect(new Set(audited.map(([, action]) => action))).to.deep.equal(new Set(FACT_ACTIONS));
  });

  it('finds what is granted on a repository as something about it, and what is granted on a prefix by that alone', () => {
    const grantOn = (scope: string): Told => ({
      type: 'AccessGranted',
      data: { grantId: 1, subject: { user: 3 }, scope, level: 'read' },
      id: EVENT,
      metadata,
    });
    projecting(auditTrail)(grantOn(NAME)).yields({
      [trailKey(at(0), positionOf(1))]: { ...entry('access.grant', NAME), repository: NAME },
    });
    projecting(auditTrail)(grantOn('team/*')).yields({ [trailKey(at(0), positionOf(1))]: entry('access.grant', 'team/*') });
  });

  it('knows whose token it was by the subject that his address is sealed for, also when the key is gone', () => {
    const told = (who: object): Told => ({ ...tagged('latest', image), id: EVENT, metadata: { ...metadata, ...who } });
    const expected = (who: object) => ({
      [trailKey(at(0), positionOf(1))]: { ...entry('tag.move', `${NAME}:latest`), ...who },
    });
    const token = { kind: 'token', id: '5' } as const;
    const sealed = 'sealed:1:user-7:abcd';
    projecting(auditTrail)(told({ actor: token, ip: sealed })).yields(expected({ actor: 'token:5', who: 'user:7', ip: sealed }));
    projecting(auditTrail)(told({ actor: token })).yields(expected({ actor: 'token:5', who: 'token:5' }));
    // Whoever is named by himself is who he says.
    const user = { kind: 'user', id: '8' } as const;
    projecting(auditTrail)(told({ actor: user, ip: sealed })).yields(expected({ actor: 'user:8', who: 'user:8', ip: sealed }));
  });

  it('leaves out what is not known of the caller', () => {
    const { actor, requestId } = metadata;
    const { ip: _ip, userAgent: _userAgent, ...known } = entry('tag.move', `${NAME}:latest`);
    projecting(auditTrail)({ ...tagged('latest', image), id: EVENT, metadata: { actor, requestId } }).yields({
      [trailKey(at(0), positionOf(1))]: known,
    });
  });

  it('holds no name, address or hash of a user', () => {
    const told = [
      { type: 'UserRegistered', data: { ...user, email: 'ada@example.com' } },
      { type: 'PasswordChanged', data: user },
    ];
    const spied = { ...auditTrail, on: {} as Record<string, unknown> };
    const documents: string[] = [];
    for (const [type, step] of Object.entries(auditTrail.on))
      spied.on[type] = (...seen: Parameters<typeof step>) => {
        const document = step(...seen);
        documents.push(JSON.stringify(document));
        return document;
      };
    projecting(spied as typeof auditTrail)(...told);
    expect(documents.length).to.be.greaterThan(0);
    for (const document of documents) expect(document).not.to.match(/ada|hash/);
  });

  it('has one entry an event, in the order of the log, whatever the history was', () =>
    forAnyHistory((history) => {
      const entries: [string, unknown][] = history.map((fact, n) => {
        const data = fact.data as { digest?: string; tag?: string };
        const [, action = 'key.rotate'] = audited.find(([{ type }]) => type === fact.type) ?? [];
        const rest = data.tag === undefined ? (data.digest === undefined ? '' : `@${data.digest}`) : `:${data.tag}`;
        const document = {
          eventId: `00000000-0000-4000-8000-${String(n + 1).padStart(12, '0')}`,
          at: at(n),
          actor: 'user:1',
          who: 'user:1',
          action,
          resource: `${NAME}${rest}`,
          repository: NAME,
          ...(action === 'tag.move' && { digest: data.digest }),
          requestId: 'request',
        };
        return [trailKey(at(n), positionOf(n + 1)), document];
      });
      projecting(auditTrail)(...history).yields(Object.fromEntries(entries) as never);
    }));
});
