import { createSecretKey, randomBytes, randomUUID } from 'node:crypto';
import { expect } from 'chai';
import { decodeProtectedHeader } from 'jose';
import type { CommandContext } from '../src/commands/execute.ts';
import { RegistryError } from '../src/errors.ts';
import { systemContext } from '../src/firstStart.ts';
import { ensureSigningKey, rotateSigningKey, signingKeys } from '../src/identity/signingKeys.ts';
import { LONGEST_LIFETIME, type Tokens, tokens } from '../src/identity/tokens.ts';
import { KEEP_FOR, type KeyRotation, MOST_KEYS, startKeyRotation } from '../src/keyRotation.ts';
import type { Secrets } from '../src/secrets/secrets.ts';
import { sqliteSecrets } from '../src/secrets/sqlite.ts';
import { clock, refusalOf } from './identity/refusals.ts';

const START = Date.parse('2026-11-03T10:00:00.000Z');
const SECOND = 1000;
const DAY = 86_400_000;
const SESSION = { use: 'session', userId: 7, securityVersion: 3 } as const;
const REFRESH = { ...SESSION, use: 'refresh' } as const;

const ADA: CommandContext = { ...systemContext(), actor: { kind: 'user', id: '1' } };

type Node = Readonly<{ tokens: Tokens; rotation: KeyRotation; signsWith: () => Promise<unknown> }>;

describe('the rotation of signing keys', () => {
  let secrets: Secrets;
  let time: ReturnType<typeof clock>;
  let records: (readonly [keyId: string, actor: string])[];
  let onRecord: () => void;
  const running: KeyRotation[] = [];

  /** A node that looks when it is told to, and has looked once. */
  const node = async (days = 90): Promise<Node> => {
    const keys = await signingKeys(secrets, time.now);
    const service = tokens({ keys, issuer: 'ghostdock', service: 'ghostdock', newId: randomUUID, now: time.now });
    const rotation = startKeyRotation({
      secrets,
      keys,
      days,
      record: async (keyId, context) => {
        onRecord();
        // As the decider has it: once for each key.
        if (!records.some(([known]) => known === keyId)) records.push([keyId, context?.actor.id ?? 'registry']);
      },
      onError: (error) => {
        throw error;
      },
      now: time.now,
      lookEveryMs: 2 ** 30,
    });
    running.push(rotation);
    await rotation.stop();
    const signsWith = async () => decodeProtectedHeader((await service.issue(SESSION)).token).kid;
    return { tokens: service, rotation, signsWith };
  };
  const stored = async (): Promise<readonly string[]> => (await secrets.list('signing:')).map((id) => id.slice(8));
  const refused = async (work: () => unknown): Promise<string> => (await refusalOf(work)).code;

  beforeEach(async () => {
    secrets = sqliteSecrets(':memory:', createSecretKey(randomBytes(32)));
    time = clock(START);
    records = [['k1', 'registry']];
    onRecord = () => undefined;
    await ensureSigningKey(secrets, 'k1', START);
  });

  afterEach(async () => {
    for (const rotation of running.splice(0)) await rotation.stop();
    await secrets.close();
  });

  describe('by itself', () => {
    it('leaves a key alone that is younger than the setting says, and makes another at that age', async () => {
      const { rotation, signsWith } = await node(90);
      time.pass(90 * DAY - 1);
      await rotation.look();
      expect(await stored()).to.deep.equal(['k1']);
      time.pass(1);
      await rotation.look();
      time.pass(SECOND);
      const kid = await signsWith();
      expect(kid).not.to.equal('k1');
      expect(records).to.deep.equal([
        ['k1', 'registry'],
        [kid, 'registry'],
      ]);
    });

    it('looks when the registry starts', async () => {
      time.pass(91 * DAY);
      const { signsWith } = await node(90);
      time.pass(SECOND);
      expect(await signsWith()).not.to.equal('k1');
    });

    it('never comes where the setting is 0', async () => {
      const { rotation } = await node(0);
      time.pass(10_000 * DAY);
      await rotation.look();
      expect(await stored()).to.deep.equal(['k1']);
    });
  });

  describe('on two nodes', () => {
    it('comes once of both at the same time', async () => {
      const [one, two] = [await node(), await node()];
      time.pass(90 * DAY);
      await Promise.all([one.rotation.look(), two.rotation.look()]);
      expect(await stored()).to.have.lengthOf(2);
      expect(records).to.have.lengthOf(2);
      time.pass(SECOND);
      expect(await one.signsWith()).to.equal(await two.signsWith());
    });

    it('makes one key of two requests at the same time', async () => {
      const [one, two] = [await node(), await node()];
      const made = await Promise.all([one.rotation.rotate(ADA), two.rotation.rotate(ADA)]);
      expect(new Set(made.map(({ keyId }) => keyId)).size).to.equal(1);
      expect(await stored()).to.have.lengthOf(2);
    });

    it('logs nobody out: each verifies what the other signs, before it has looked and after', async () => {
      const [one, two] = [await node(), await node()];
      const { token: old } = await one.tokens.issue(SESSION);
      const { keyId } = await one.rotation.rotate(ADA);
      time.pass(SECOND);
      const { token } = await one.tokens.issue(SESSION);
      expect([await one.signsWith(), await two.signsWith()]).to.deep.equal([keyId, 'k1']);
      expect(await two.tokens.verify(token)).to.include({ userId: 7 });
      expect(await two.tokens.verify(old)).to.include({ userId: 7 });
      await two.rotation.look();
      time.pass(SECOND);
      expect(await two.signsWith()).to.equal(keyId);
    });
  });

  describe('asked for', () => {
    it('is recorded as done by who asked', async () => {
      const { keyId, madeAt } = await (await node()).rotation.rotate(ADA);
      expect(madeAt).to.equal(START + 1);
      expect(records.at(-1)).to.deep.equal([keyId, '1']);
    });

    it('is recorded by the next look a minute later, of any node, when the log did not take it', async () => {
      time.pass(DAY);
      const { rotation } = await node();
      const other = await node();
      onRecord = () => {
        throw new RegistryError('UNAVAILABLE', 'The log is away.');
      };
      expect(await refused(() => rotation.rotate(ADA))).to.equal('UNAVAILABLE');
      onRecord = () => undefined;
      time.pass(60 * SECOND - 1);
      await other.rotation.look();
      expect(records).to.have.lengthOf(1);
      time.pass(1);
      await other.rotation.look();
      expect(records.map(([keyId]) => keyId)).to.have.members([...(await stored())]);
    });

    it('is refused while there are very many keys', async () => {
      for (let index = 2; index < MOST_KEYS; index += 1) await rotateSigningKey(secrets, `k${index}`, START + index);
      const { rotation } = await node();
      await rotation.rotate(ADA);
      expect(await refused(() => rotation.rotate(ADA))).to.equal('CONFLICT');
      expect(await stored()).to.have.lengthOf(MOST_KEYS);
    });
  });

  describe('removes a key', () => {
    it('when it has not signed for longer than any token lives, and refuses its tokens from then on', async () => {
      const { rotation, tokens: service } = await node(0);
      time.pass(200 * DAY);
      const { token: last } = await service.issue(REFRESH);
      const { keyId } = await rotation.rotate(ADA);
      time.pass(LONGEST_LIFETIME);
      await rotation.look();
      expect(await service.verifyRefresh(last), 'its last token').to.include({ userId: 7 });
      time.pass(KEEP_FOR - LONGEST_LIFETIME);
      await rotation.look();
      expect(await stored()).to.have.members(['k1', keyId]);
      time.pass(1);
      await rotation.look();
      expect(await stored()).to.deep.equal([keyId]);

      const { token: fresh } = await service.issue(REFRESH);
      await service.reloadKeys();
      expect(await service.verifyRefresh(fresh)).to.include({ userId: 7 });
    });

    it('whose tokens nobody verifies any more, whatever they say of their end', async () => {
      time.pass(DAY);
      const { rotation } = await node(0);
      const endless = tokens({
        keys: await signingKeys(secrets, time.now),
        issuer: 'ghostdock',
        service: 'ghostdock',
        newId: randomUUID,
        now: time.now,
        lifetimeSeconds: { session: 10 * 365 * 86_400 },
      });
      const { token } = await endless.issue(SESSION);
      await rotation.rotate(ADA);
      time.pass(KEEP_FOR + 1);
      expect(await (await node(0)).tokens.verify(token), 'until it is removed').to.include({ userId: 7 });
      await rotation.look();
      expect(await refused(async () => (await node(0)).tokens.verify(token))).to.equal('UNAUTHENTICATED');
    });

    it('but never the newest, however old it is', async () => {
      const { rotation } = await node(0);
      time.pass(10 * KEEP_FOR);
      await rotation.look();
      expect(await stored()).to.deep.equal(['k1']);
    });
  });
});
