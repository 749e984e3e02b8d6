import { expect } from 'chai';
import type { Db, Document } from 'mongodb';
import { auditTrail, FACT_ACTIONS } from '../../src/projections/auditTrail.ts';
import type { Group, Projection } from '../../src/projections/projection.ts';
import { trailKey } from '../../src/projections/trail.ts';
import { mongoViews } from '../../src/projections/views/mongo.ts';
import { type MongoConnection, mongoConnection } from '../../src/projections/views/mongoConnection.ts';
import { compileCount, compileFind } from '../../src/projections/views/mongoQuery.ts';
import type { Where } from '../../src/projections/views/views.ts';
import { mongoForTests, type TestDatabase } from '../support/mongo/mongoForTests.ts';
import { positionOf } from '../support/projecting.ts';
import { requires } from '../support/reporter.ts';

const mongo = await mongoForTests();

const MANY = 2000;
const LIMIT = 20;
const at = (n: number): string => new Date(Date.UTC(2026, 0, 1) + n).toISOString();
const all = { $in: FACT_ACTIONS };

const QUESTIONS: readonly (readonly [what: string, where: Where])[] = [
  ['everything', {}],
  ['a time', { key: { $gte: at(10), $lt: at(MANY - 10) } }],
  ['an action', { action: 'tag.move' }],
  ['the actions of a noun', { action: { $in: ['tag.move', 'tag.delete'] } }],
  ['a user', { who: 'user:1', action: all }],
  ['a user and an action', { who: 'user:1', action: 'tag.move' }],
  ['a user, an action and a time', { who: 'user:1', action: 'tag.move', key: { $gte: at(10), $lt: at(MANY - 10) } }],
  ['a repository', { repository: 'team/app', action: all }],
  ['a repository and an action', { repository: 'team/app', action: 'tag.move' }],
  ['a tag', { resource: 'team/app:latest', action: all }],
];

describe(`the audit in MongoDB (${mongo.name})`, function () {
  requires(this, mongo.missing === undefined, mongo.missing ?? '');
  requires(this, mongo.explains, `${mongo.name} does not say how it answers a query`);

  let database: TestDatabase;
  let connection: MongoConnection;
  let db: Db;

  before(async () => {
    database = await mongo.database();
    connection = mongoConnection(database.url, { appName: 'trail.mongo.spec' });
    db = connection.db();
    const group: Group = { name: 'audited', views: [auditTrail as unknown as Projection] };
    const views = await mongoViews(db, 'audited', group);
    const documents = Array.from({ length: MANY }, (_, n) => {
      const action = n % 2 === 0 ? 'tag.move' : 'tag.delete';
      const value = { at: at(n), who: `user:${n % 3}`, action, repository: 'team/app', resource: 'team/app:latest' };
      return { key: trailKey(at(n), positionOf(n + 1)), position: positionOf(n + 1), value };
    });
    await views.commit({ totals: {}, documents: [{ view: 'auditTrail', documents }], cursors: {}, checkpoint: positionOf(MANY) });
  });

  after(async () => {
    await connection.close();
    await database.drop();
  });

  type Explained = Readonly<{ queryPlanner: { winningPlan: unknown }; executionStats: { totalDocsExamined: number } }>;
  const explained = async (work: Promise<Document>): Promise<Explained> => (await work) as Explained;

  for (const [what, where] of QUESTIONS) {
    for (const [which, behind] of [
      ['the first page', {}],
      ['a page behind another', { after: [at(MANY / 2)] }],
    ] as const)
      it(`finds ${which} of ${what} in an index, in order, and examines no more than it`, async () => {
        const { filter, sort, limit } = compileFind({ where, sort: ['-key'], limit: LIMIT, ...behind });
        const { queryPlanner, executionStats } = await explained(
          db.collection<never>('audited.auditTrail').find(filter, { sort, limit }).explain('executionStats'),
        );
        expect(JSON.stringify(queryPlanner.winningPlan)).not.to.match(/"COLLSCAN"|"SORT"/);
        expect(executionStats.totalDocsExamined).to.be.at.most(LIMIT + 1 + FACT_ACTIONS.length);
      });

    it(`counts ${what} in an index, no further than it is told`, async () => {
      const { executionStats } = await explained(
        db.collection<never>('audited.auditTrail').find(compileCount(where)).limit(LIMIT).explain('executionStats'),
      );
      expect(executionStats.totalDocsExamined).to.be.at.most(LIMIT + FACT_ACTIONS.length);
    });
  }
});
