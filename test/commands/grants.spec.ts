import { type EndGrants, type GrantAccess, MOST_GRANTS, type RevokeAccess } from '../../src/commands/grants.ts';
import type { Fact } from '../../src/events/event.ts';
import type { GrantEvents, GrantSubject } from '../../src/events/grants.ts';
import { grants } from '../support/deciding.ts';

type Granted = GrantEvents['AccessGranted'];
type Revoked = GrantEvents['AccessRevoked'];

const ANN: GrantSubject = { user: 7 };
const DEVS: GrantSubject = { team: 7 };
const HERE = { scope: 'team/app', repositoryId: 'life-1' } as const;

const give = (rest: Partial<GrantAccess> = {}): GrantAccess => ({
  type: 'GrantAccess',
  subject: ANN,
  scope: 'team/*',
  level: 'read',
  ...rest,
});
const granted = (grantId: number, rest: Partial<Granted> = {}): Fact<'AccessGranted', Granted> => ({
  type: 'AccessGranted',
  data: { grantId, subject: ANN, scope: 'team/*', level: 'read', ...rest },
});
const revoked = (grantId: number, rest: Partial<Revoked> = {}): Fact<'AccessRevoked', Revoked> => ({
  type: 'AccessRevoked',
  data: { grantId, subject: ANN, scope: 'team/*', cause: 'revoked', ...rest },
});
const revoke = (grantId: number, place: RevokeAccess['place'] = 'prefix'): RevokeAccess => ({
  type: 'RevokeAccess',
  grantId,
  place,
});
const end = (rest: Partial<EndGrants> = {}): EndGrants => ({ type: 'EndGrants', ...HERE, ...rest });

describe('granting access', () => {
  it('gives each grant the next id, whoever has the others, and never one again', async () => {
    await grants()
      .when(give())
      .thenRecords([granted(1)]);
    await grants(granted(1), granted(2, { subject: DEVS }), revoked(2, { subject: DEVS }))
      .when(give({ subject: DEVS, level: 'write' }))
      .thenRecords([granted(3, { subject: DEVS, level: 'write' })]);
  });

  it('of what is granted already changes nothing', () => grants(granted(1, HERE)).when(give(HERE)).thenNothing());

  it('at another level takes the place of what was granted before', () =>
    grants(granted(1, { level: 'admin' }))
      .when(give({ level: 'read' }))
      .thenRecords([revoked(1, { cause: 'replaced' }), granted(2)]));

  it('keeps users and teams of the same number apart', () =>
    grants(granted(1, { subject: ANN }))
      .when(give({ subject: DEVS }))
      .thenRecords([granted(2, { subject: DEVS })]));

  it('in a new life of a name has nothing to do with that in the last', () =>
    grants(granted(1, HERE))
      .when(give({ ...HERE, repositoryId: 'life-2' }))
      .thenRecords([granted(2, { ...HERE, repositoryId: 'life-2' })]));

  for (const [what, place] of [
    ['no name at all', { scope: '' }],
    ['everything', { scope: '*' }],
    ['a star within a part', { scope: 'team/a*' }],
    ['a name that nothing can be called', { scope: 'Team/*' }],
    ['a name without the life that is meant', { scope: 'team/app' }],
    ['a prefix with a life', { scope: 'team/*', repositoryId: 'life-1' }],
    ['a name that is too long', { scope: `${'a'.repeat(256)}/*` }],
  ] as const)
    it(`is refused on ${what}`, () => grants().when(give(place)).thenRefuses('REQUEST_INVALID', { field: 'scope' }));

  it(`is refused beyond ${MOST_GRANTS} grants of one subject, and taken again when one was revoked`, async () => {
    const full = Array.from({ length: MOST_GRANTS }, (_, n) => granted(n + 1, { scope: `team${n}/*` }));
    await grants(...full)
      .when(give({ scope: 'more/*' }))
      .thenRefuses('CONFLICT', { most: MOST_GRANTS });
    await grants(...full)
      .when(give({ scope: 'more/*', subject: DEVS }))
      .thenRecords([granted(MOST_GRANTS + 1, { scope: 'more/*', subject: DEVS })]);
    await grants(...full)
      .when(give({ scope: 'team5/*', level: 'write' }))
      .thenRecords([
        revoked(6, { scope: 'team5/*', cause: 'replaced' }),
        granted(MOST_GRANTS + 1, { scope: 'team5/*', level: 'write' }),
      ]);
    await grants(...full, revoked(1, { scope: 'team0/*' }))
      .when(give({ scope: 'more/*' }))
      .thenRecords([granted(MOST_GRANTS + 1, { scope: 'more/*' })]);
  });
});

describe('revoking access', () => {
  it('ends a grant where it is', async () => {
    await grants(granted(1))
      .when(revoke(1))
      .thenRecords([revoked(1)]);
    await grants(granted(1, HERE))
      .when(revoke(1, HERE))
      .thenRecords([revoked(1, HERE)]);
  });

  it('is refused for a grant that there is not, or not here', async () => {
    await grants().when(revoke(1)).thenRefuses('NOT_FOUND', { grantId: 1 });
    await grants(granted(1), revoked(1)).when(revoke(1)).thenRefuses('NOT_FOUND', { grantId: 1 });
    await grants(granted(1)).when(revoke(1, HERE)).thenRefuses('NOT_FOUND', { grantId: 1 });
    await grants(granted(1, HERE)).when(revoke(1)).thenRefuses('NOT_FOUND', { grantId: 1 });
    await grants(granted(1, HERE))
      .when(revoke(1, { ...HERE, repositoryId: 'life-2' }))
      .thenRefuses('NOT_FOUND', { grantId: 1 });
  });

  it('of an ended life takes all that was granted in it, and nothing else', async () => {
    const others = [granted(2), granted(3, { ...HERE, repositoryId: 'life-2' }), granted(4, { ...HERE, scope: 'team/app2' })];
    const given = [granted(1, HERE), ...others, granted(5, { ...HERE, subject: DEVS })];
    const cause = 'repositoryDeleted' as const;
    await grants(...given)
      .when(end())
      .thenRecords([revoked(5, { ...HERE, subject: DEVS, cause }), revoked(1, { ...HERE, cause })]);
    await grants(...others)
      .when(end())
      .thenNothing();
  });
});
