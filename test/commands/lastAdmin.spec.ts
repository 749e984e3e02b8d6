import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'chai';
import fc from 'fast-check';
import { type UserCommand, usersDecider } from '../../src/commands/users.ts';
import { RegistryError } from '../../src/errors.ts';
import type { Recorded } from '../../src/events/event.ts';
import type { Role, UserEvents } from '../../src/events/users.ts';
import { activeAdmins } from '../../src/projections/users.ts';
import { context, historyOf, type Mishap, prepare, troubled, USERS, world } from '../support/executing.ts';
import { fingerprintOf } from '../support/facts.ts';

const NODES = 2;
const PEOPLE = 4;

type Round = Readonly<{ projecting: boolean; given: readonly Readonly<{ node: number; command: UserCommand }>[] }>;

const userId = fc.integer({ min: 1, max: PEOPLE });
const role = fc.constantFrom<Role>('admin', 'user');
const command: fc.Arbitrary<UserCommand> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ type: fc.constant('ChangeUser' as const), userId, role }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constant('ChangeUser' as const), userId, suspended: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('ChangeUser' as const), userId, role, suspended: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constantFrom('DeleteUser' as const, 'ErasePerson' as const), userId }) },
);
const rounds: fc.Arbitrary<readonly Round[]> = fc.array(
  fc.record({
    projecting: fc.boolean(),
    given: fc.array(fc.record({ node: fc.nat(NODES - 1), command }), { minLength: 2, maxLength: 5, size: 'max' }),
  }),
  { minLength: 1, maxLength: 8, size: 'max' },
);
const mishaps = fc.array(fc.constantFrom<'none' | 'answerLost' | 'requestLost'>('none', 'none', 'answerLost', 'requestLost'), {
  maxLength: 20,
});

const register = (n: number, as: Role): UserCommand => ({
  type: 'RegisterUser',
  username: `user-${n}`,
  fingerprint: fingerprintOf(`user-${n}`),
  email: null,
  role: as,
  passwordHash: 'hash',
});

type Person = { role: Role; suspended: boolean };
type Told = { [T in keyof UserEvents]: Recorded<T, UserEvents[T]> }[keyof UserEvents];

/** After each event, who may log in as an administrator: told by a fold of its own. */
const adminsAfterEach = (history: readonly Told[]): readonly (readonly number[])[] => {
  const people = new Map<number, Person>();
  return history.map((event) => {
    const { userId: id } = event.data;
    const person = people.get(id) ?? { role: 'user', suspended: false };
    if (event.type === 'UserRegistered' || event.type === 'RoleChanged') people.set(id, { ...person, role: event.data.role });
    if (event.type === 'UserSuspended') people.set(id, { ...person, suspended: true });
    if (event.type === 'UserReinstated') people.set(id, { ...person, suspended: false });
    if (event.type === 'UserDeleted') people.delete(id);
    return [...people].filter(([, one]) => one.role === 'admin' && !one.suspended).map(([found]) => found);
  });
};

describe('administrators who demote, suspend and delete each other at the same time, on several nodes', () => {
  it('always leave one who may log in, whatever happens to their appends', async () => {
    await fc.assert(
      fc.asyncProperty(rounds, fc.array(mishaps, { minLength: NODES, maxLength: NODES }), async (all, troubles) => {
        const here = await world();
        let held = Promise.withResolvers<void>();
        held.resolve();
        const projector = here.project(() => held.promise);
        try {
          const first = here.node();
          for (let n = 1; n <= PEOPLE; n += 1)
            await first(USERS, usersDecider, register(n, n <= 2 ? 'admin' : 'user'), context());
          const nodes = troubles.map((met) =>
            here.node({
              log: troubled(
                here.log,
                met.map((one): Mishap => (one === 'none' ? () => turn() : one)),
              ),
            }),
          );
          for (const { projecting, given } of all) {
            held.resolve();
            held = Promise.withResolvers<void>();
            if (projecting) held.resolve();
            const answers = await Promise.allSettled(
              given.map(({ node, command: one }) => (nodes[node] ?? first)(USERS, usersDecider, one, context())),
            );
            for (const answer of answers)
              if (answer.status === 'rejected') {
                expect(answer.reason).to.be.instanceOf(RegistryError);
                expect((answer.reason as RegistryError).code).to.be.oneOf(['CONFLICT', 'NOT_FOUND']);
              }
          }
          const history = (await prepare(await historyOf(here.log, USERS))) as unknown as readonly Told[];
          const admins = adminsAfterEach(history);
          for (const left of admins) expect(left).not.to.deep.equal([]);
          held.resolve();
          await projector.reached(await here.log.head(), Number.POSITIVE_INFINITY);
          const shown = (await here.views.find(activeAdmins, { limit: 10 })).items.map(({ key }) => Number(key));
          expect(shown).to.deep.equal([...(admins.at(-1) ?? [])].sort((a, b) => a - b));
        } finally {
          held.resolve();
          await here.close();
        }
      }),
      { numRuns: 60 },
    );
  });

  it('are two no more when both demote the other: one of them is refused', async () => {
    const here = await world();
    try {
      const [one, other] = [here.node(), here.node()];
      for (const n of [1, 2]) await one(USERS, usersDecider, register(n, 'admin'), context());
      const demote = (id: number): UserCommand => ({ type: 'ChangeUser', userId: id, role: 'user' });
      const answers = await Promise.allSettled([
        one(USERS, usersDecider, demote(1), context()),
        other(USERS, usersDecider, demote(2), context()),
      ]);
      expect(answers.map(({ status }) => status).sort()).to.deep.equal(['fulfilled', 'rejected']);
    } finally {
      await here.close();
    }
  });
});
