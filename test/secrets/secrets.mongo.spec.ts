import { createSecretKey, randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { MongoClient } from 'mongodb';
import { mongoSecrets } from '../../src/secrets/mongo.ts';
import type { Secrets } from '../../src/secrets/secrets.ts';
import { UnusableSecrets } from '../../src/secrets/secrets.ts';
import { secretsContract } from '../contracts/secrets.contract.ts';
import { mongoForTests, type TestDatabase } from '../support/mongo/mongoForTests.ts';
import { requires } from '../support/reporter.ts';

const newKey = () => createSecretKey(randomBytes(32));
const mongo = await mongoForTests();

describe(`secrets in MongoDB (${mongo.name})`, function () {
  requires(this, mongo.missing === undefined, mongo.missing ?? '');

  let database: TestDatabase;
  let client: MongoClient;

  before(async () => {
    database = await mongo.database();
    client = new MongoClient(database.url);
  });

  after(async () => {
    await client.close();
    await database.drop();
  });

  beforeEach(async () => {
    for (const name of ['about', 'secrets']) await client.db().collection(name).deleteMany({});
  });

  describe('keep the contract', () => {
    secretsContract(() => {
      const key = newKey();
      return { open: () => mongoSecrets(client.db(), key), dispose: () => undefined };
    });
  });

  describe('as they are stored', () => {
    const key = newKey();
    const opened = (withKey = key): Promise<Secrets> => mongoSecrets(client.db(), withKey);
    const failureOf = (work: Promise<unknown>): Promise<unknown> => work.catch((reason: unknown) => reason);
    const stored = () => client.db().collection<{ _id: string; wrapped: Uint8Array }>('secrets', { promoteBuffers: true });

    it('refuse a key that they were not made with, also while there are none, and say so', async () => {
      await opened();
      const error = await failureOf(opened(newKey()));
      expect(error).to.be.instanceOf(UnusableSecrets);
      expect((error as Error).message).to.match(/key-encryption key does not fit/);
      expect(await (await opened()).list('')).to.deep.equal([]);
    });

    it('are held to one key by many processes that start at once', async () => {
      const keys = Array.from({ length: 8 }, newKey);
      const results = await Promise.allSettled(keys.map((one) => opened(one)));
      expect(results.filter(({ status }) => status === 'fulfilled')).to.have.lengthOf(1);
    });

    it('refuse what a newer release wrote', async () => {
      await opened();
      await client
        .db()
        .collection('about')
        .updateMany({}, { $set: { format: 2 } });
      expect(await failureOf(opened()))
        .to.be.instanceOf(UnusableSecrets)
        .with.property('message')
        .that.matches(/newer release/);
    });

    it('are ciphertext, and gone once they are deleted', async () => {
      const secrets = await opened();
      await secrets.putIfAbsent('a', Buffer.from('a secret that nobody should find'));
      const { wrapped } = (await stored().findOne({ _id: 'a' })) ?? {};
      expect(Buffer.from(wrapped ?? []).includes('nobody should find')).to.equal(false);
      expect(wrapped).to.have.lengthOf(32 + 28);
      await secrets.delete('a');
      expect(await stored().findOne({ _id: 'a' })).to.equal(null);
    });

    it('are noticed when they were moved to another id', async () => {
      const secrets = await opened();
      await secrets.putIfAbsent('a', Buffer.from('for a'));
      const moved = await stored().findOne({ _id: 'a' });
      await stored().insertOne({ _id: 'b', wrapped: moved?.wrapped ?? Buffer.alloc(0) });
      expect(await failureOf(secrets.get('b')))
        .to.be.instanceOf(UnusableSecrets)
        .with.property('message')
        .that.contains('The secret b was altered');
    });

    it('are noticed when their bytes were altered or cut', async () => {
      const secrets = await opened();
      await secrets.putIfAbsent('a', Buffer.from('secret'));
      const whole = Buffer.from((await stored().findOne({ _id: 'a' }))?.wrapped ?? []);
      for (const altered of [Buffer.concat([whole, Buffer.alloc(1)]), whole.subarray(0, 20), Buffer.alloc(0)]) {
        await stored().updateOne({ _id: 'a' }, { $set: { wrapped: altered } });
        expect(await failureOf(secrets.getMany(['a']))).to.be.instanceOf(UnusableSecrets);
      }
    });

    it('are listed and read by the thousand', async () => {
      const ids = Array.from({ length: 2001 }, (_, n) => `many:${String(n).padStart(5, '0')}`);
      const secrets = await opened();
      await secrets.putIfAbsent('many:00000', Buffer.from('first'));
      await secrets.putIfAbsent('many;', Buffer.from('other'));
      await stored().insertMany(ids.slice(1).map((_id) => ({ _id, wrapped: Buffer.alloc(0) })));
      expect(await secrets.list('many:')).to.deep.equal(ids);
      const gaps = Array.from({ length: 2500 }, (_, n) => `gap:${n}`);
      const found = await secrets.getMany([...gaps, 'many:00000']);
      expect(found).to.have.lengthOf(2501);
      expect(Buffer.from(found.at(-1) ?? []).toString()).to.equal('first');
    });
  });
});
