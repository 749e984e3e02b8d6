import { expect } from 'chai';
import { catalogue } from '../../src/events/catalogue.ts';
import type { Fact } from '../../src/events/event.ts';
import { auditTrail } from '../../src/projections/auditTrail.ts';
import { at, created, image, layer, linked, NAME, pushed, removed, tagged, unlinked, untagged } from '../support/facts.ts';
import { positionOf, projecting, type Told } from '../support/projecting.ts';
import { forAnyHistory } from '../support/repositoryCommands.ts';

const EVENT = '11111111-2222-4333-8444-555555555555';

const metadata = {
  actor: { kind: 'robot', id: '12' },
  requestId: 'r1',
  ip: 'sealed:address',
  userAgent: 'sealed:agent',
} as const;
const entry = (action: string, resource: string) => ({
  eventId: EVENT,
  at: at(0),
  actor: 'robot:12',
  action,
  resource,
  requestId: 'r1',
  ip: 'sealed:address',
  userAgent: 'sealed:agent',
});

const user = { userId: 3, username: 'ada', email: null, role: 'user', passwordHash: 'hash' };
const mounted = { ...linked(layer), data: { ...linked(layer).data, mountedFrom: 'team/base' } };

const audited: readonly (readonly [fact: Fact, action: string, resource: string])[] = [
  [created, 'repository.create', NAME],
  [linked(layer), 'blob.upload', `${NAME}@${layer.digest}`],
  [mounted, 'blob.mount', `${NAME}@${layer.digest}`],
  [unlinked(layer), 'blob.delete', `${NAME}@${layer.digest}`],
  [pushed(image), 'manifest.push', `${NAME}@${image.digest}`],
  [removed(image), 'manifest.delete', `${NAME}@${image.digest}`],
  [tagged('latest', image), 'tag.move', `${NAME}:latest`],
  [untagged('latest', image, at(0)), 'tag.delete', `${NAME}:latest`],
  [{ type: 'UserRegistered', data: user }, 'user.create', 'user:3'],
  [{ type: 'PasswordChanged', data: { userId: 3, passwordHash: 'hash' } }, 'user.changePassword', 'user:3'],
  [{ type: 'SigningKeyRotated', data: { keyId: 'k1', algorithm: 'HS256' } }, 'key.rotate', 'key:k1'],
];

describe('the audit trail', () => {
  for (const [fact, action, resource] of audited) {
    it(`says "${action}" of ${fact.type}: of what, by whom, from where and when`, () => {
      const told: Told = { ...fact, id: EVENT, metadata };
      projecting(auditTrail)(told).yields({ [positionOf(1)]: entry(action, resource) });
    });
  }

  it('knows every fact that this release writes', () => {
    expect(new Set(audited.map(([{ type }]) => type))).to.deep.equal(new Set(catalogue.types));
  });

  it('leaves out what is not known of the caller', () => {
    const { actor, requestId } = metadata;
    const { ip: _ip, userAgent: _userAgent, ...known } = entry('tag.move', `${NAME}:latest`);
    projecting(auditTrail)({ ...tagged('latest', image), id: EVENT, metadata: { actor, requestId } }).yields({
      [positionOf(1)]: known,
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
        const [, action] = audited.find(([{ type }]) => type === fact.type) ?? [];
        const rest = data.tag === undefined ? (data.digest === undefined ? '' : `@${data.digest}`) : `:${data.tag}`;
        const document = {
          eventId: `00000000-0000-4000-8000-${String(n + 1).padStart(12, '0')}`,
          at: at(n),
          actor: 'user:1',
          action,
          resource: `${NAME}${rest}`,
          requestId: 'request',
        };
        return [positionOf(n + 1), document];
      });
      projecting(auditTrail)(...history).yields(Object.fromEntries(entries) as never);
    }));
});
