import { expect } from 'chai';
import { type Db, MongoClient } from 'mongodb';
import { mongoLimiters } from '../../src/limits/mongo.ts';
import { mongoForTests, type TestDatabase } from '../support/mongo/mongoForTests.ts';
import { requires } from '../support/reporter.ts';
import { limitersContract } from './limiters.contract.ts';

const mongo = await mongoForTests();

describe(`limits shared by nodes, on ${mongo.name}`, function () {
  requires(this, mongo.missing === undefined, mongo.missing ?? '');
  let database: TestDatabase;
  let client: MongoClient;
  const db = (): Db => client.db();

  before(async () => {
    database = await mongo.database();
    client = new MongoClient(database.url);
  });
  beforeEach(() => db().dropDatabase());
  after(async () => {
    await client.close();
    await database.drop();
  });

  limitersContract('MongoDB', () => mongoLimiters(db()));

  it('are those of all nodes together', async () => {
    const nodes = [1, 2, 3].map(() => mongoLimiters(db())({ name: 'api', most: 5, windowSeconds: 3600 }));
    const spent = await Promise.all(Array.from({ length: 12 }, (_, turn) => nodes[turn % 3]?.spend('ann')));
    expect(spent.filter((one) => one?.allowed).length).to.be.within(1, 5);
    for (const node of nodes) expect((await node.spend('ann')).allowed).to.equal(false);
  });

  it('are cleared by the server of what is over', async () => {
    await mongoLimiters(db())({ name: 'api', most: 5, windowSeconds: 3600 }).spend('ann');
    const indexes = await db().collection('limits').indexes();
    expect(indexes.find(({ key }) => 'expire' in key)).to.include({ expireAfterSeconds: 0 });
    expect(indexes.find(({ key }) => 'key' in key)).to.include({ unique: true });
  });
});
