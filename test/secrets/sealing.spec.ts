import { createSecretKey, randomBytes } from 'node:crypto';
import { expect } from 'chai';
import fc from 'fast-check';
import { catalogue, InvalidEvent } from '../../src/events/catalogue.ts';
import type { Metadata, NewEvent } from '../../src/events/event.ts';
import { TamperedSeal } from '../../src/secrets/sealedText.ts';
import { monthSubject, type Sealing, sealing } from '../../src/secrets/sealing.ts';
import type { Secrets } from '../../src/secrets/secrets.ts';
import { sqliteSecrets } from '../../src/secrets/sqlite.ts';

const metadata: Metadata = {
  actor: { kind: 'user', id: '7' },
  ip: '192.0.2.1',
  userAgent: 'docker/29.0',
  requestId: 'r1',
  correlationId: 'r1',
  at: '2026-11-03T10:00:00.000Z',
  version: 1,
};
const registered = (id: string, userId = 7, data: Record<string, unknown> = {}): NewEvent => ({
  id,
  type: 'UserRegistered',
  data: { userId, username: 'ann', email: 'ann@example.org', role: 'user', passwordHash: '$argon2id$x', ...data },
  metadata,
});
const rotated: NewEvent = { id: 'k1', type: 'SigningKeyRotated', data: { keyId: 'k', algorithm: 'HS256' }, metadata };

type Calls = { reads: number; writes: number };
const counted = (secrets: Secrets): Secrets & { calls: Calls } => {
  const calls: Calls = { reads: 0, writes: 0 };
  const reading = <A extends readonly unknown[], R>(work: (...args: A) => R) => {
    return (...args: A): R => {
      calls.reads += 1;
      return work(...args);
    };
  };
  const putIfAbsent: Secrets['putIfAbsent'] = (id, secret) => {
    calls.writes += 1;
    return secrets.putIfAbsent(id, secret);
  };
  return { ...secrets, get: reading(secrets.get), getMany: reading(secrets.getMany), putIfAbsent, calls };
};

const dataOf = (event: NewEvent | undefined): Record<string, unknown> => event?.data as Record<string, unknown>;
const failure = async (work: () => Promise<unknown>): Promise<unknown> => {
  try {
    await work();
  } catch (error) {
    return error;
  }
  throw new Error('It did not fail.');
};

describe('protected fields', () => {
  let secrets: Secrets & { calls: Calls };
  let sealer: Sealing;

  /** As another node, or this one after a restart: the same store, nothing in memory. */
  const elsewhere = (): Sealing => sealing(secrets, catalogue);
  const revealed = async (event: NewEvent, by = sealer) => dataOf((await by.reveal([event]))[0]);

  beforeEach(() => {
    secrets = counted(sqliteSecrets(':memory:', createSecretKey(randomBytes(32))));
    sealer = sealing(secrets, catalogue);
  });

  afterEach(() => secrets.close());

  it('are sealed as the schemas want them, and nothing else of the event changes', async () => {
    const event = registered('e1');
    const sealed = await sealer.seal(event);
    catalogue.check(sealed);
    expect(JSON.stringify(sealed)).to.not.match(/ann|argon2id|192\.0\.2\.1|docker/);
    expect(dataOf(sealed).username).to.match(/^sealed:1:user-7:[A-Za-z0-9_-]+$/);
    expect({ ...sealed, data: dataOf(event), metadata }).to.deep.equal(event);
    expect(dataOf(sealed)).to.include({ userId: 7, role: 'user' });
  });

  it('come back in the clear, data by themselves and metadata when asked for', async () => {
    const event = registered('e1');
    const sealed = await sealer.seal(event);
    const [seen] = await elsewhere().reveal([sealed]);
    expect(seen).to.deep.equal({ ...sealed, data: event.data });
    expect(await elsewhere().revealMetadata([sealed])).to.deep.equal([{ ...sealed, metadata }]);
  });

  it('survive any text', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary' }), async (username) => {
        const sealed = await sealer.seal(registered('e1', 7, { username }));
        expect((await revealed(sealed)).username).to.equal(username);
      }),
      { numRuns: 50 },
    );
  });

  it('never look the same twice', async () => {
    const [one, two] = await Promise.all([sealer.seal(registered('e1')), sealer.seal(registered('e1'))]);
    expect(dataOf(one).username).to.not.equal(dataOf(two).username);
  });

  it('stay null where they are null', async () => {
    const sealed = await sealer.seal(registered('e1', 7, { email: null }));
    catalogue.check(sealed);
    expect(dataOf(sealed).email).to.equal(null);
    expect((await revealed(sealed)).email).to.equal(null);
  });

  it('refuse what is not a text, or not in the catalogue', async () => {
    expect(await failure(() => sealer.seal(registered('e1', 7, { username: 5 })))).to.be.instanceOf(InvalidEvent);
    expect(await failure(() => sealer.seal({ ...rotated, type: 'Unheard' }))).to.be.instanceOf(InvalidEvent);
  });

  it('of a newer release are left for the catalogue to refuse', async () => {
    const newer = { ...registered('e1'), metadata: { ...metadata, version: 9 } };
    expect(await sealer.reveal([newer])).to.deep.equal([newer]);
    const unheard = { ...rotated, type: 'Unheard' };
    expect(await sealer.reveal([unheard])).to.deep.equal([unheard]);
  });

  describe('of metadata', () => {
    const subjectIn = ({ metadata: { ip } }: NewEvent): string | undefined => ip?.split(':')[2];
    const by = (kind: Metadata['actor']['kind']): NewEvent => ({
      ...rotated,
      metadata: { ...metadata, actor: { kind, id: '9' } },
    });

    it('belong to the user who acted, and to the month where nobody is known', async () => {
      expect(subjectIn(await sealer.seal(by('user')))).to.equal('user-9');
      for (const kind of ['anonymous', 'system', 'token', 'robot'] as const) {
        expect(subjectIn(await sealer.seal(by(kind)))).to.equal('month-2026-11');
      }
    });

    it('belong to the subject that the caller names, such as the owner of a token', async () => {
      expect(subjectIn(await sealer.seal(by('token'), 'user-3'))).to.equal('user-3');
      expect(await failure(() => sealer.seal(by('token'), 'user:3'))).to.be.instanceOf(InvalidEvent);
    });

    it('stay absent where they are absent, and need no key then', async () => {
      const { ip: _ip, userAgent: _userAgent, ...bare } = metadata;
      const event = { ...rotated, metadata: bare };
      expect(await sealer.seal(event)).to.deep.equal(event);
      expect(secrets.calls).to.deep.equal({ reads: 0, writes: 0 });
    });

    it('hold at most 256 bytes of a user agent, in whole characters', async () => {
      await fc.assert(
        fc.asyncProperty(fc.string({ unit: 'binary', minLength: 50, maxLength: 400 }), async (userAgent) => {
          const sealed = await sealer.seal({ ...rotated, metadata: { ...metadata, userAgent } });
          const kept = (await sealer.revealMetadata([sealed]))[0]?.metadata.userAgent ?? '';
          expect(userAgent.startsWith(kept)).to.equal(true);
          expect(Buffer.byteLength(kept)).to.be.at.most(256);
          if (Buffer.byteLength(userAgent) > 256) expect(Buffer.byteLength(kept)).to.be.above(252);
          else expect(kept).to.equal(userAgent);
        }),
        { numRuns: 50 },
      );
    });

    it('fit the schema whatever the user agent is', async () => {
      catalogue.check(await sealer.seal({ ...rotated, metadata: { ...metadata, userAgent: '€'.repeat(5000) } }));
    });
  });

  describe('that somebody tampered with', () => {
    it('are noticed whichever character was changed, and the event is named', async () => {
      const sealed = await sealer.seal(registered('e1'));
      const text = dataOf(sealed).username as string;
      const start = 'sealed:1:user-7:'.length;
      // The first four bytes say which key it was: with another mark it reads as erased, see below.
      const firstAfterMark = start + 6;
      for (let index = firstAfterMark; index < text.length; index += 1) {
        const other = text[index] === 'A' ? 'B' : 'A';
        const forged = { ...sealed, data: { ...dataOf(sealed), username: text.slice(0, index) + other + text.slice(index + 1) } };
        const error = await failure(() => sealer.reveal([forged]));
        expect(error, `character ${index}`).to.be.instanceOf(TamperedSeal);
        expect((error as Error).message).to.contain('data.username of event e1 (UserRegistered)');
      }
    });

    it('are noticed when a ciphertext was moved to another field or another event', async () => {
      const one = await sealer.seal(registered('e1'));
      const two = await sealer.seal(registered('e2'));
      const toField = { ...one, data: { ...dataOf(one), username: dataOf(one).email } };
      const toEvent = { ...one, data: { ...dataOf(one), username: dataOf(two).username } };
      const toMetadata = { ...one, metadata: { ...one.metadata, ip: dataOf(one).username as string } };
      expect(await failure(() => sealer.reveal([toField]))).to.be.instanceOf(TamperedSeal);
      expect(await failure(() => sealer.reveal([toEvent]))).to.be.instanceOf(TamperedSeal);
      expect(await failure(() => sealer.revealMetadata([toMetadata]))).to.be.instanceOf(TamperedSeal);
    });

    for (const username of [
      'ann',
      'erased',
      'sealed:2:user-7:AAAA',
      'sealed:1:user-7:',
      'sealed:1:user-7',
      'sealed:1::AAAA',
      `sealed:1:user-7:${'A'.repeat(42)}`,
      `sealed:1:user-7:${'A'.repeat(43)} `,
      `sealed:1:user-7:${'+'.repeat(44)}`,
      5,
    ]) {
      it(`are noticed when they are ${JSON.stringify(username)}`, async () => {
        const sealed = await sealer.seal(registered('e1'));
        const forged = { ...sealed, data: { ...dataOf(sealed), username } };
        expect(await failure(() => sealer.reveal([forged]))).to.be.instanceOf(TamperedSeal);
      });
    }
  });

  describe('of a subject that was erased', () => {
    it('read as erased, here and elsewhere, and null stays null', async () => {
      const sealed = await sealer.seal(registered('e1', 7, { email: null }));
      await sealer.erase('user-7');
      const gone = { userId: 7, username: 'erased', email: null, role: 'user', passwordHash: 'erased' };
      expect(await revealed(sealed)).to.deep.equal(gone);
      expect(await revealed(sealed, elsewhere())).to.deep.equal(gone);
      expect((await sealer.revealMetadata([sealed]))[0]?.metadata).to.include({ ip: 'erased', userAgent: 'erased' });
    });

    it('leave those of others alone', async () => {
      const other = await sealer.seal(registered('e2', 8));
      await sealer.seal(registered('e1'));
      await sealer.erase('user-7');
      expect((await revealed(other)).username).to.equal('ann');
    });

    it('read as erased, too, when the subject is named again: it never gets another key', async () => {
      const before = await sealer.seal(registered('e1'));
      await sealer.erase('user-7');
      for (const by of [sealer, elsewhere()]) {
        const after = await by.seal(registered('e2'));
        catalogue.check(after);
        for (const event of [before, after])
          for (const reader of [sealer, by, elsewhere()]) expect((await revealed(event, reader)).username).to.equal('erased');
      }
      expect(await sealer.remaining(['user-7'])).to.deep.equal([]);
    });

    it('read as erased when its key comes back and is erased once more, as after an older backup', async () => {
      const before = await sealer.seal(registered('e1'));
      const key = (await secrets.get('subject:user-7')) ?? Buffer.alloc(0);
      await sealer.erase('user-7');
      await secrets.putIfAbsent('subject:user-7', key);
      expect(await sealer.remaining(['user-6', 'user-7'])).to.deep.equal(['user-7']);
      expect((await revealed(before, elsewhere())).username).to.equal('ann');
      await sealer.erase('user-7');
      expect((await revealed(before, elsewhere())).username).to.equal('erased');
    });

    it('may be read on another node for as long as that remembers keys, and never again', async () => {
      let now = 1;
      const other = sealing(secrets, catalogue, { cachedMs: 1000, now: () => now });
      const sealed = await sealer.seal(registered('e1'));
      expect((await revealed(sealed, other)).username).to.equal('ann');
      await sealer.erase('user-7');
      expect((await revealed(sealed)).username).to.equal('erased');
      now += 1001;
      expect((await revealed(sealed, other)).username).to.equal('erased');
    });

    it('are not brought back by a read of the key that was under way', async () => {
      const sealed = await sealer.seal(registered('e1'));
      let arrive = (): void => undefined;
      const gate = new Promise<void>((resolve) => {
        arrive = resolve;
      });
      const late = async <T>(value: Promise<T>): Promise<T> => {
        await value;
        await gate;
        return value;
      };
      const slow = sealing(
        { ...secrets, get: (id) => late(secrets.get(id)), getMany: (ids) => late(secrets.getMany(ids)) },
        catalogue,
      );
      const underWay = Promise.all([slow.reveal([sealed]), slow.seal(registered('e2'))]);
      await slow.erase('user-7');
      arrive();
      await underWay;
      expect((await revealed(sealed, slow)).username).to.equal('erased');
    });
  });

  describe('at little cost', () => {
    it('read one key for many events of a subject, sealed at once or revealed in a batch', async () => {
      const sealed = await Promise.all(Array.from({ length: 50 }, (_, index) => sealer.seal(registered(`e${index}`))));
      // The key, and whether there was one.
      expect(secrets.calls).to.deep.equal({ reads: 2, writes: 1 });
      const fresh = elsewhere();
      await fresh.reveal(sealed);
      await fresh.reveal(sealed);
      expect(secrets.calls).to.deep.equal({ reads: 3, writes: 1 });
    });

    it('read once for a batch of many subjects', async () => {
      const sealed = await Promise.all([1, 2, 3].map((userId) => sealer.seal(registered(`e${userId}`, userId))));
      const before = secrets.calls.reads;
      await elsewhere().reveal(sealed);
      expect(secrets.calls.reads - before).to.equal(1);
    });

    it('read nothing for events without protected fields', async () => {
      const events = [{ ...rotated, metadata: { ...metadata, ip: 'sealed:1:user-7:AAAA' } }];
      expect(await sealer.reveal(events)).to.equal(events);
      expect(secrets.calls).to.deep.equal({ reads: 0, writes: 0 });
    });

    it('hold no more keys than allowed', async () => {
      const small = sealing(secrets, catalogue, { cached: 2 });
      const sealed: NewEvent[] = [];
      for (const userId of [1, 2, 3]) sealed.push(await small.seal(registered(`e${userId}`, userId), `user-${userId}`));
      const before = secrets.calls.reads;
      await small.reveal(sealed.slice(1));
      expect(secrets.calls.reads).to.equal(before);
      await small.reveal(sealed.slice(0, 1));
      expect(secrets.calls.reads).to.equal(before + 1);
    });
  });

  it('give creators of a subject on two nodes one key', async () => {
    const [one, two] = await Promise.all([sealer.seal(registered('e1')), elsewhere().seal(registered('e2'))]);
    const seen = await elsewhere().reveal([one, two]);
    expect(seen.map((event) => dataOf(event).username)).to.deep.equal(['ann', 'ann']);
  });

  it('that no person is in outlive everybody: the hash of an access token', async () => {
    const data = {
      tokenId: 1,
      userId: 7,
      name: 'laptop',
      hash: 'a'.repeat(64),
      prefix: 'ghd_abcd',
      permissions: ['pull'],
      repositories: [],
      expiresAt: null,
    };
    const sealed = await sealer.seal({ id: 't1', type: 'AccessTokenIssued', data, metadata });
    catalogue.check(sealed);
    expect(JSON.stringify(sealed)).to.not.match(/laptop|aaaaaaaa/);
    expect(await revealed(sealed, elsewhere())).to.deep.equal(data);
    await sealer.erase('user-7');
    expect(await revealed(sealed, elsewhere())).to.deep.equal({ ...data, name: 'erased' });
  });

  it('name the month of the time that an event happened', () => {
    expect(monthSubject('2027-01-31T23:59:59.999Z')).to.equal('month-2027-01');
  });
});
