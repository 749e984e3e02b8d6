import { expect } from 'chai';
import { accessRecorder } from '../src/access/recorder.ts';
import { problemsOfRecords } from '../src/accessLog.ts';
import type { EventLog } from '../src/events/log/log.ts';
import { sqliteEventLog } from '../src/events/log/sqlite.ts';
import { healthOf, type Watched } from '../src/health.ts';
import type { Health } from '../src/http/deps.ts';
import { passwords } from '../src/identity/passwords.ts';
import type { Generation } from '../src/projections/generation.ts';
import type { Group } from '../src/projections/projection.ts';
import { type GenerationOptions, sqliteGeneration } from '../src/projections/views/sqliteGeneration.ts';
import { pull } from './access/entries.ts';
import { mountMissing, smallVolume } from './e2e/smallVolume.ts';
import { scratchFolder, waitUntil } from './support/processes.ts';
import { seen } from './support/projecting.ts';
import { requires } from './support/reporter.ts';
import { asViews, notes, toys, written } from './support/toys.ts';

const never = (): Promise<never> => new Promise(() => undefined);
const gone = async (): Promise<never> => {
  throw new Error('connection refused');
};

describe('health', () => {
  const { path: dataDir, remove } = scratchFolder();
  const closing: (() => Promise<void>)[] = [];
  let log: EventLog;

  after(remove);
  beforeEach(async () => {
    log = await sqliteEventLog(':memory:');
  });
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close();
    await log.close();
  });

  const generationOf = (options: Partial<GenerationOptions> = {}): Generation => {
    const generation = sqliteGeneration({
      folder: ':memory:',
      group: toys,
      log,
      prepare: seen,
      onError: () => undefined,
      ...options,
    });
    closing.push(generation.stop);
    return generation;
  };

  /** Of parts that are as they should be, but for these. */
  const watching = (ailing: Partial<Watched> = {}): (() => Promise<Health>) =>
    healthOf({
      version: '1.0.0',
      log,
      views: { checkpoint: async () => '' },
      secrets: { get: async () => undefined },
      logins: passwords({ memoryCost: 8, timeCost: 1 }),
      generations: {},
      dataDir,
      accessLog: { problems: () => [] },
      ...ailing,
    });

  const seenOf = (ailing: Partial<Watched>): Promise<Health> => watching(ailing)();

  it('says of parts that are as they should be that all is well', async () => {
    const generation = generationOf();
    await generation.ready;
    const { uptime, ...health } = await seenOf({ views: generation.views, generations: { serving: generation } });
    expect(uptime).to.be.a('number');
    expect(health).to.deep.equal({
      status: 'healthy',
      version: '1.0.0',
      database: 'healthy',
      storage: 'healthy',
      auth: 'healthy',
      problems: [],
    });
  });

  describe('of a store that is away', () => {
    it('tells that the log does not answer: unhealthy', async () => {
      expect(await seenOf({ log: { head: gone } })).to.deep.include({
        status: 'unhealthy',
        database: 'unhealthy',
        auth: 'healthy',
        problems: ['The event log does not answer.'],
      });
    });

    it('tells that the views do not answer: unhealthy, and nobody can log in', async () => {
      expect(await seenOf({ views: { checkpoint: gone } })).to.deep.include({
        status: 'unhealthy',
        database: 'unhealthy',
        auth: 'unhealthy',
        problems: ['The store of the views does not answer.'],
      });
    });

    it('tells that the secrets do not answer: degraded, what is there can still be pulled', async () => {
      expect(await seenOf({ secrets: { get: gone } })).to.deep.include({
        status: 'degraded',
        database: 'healthy',
        auth: 'unhealthy',
        problems: ['The store of the secrets does not answer.'],
      });
    });

    it('tells that the data folder is not there: unhealthy', async () => {
      expect(await seenOf({ dataDir: `${dataDir}/gone` })).to.deep.include({
        status: 'unhealthy',
        storage: 'unhealthy',
        problems: ['The data folder cannot be used (ENOENT).'],
      });
    });

    const [LOG, VIEWS, SECRETS] = ['The event log', 'The store of the views', 'The store of the secrets'];
    for (const [what, hanging, silent] of [
      ['the log hangs', { log: { head: never } }, [LOG]],
      ['the views hang', { views: { checkpoint: never } }, [VIEWS]],
      ['the secrets hang', { secrets: { get: never } }, [SECRETS]],
      [
        'all of them hang',
        { log: { head: never }, views: { checkpoint: never }, secrets: { get: never } },
        [LOG, VIEWS, SECRETS],
      ],
    ] as const)
      it(`answers although ${what}, and takes that for away`, async () => {
        const { status, problems } = await seenOf({ ...hanging, patienceMs: 100 });
        expect(problems.filter((problem) => problem.endsWith('does not answer.'))).to.deep.equal(
          silent.map((store) => `${store} does not answer.`),
        );
        expect(status).to.not.equal('healthy');
      });

    it('asks what hangs once, however often somebody looks, and again when it has answered', async () => {
      let asked = 0;
      const { promise, resolve } = Promise.withResolvers<string>();
      const head = (): Promise<string> => {
        asked += 1;
        return promise;
      };
      const look = watching({ log: { head }, patienceMs: 100 });
      for (const { status } of await Promise.all([look(), look(), look()])) expect(status).to.equal('unhealthy');
      expect((await look()).status).to.equal('unhealthy');
      expect(asked).to.equal(1);
      resolve('');
      await promise;
      expect((await look()).status).to.equal('healthy');
      expect((await look()).status).to.equal('healthy');
      expect(asked).to.equal(3);
    });
  });

  describe('of views', () => {
    const append = (event = written('a')) => log.append('notes-1', -1, [event]);

    it('tells which one an event has stopped: degraded, the others go on', async () => {
      const broken = { ...notes, view: 'broken', on: { ...notes.on, NoteWritten: () => { throw new Error('a defect'); } } }; // biome-ignore format: one line
      const group: Group = { name: 'toys', views: asViews(notes, broken) };
      const generation = generationOf({ group });
      await generation.ready;
      const { position } = await append();
      await generation.reached(position, 10_000);
      expect(await seenOf({ views: generation.views, generations: { serving: generation } })).to.deep.include({
        status: 'degraded',
        database: 'degraded',
        problems: [`The view broken stopped at NoteWritten (position ${position}). Rebuild the views.`],
      });
    });

    it('tells that they are being built from the log: unhealthy as long as there are no others', async () => {
      await append();
      const gate = Promise.withResolvers<void>();
      const generation = generationOf({ prepare: async (events) => gate.promise.then(() => seen(events)) });
      const look = watching({ views: generation.views, generations: { serving: generation } });
      expect(await look()).to.deep.include({
        status: 'unhealthy',
        database: 'unhealthy',
        problems: ['The serving views are being built from the log.'],
      });
      gate.resolve();
      await generation.ready;
      expect((await look()).status).to.equal('healthy');
    });

    it('tells that those which only people read are being built: degraded', async () => {
      await append();
      const gate = Promise.withResolvers<void>();
      const generation = generationOf({ prepare: async (events) => gate.promise.then(() => seen(events)) });
      expect(await seenOf({ generations: { reporting: generation } })).to.deep.include({
        status: 'degraded',
        problems: ['The reporting views are being built from the log.'],
      });
      gate.resolve();
    });

    it('tells how far they are behind, and that they are no longer', async () => {
      const gate = Promise.withResolvers<void>();
      const generation = generationOf({ prepare: async (events) => gate.promise.then(() => seen(events)) });
      await generation.ready;
      const look = watching({ views: generation.views, generations: { serving: generation } });
      const event = written('late');
      const at = new Date(Date.now() - 60_000).toISOString();
      const { position } = await append({ ...event, metadata: { ...event.metadata, at } });
      const behind = await waitUntil('the lag shows', async () => {
        const health = await look();
        return health.problems.length > 0 && health;
      });
      expect([behind.status, behind.database]).to.deep.equal(['degraded', 'degraded']);
      expect(behind.problems.join()).to.match(/^The serving views are 6\d s behind\.$/);
      gate.resolve();
      await generation.reached(position, 10_000);
      expect((await look()).status).to.equal('healthy');
    });

    it('tells that they cannot be written, and why', async () => {
      const disk: { full: boolean } = { full: true };
      const prepare: GenerationOptions['prepare'] = (events) => {
        if (disk.full) throw new Error('no room');
        return seen(events);
      };
      const generation = generationOf({ prepare, projector: { backOffMs: () => 5 } });
      await generation.ready;
      const { position } = await append();
      const look = watching({ views: generation.views, generations: { serving: generation } });
      await waitUntil('it shows', async () => (await look()).problems.includes('The serving views cannot be written: no room.'));
      disk.full = false;
      await generation.reached(position, 10_000);
      await waitUntil('it is over', async () => (await look()).status === 'healthy');
    });

    it('tells that nobody feeds them any more', async () => {
      const generation = generationOf();
      await generation.ready;
      const stopped = { ...generation.status(), state: 'stopped', error: 'a newer release wrote this' } as const;
      expect((await seenOf({ generations: { serving: { status: () => stopped } } })).problems).to.deep.equal([
        'The serving views are not fed any more: a newer release wrote this.',
      ]);
    });
  });

  it('tells that more logins come than can be checked: degraded', async () => {
    const logins = passwords({ width: 1, longestQueue: 2 });
    const checks = [1, 2, 3].map(() => logins.hash('correct horse battery staple'));
    expect(await seenOf({ logins })).to.deep.include({
      status: 'degraded',
      auth: 'degraded',
      problems: ['More logins come than can be checked: some are refused.'],
    });
    await Promise.all(checks);
    expect((await seenOf({ logins })).auth).to.equal('healthy');
  });

  it('tells what ails the certificate, word by word: degraded', async () => {
    const ended = 'The TLS certificate has ended.';
    expect(await seenOf({ certificate: { problems: () => [ended] } })).to.deep.include({ status: 'degraded', problems: [ended] });
  });

  it('tells that the access log takes no records, and how many wait: degraded, until it takes them again', async () => {
    const store = { away: true as boolean };
    const recorder = accessRecorder({
      mode: 'on',
      append: async () => {
        if (store.away) throw new Error('no room');
      },
      limits: { flushMs: 1, retryMs: 1 },
    });
    const look = watching({ accessLog: { problems: () => problemsOfRecords(recorder.status()) } });
    for (const tag of ['1', '2']) recorder.record(pull({ resource: `team/app:${tag}` }));
    const { status, problems } = await waitUntil('it is told', async () => {
      const health = await look();
      return health.problems.length > 0 && health;
    });
    expect([status, problems]).to.deep.equal([
      'degraded',
      ['The access log does not take records (no room): 2 wait, 0 were dropped.'],
    ]);
    store.away = false;
    await waitUntil('it is over', async () => (await look()).status === 'healthy');
    await recorder.close();
  });

  describe('of a disk', function () {
    requires(this, mountMissing() === undefined, mountMissing() ?? '');

    it('tells that it is full: degraded, what is there can still be pulled', async () => {
      const volume = smallVolume(8);
      try {
        expect(await seenOf({ dataDir: volume.path })).to.deep.include({
          status: 'degraded',
          storage: 'unhealthy',
          problems: ['The data folder has no room left: pushes fail.'],
        });
      } finally {
        volume.remove();
      }
    });
  });
});
