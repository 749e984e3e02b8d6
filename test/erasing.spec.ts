import { createSecretKey, randomBytes, randomUUID } from 'node:crypto';
import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'chai';
import fc from 'fast-check';
import { accessTokensDecider } from '../src/commands/accessTokens.ts';
import { type CommandContext, type Execute, executing } from '../src/commands/execute.ts';
import { type UserCommand, usersDecider } from '../src/commands/users.ts';
import { type ErasingOptions, erasing, reserveUsernames } from '../src/erasing.ts';
import { isRefusal } from '../src/errors.ts';
import { catalogue } from '../src/events/catalogue.ts';
import type { NewEvent, Position } from '../src/events/event.ts';
import { LARGEST_READ, NO_STREAM } from '../src/events/log/log.ts';
import { sqliteEventLog } from '../src/events/log/sqlite.ts';
import { streamsUnder } from '../src/events/streams.ts';
import { userSubject } from '../src/events/users.ts';
import { compareViews } from '../src/moving/compareViews.ts';
import { accessTokens } from '../src/projections/accessTokens.ts';
import { groups, serving } from '../src/projections/groups.ts';
import type { Group } from '../src/projections/projection.ts';
import { startProjector } from '../src/projections/runner.ts';
import { userKey, usernames, users } from '../src/projections/users.ts';
import { sqliteViews } from '../src/projections/views/sqlite.ts';
import { LARGEST_PAGE, type Views } from '../src/projections/views/views.ts';
import { fingerprintsOf } from '../src/secrets/fingerprints.ts';
import { type Sealing, sealing } from '../src/secrets/sealing.ts';
import { UnusableSecrets } from '../src/secrets/secrets.ts';
import { sqliteSecrets } from '../src/secrets/sqlite.ts';
import { preparing } from '../src/stores.ts';

const streams = streamsUnder('test');
const ISSUER = 'https://id.example.com';
const FOR_EVER = Number.POSITIVE_INFINITY;

/** What stands in everything that is protected of a person: found anywhere, it was not erased. */
const traceOf = (person: number): string => `person-${person}`;

const contextOf = (userId: number): CommandContext => ({
  commandId: randomUUID(),
  actor: { kind: 'user', id: String(userId) },
  ip: `${traceOf(userId)}.example.com`,
  userAgent: `${traceOf(userId)}'s docker`,
  subject: userSubject(userId),
  requestId: 'request',
  correlationId: 'request',
});

/** A registry without HTTP: real seals, log, views and projector, in memory. */
const world = async () => {
  const log = await sqliteEventLog(':memory:');
  const secrets = sqliteSecrets(':memory:', createSecretKey(randomBytes(32)));
  const views = sqliteViews(':memory:', serving);
  const newSealing = (): Sealing => sealing(secrets, catalogue);
  const sealer = newSealing();
  const fingerprints = await fingerprintsOf(secrets);
  const prepare = preparing(sealer);
  const onError = (error: unknown): void => {
    throw error;
  };
  const projector = startProjector({ log, views, group: serving, prepare, onError });
  const clock = (): Date => new Date('2026-11-03T10:00:00.000Z');
  const execute = executing({ log, views, catalogue, prepare, seal: sealer.seal, clock, pause: () => turn() });
  const reached = (position: Position): Promise<boolean> => projector.reached(position, FOR_EVER);
  const options: ErasingOptions = { views, execute, streams, sealing: sealer, reached };

  const caughtUp = async (): Promise<boolean> => reached(await log.head());
  const change = async (command: UserCommand, by: number) => {
    const outcome = await execute(streams.users, usersDecider, command, contextOf(by));
    await reached(outcome.position);
    return outcome;
  };
  /** @param userId the next one */
  const register = (userId: number, identity = false) => {
    const [username, email, subject] = [traceOf(userId), `${traceOf(userId)}@example.com`, `${traceOf(userId)} there`];
    const named = { username, fingerprint: fingerprints.username(username), email, role: 'user' } as const;
    return change(
      identity
        ? { type: 'RegisterIdentity', issuer: ISSUER, subject, identity: fingerprints.identity(ISSUER, subject), ...named }
        : { type: 'RegisterUser', passwordHash: `hash of ${traceOf(userId)}`, ...named },
      userId,
    );
  };
  const issueToken = async (userId: number) => {
    const token = { userId, name: `${traceOf(userId)}'s laptop`, hash: randomBytes(32).toString('hex'), prefix: 'ghd_ab12' };
    const rest = { permissions: ['pull'], repositories: [], expiresAt: null, at: '2026-11-03T10:00:00.000Z' } as const;
    await execute(streams.tokens, accessTokensDecider, { type: 'IssueAccessToken', ...token, ...rest }, contextOf(userId));
    await caughtUp();
  };

  /** Views that are built of the log as it is now. */
  const rebuilt = async (group: Group, by: Sealing) => {
    const fresh = sqliteViews(':memory:', group);
    const building = startProjector({ log, views: fresh, group, prepare: preparing(by), onError });
    await building.reached(await log.head(), FOR_EVER);
    await building.stop();
    return fresh;
  };

  return {
    log,
    secrets,
    views,
    sealer,
    newSealing,
    fingerprints,
    execute,
    options,
    caughtUp,
    change,
    register,
    issueToken,
    rebuilt,
    erasure: erasing(options),
    history: () => log.readAll({ limit: LARGEST_READ }),
    close: async () => {
      await projector.stop();
      await views.close();
      await log.close();
      await secrets.close();
    },
  };
};
type World = Awaited<ReturnType<typeof world>>;

/** Everything that stands in views, as one text. */
const textOf = async (views: Views, group: Group): Promise<string> => {
  const texts: string[] = [];
  for (const view of group.views) {
    const { items, more } = await views.find(view, { limit: LARGEST_PAGE });
    expect(more).to.equal(false);
    texts.push(...items.map((item) => JSON.stringify(item)));
  }
  return texts.join('\n');
};

const PEOPLE = 4;
type Order = Readonly<{ kind: 'register' | 'token' | 'email' | 'password' | 'logout' | 'delete' | 'erase'; person: number }>;

const orders: fc.Arbitrary<readonly Order[]> = fc.array(
  fc.record({
    kind: fc.constantFrom<Order['kind']>(
      'register',
      'register',
      'token',
      'token',
      'email',
      'password',
      'logout',
      'delete',
      'erase',
    ),
    person: fc.integer({ min: 1, max: PEOPLE }),
  }),
  { maxLength: 25, size: 'max' },
);

const commandOf = ({ kind, person: userId }: Order): UserCommand => {
  if (kind === 'email') return { type: 'ChangeUser', userId, email: `${traceOf(userId)}@other.example.com` };
  if (kind === 'password') return { type: 'ChangePassword', userId, passwordHash: `new hash of ${traceOf(userId)}` };
  if (kind === 'logout') return { type: 'EndSession', userId, sessionId: randomUUID(), expiresAt: '2026-11-04T10:00:00.000Z' };
  return { type: 'DeleteUser', userId };
};

/** Gives the orders. @returns who was erased */
const carryOut = async (here: World, all: readonly Order[], otherNode: Sealing): Promise<ReadonlySet<number>> => {
  const erased = new Set<number>();
  let registered = 0;
  for (const order of all) {
    const { kind, person } = order;
    try {
      if (kind === 'register') {
        await here.register(registered + 1, registered % 2 === 1);
        registered += 1;
      } else if (person > registered) continue;
      else if (kind === 'token') await here.issueToken(person);
      else if (kind === 'erase') {
        await otherNode.reveal(await here.history());
        await here.erasure.erase(person, contextOf(person));
        erased.add(person);
      } else await here.change(commandOf(order), person);
    } catch (error) {
      if (!isRefusal(error, 'NOT_FOUND')) throw error;
    }
  }
  return erased;
};

describe('erasing a person', () => {
  let here: World;
  beforeEach(async () => {
    here = await world();
  });
  afterEach(() => here.close());

  it('leaves the same views as a rebuild, which is done with the key or without it, and no trace of the person in either', async () => {
    await fc.assert(
      fc.asyncProperty(orders, async (all) => {
        const one = await world();
        const remembering = one.newSealing();
        const open: Awaited<ReturnType<World['rebuilt']>>[] = [];
        try {
          const erased = await carryOut(one, all, remembering);
          await one.caughtUp();
          for (const group of Object.values(groups)) {
            const anew = await one.rebuilt(group, one.newSealing());
            const live = group === serving ? one.views : await one.rebuilt(group, one.sealer);
            const withKeys = await one.rebuilt(group, remembering);
            open.push(anew, withKeys);
            for (const target of [anew, withKeys])
              await compareViews({ group, source: live, target, streams: [streams.users, streams.tokens] });
            const text = await textOf(live, group);
            for (const person of erased) expect(text).not.to.contain(traceOf(person));
          }
          for (const person of erased)
            expect(await one.views.get(usernames, one.fingerprints.username(traceOf(person)))).to.deep.equal({ userId: person });
        } finally {
          for (const views of open) await views.close();
          await one.close();
        }
      }),
      { numRuns: 40 },
    );
  });

  it('makes unreadable what the log says of the person, and of nobody else', async () => {
    await here.register(1);
    await here.register(2);
    await here.issueToken(1);
    const readable = async (): Promise<string> => {
      const by = here.newSealing();
      return JSON.stringify(await by.revealMetadata(await by.reveal(await here.history())));
    };
    expect(await readable())
      .to.contain(traceOf(1))
      .and.to.contain(traceOf(2));
    await here.erasure.erase(1, contextOf(2));
    expect(await readable())
      .to.contain(traceOf(2))
      .and.to.contain('erased')
      .and.not.to.contain(traceOf(1));
  });

  it('is recorded once, and leaves nothing to finish', async () => {
    await here.register(1);
    await here.issueToken(1);
    expect((await here.erasure.erase(1, contextOf(1))).facts.map(({ type }) => type)).to.deep.equal([
      'UserDeleted',
      'PersonErased',
    ]);
    const before = await here.log.head();
    expect((await here.erasure.erase(1, contextOf(1))).facts).to.deep.equal([]);
    expect(await here.erasure.finish()).to.equal(0);
    expect(await here.log.head()).to.equal(before);
  });

  it('revokes more tokens than are gone through at a time', async () => {
    await here.register(1);
    await Promise.all(Array.from({ length: 201 }, () => here.issueToken(1)));
    await here.erasure.erase(1, contextOf(1));
    expect((await here.views.find(accessTokens, { where: { userId: 1 }, limit: 1 })).items).to.deep.equal([]);
  });

  it('reads as erased what is recorded of the person afterwards, such as the end of a long push', async () => {
    await here.register(1);
    await here.erasure.erase(1, contextOf(1));
    await here.register(2);
    await here.change({ type: 'ChangeUser', userId: 2, email: null }, 1);
    const [last] = await here.newSealing().revealMetadata((await here.history()).slice(-1));
    expect(last?.type).to.equal('EmailChanged');
    expect(last?.metadata).to.include({ ip: 'erased', userAgent: 'erased' });
  });

  describe('that was broken off is finished at the next start', () => {
    const stop = async (): Promise<never> => {
      throw new Error('The process died.');
    };
    const left = async (): Promise<boolean> => (await here.sealer.remaining([userSubject(1)])).length > 0;
    const tokens = async () => (await here.views.find(accessTokens, { limit: LARGEST_PAGE })).items.length;

    beforeEach(async () => {
      await here.register(1);
      await here.issueToken(1);
    });

    const broken = async (options: Partial<ErasingOptions>): Promise<void> => {
      const dying = erasing({ ...here.options, ...options });
      expect(await dying.erase(1, contextOf(1)).catch((error: Error) => error.message)).to.equal('The process died.');
      await here.caughtUp();
    };

    it('before the key was destroyed', async () => {
      await broken({ sealing: { ...here.sealer, erase: stop } });
      expect([await left(), await tokens()]).to.deep.equal([true, 1]);
      expect(await here.erasure.finish()).to.equal(1);
      expect([await left(), await tokens()]).to.deep.equal([false, 0]);
      expect(await here.erasure.finish()).to.equal(0);
    });

    it('before the tokens were revoked', async () => {
      const execute: Execute = (stream, ...given) => (stream === streams.tokens ? stop() : here.execute(stream, ...given));
      await broken({ execute });
      expect([await left(), await tokens()]).to.deep.equal([false, 1]);
      expect(await here.erasure.finish()).to.equal(1);
      expect(await tokens()).to.equal(0);
    });

    it('or by whoever asks again', async () => {
      await broken({ sealing: { ...here.sealer, erase: stop } });
      await here.erasure.erase(1, contextOf(1));
      expect([await left(), await tokens()]).to.deep.equal([false, 0]);
    });

    it('and so is one that an older backup of the secrets has undone', async () => {
      const key = (await here.secrets.get('subject:user-1')) ?? Buffer.alloc(0);
      await here.erasure.erase(1, contextOf(1));
      await here.secrets.delete('erased:user-1');
      await here.secrets.putIfAbsent('subject:user-1', key);
      expect(await here.erasure.finish()).to.equal(1);
      expect(await left()).to.equal(false);
    });
  });
});

describe('the names in a log that has no fingerprints of them', () => {
  let here: World;
  beforeEach(async () => {
    here = await world();
    const events = await Promise.all(
      [1, 2, 3].map((userId): Promise<NewEvent> => {
        const data = { userId, username: `older-${userId}`, email: null, role: 'user', passwordHash: 'hash' };
        const { actor, requestId, correlationId } = contextOf(userId);
        const metadata = { actor, requestId, correlationId, at: '2026-01-01T00:00:00.000Z', version: 1 };
        return here.sealer.seal({ id: randomUUID(), type: 'UserRegistered', data, metadata });
      }),
    );
    await here.log.append(streams.users, NO_STREAM, events);
    await here.caughtUp();
  });
  afterEach(() => here.close());

  it('get them once, and their users are found', async () => {
    await reserveUsernames(here.options, here.fingerprints);
    await here.caughtUp();
    for (const userId of [1, 2, 3]) {
      expect(await here.views.get(usernames, here.fingerprints.username(`OLDER-${userId}`))).to.deep.equal({ userId });
      expect(await here.views.get(users, userKey(userId))).to.include({ usernameReserved: true });
    }
    const head = await here.log.head();
    await reserveUsernames(here.options, here.fingerprints);
    expect(await here.log.head()).to.equal(head);
  });

  it('are not looked for with secrets of another registry', async () => {
    await reserveUsernames(here.options, here.fingerprints);
    await here.caughtUp();
    const others = await fingerprintsOf(sqliteSecrets(':memory:', createSecretKey(randomBytes(32))));
    const refused = await reserveUsernames(here.options, others).catch((error: unknown) => error);
    expect(refused).to.be.instanceOf(UnusableSecrets);
  });
});
