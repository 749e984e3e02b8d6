import { type ChildProcess, spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { sqliteEventLog } from '../../src/events/log/sqlite.ts';
import { type EventStore, startEventStore } from '../support/eventstore/eventstore.ts';
import { pushes } from '../support/histories.ts';
import { basic, expectStatus, type HttpClient, httpClient, pushImage } from '../support/http.ts';
import { digestOf, type Image, randomImage } from '../support/images.ts';
import { mongoForTests, type TestDatabase } from '../support/mongo/mongoForTests.ts';
import { attempt, type Environment, type Exit, exitOf, type Ran, scratchFolder, waitUntil } from '../support/processes.ts';
import { ADMIN, PASSWORD, startRegistry } from '../support/registryProcess.ts';
import { requires } from '../support/reporter.ts';
import { expectGapless, expectViewsAgree, factsIn } from './stopped.ts';

const CLI = fileURLToPath(new URL('../../src/cli.ts', import.meta.url));
const mongo = await mongoForTests();

/** A process inherits no settings of the tests' own. */
const INHERITED: Environment = Object.fromEntries(
  Object.keys(process.env)
    .filter((name) => name.startsWith('GHOSTDOCK_'))
    .map((name) => [name, undefined]),
);

const ghostdock = (args: readonly string[], env: Environment): Promise<Ran> =>
  attempt(process.execPath, [CLI, ...args], { env: { ...INHERITED, ...env } });

const succeeding = async (args: readonly string[], env: Environment): Promise<Ran> => {
  const ran = await ghostdock(args, env);
  expect(ran.code, `${ran.command}\n${ran.stdout}${ran.stderr}`).to.equal(0);
  return ran;
};

/** The settings that a migration says to use from now on. */
const settingsIn = ({ stdout }: Ran): Environment =>
  Object.fromEntries([...stdout.matchAll(/^ {2}(GHOSTDOCK_\w+)=(.*)$/gm)].map(([, name, value]) => [name, value]));

const withoutPositions = async (dataDir: string): Promise<readonly unknown[]> =>
  (await factsIn(dataDir)).map(({ position: _, ...fact }) => fact);

type Pushed = Readonly<{ repository: string; tag: string; image: Image }>;

/** Everything that was pushed comes back, byte for byte. */
const expectServed = async (client: HttpClient, pushed: readonly Pushed[]): Promise<void> => {
  for (const { repository, tag, image } of pushed) {
    const manifest = expectStatus(tag, await client.send('GET', `/v2/${repository}/manifests/${tag}`), 200);
    expect(manifest.body.equals(image.manifest.bytes)).to.equal(true);
    for (const { digest } of [image.config, ...image.layers]) {
      const { body } = expectStatus(digest, await client.send('GET', `/v2/${repository}/blobs/${digest}`), 200);
      expect(digestOf(body)).to.equal(digest);
    }
  }
};

const onRegistry = async (env: Environment, use: (client: HttpClient) => Promise<void>): Promise<void> => {
  const { GHOSTDOCK_DATA_DIR: dataDir = '', ...others } = env;
  const registry = await startRegistry({ dataDir, env: { GHOSTDOCK_ADMIN_PASSWORD: undefined, ...others } });
  const client = httpClient(registry.url, { authorization: basic(ADMIN, PASSWORD) });
  try {
    await use(client);
  } finally {
    client.close();
    await registry.stop();
  }
};

describe('A registry that moves house', function () {
  this.timeout(120_000);
  const scratch = scratchFolder();
  const home = join(scratch.path, 'home');
  const settings = { GHOSTDOCK_DATA_DIR: home };
  const pushed: Pushed[] = [];

  const pushTo = async (client: HttpClient, repository: string, tag: string): Promise<void> => {
    const image = randomImage(`${repository}:${tag}`);
    await pushImage(client, repository, tag, image);
    pushed.push({ repository, tag, image });
  };

  before(async () => {
    await onRegistry({ ...settings, GHOSTDOCK_ADMIN_PASSWORD: PASSWORD }, async (client) => {
      for (const repository of ['moving/one', 'moving/two'])
        for (const tag of ['v1', 'v2']) await pushTo(client, repository, tag);
    });
  });
  after(() => scratch.remove());

  it('takes log and secrets along in files', async () => {
    const there = { GHOSTDOCK_DATA_DIR: join(scratch.path, 'files'), GHOSTDOCK_SECRET_KEY_FILE: join(home, 'secrets', 'key') };
    const [log, secrets] = [join(scratch.path, 'log.ndjson'), join(scratch.path, 'secrets.ndjson')];
    const { stdout, stderr } = await succeeding(['export', log], settings);
    expect(stdout).to.match(/log\.ndjson has \d+ events, SHA-256 [0-9a-f]{64}\./);
    expect(stderr).to.match(/Exporting: (\d+) of \1 events \(100 %\)/);
    await succeeding(['export-secrets', secrets], settings);
    await succeeding(['import', log], there);
    expect(existsSync(join(there.GHOSTDOCK_DATA_DIR, 'secrets'))).to.equal(false);
    await succeeding(['import-secrets', secrets], there);
    cpSync(join(home, 'blobs'), join(there.GHOSTDOCK_DATA_DIR, 'blobs'), { recursive: true });
    expect(await withoutPositions(there.GHOSTDOCK_DATA_DIR)).to.deep.equal(await withoutPositions(home));
    await onRegistry(there, (client) => expectServed(client, pushed));
  });

  it('does not take secrets whose key it has not', async () => {
    const other = { GHOSTDOCK_DATA_DIR: join(scratch.path, 'other') };
    const { code, stderr } = await ghostdock(['import-secrets', join(scratch.path, 'secrets.ndjson')], other);
    expect(code).to.equal(64);
    expect(stderr).to.contain('key-encryption key does not fit');
  });

  it('gives its log on standard output, for another program', async () => {
    const { stdout, stderr } = await succeeding(['export', '-'], settings);
    expect(stdout).to.equal(readFileSync(join(scratch.path, 'log.ndjson'), 'utf8'));
    expect(stderr).to.match(/Standard output has \d+ events/);
  });

  it('does not begin while it runs', async () => {
    await onRegistry(settings, async () => {
      for (const args of [
        ['export', join(scratch.path, 'x')],
        ['migrate', '--data-dir', join(scratch.path, 'x')],
      ]) {
        const { code, stderr } = await ghostdock(args, settings);
        expect(code).to.equal(64);
        expect(stderr).to.match(/Another registry.*uses the folder/);
      }
    });
  });

  it('is told what is wrong with a command', async () => {
    const log = join(scratch.path, 'log.ndjson');
    const cases: readonly (readonly [readonly string[], Environment, number, string])[] = [
      [['export'], settings, 64, 'Which file'],
      [['export', log], settings, 65, 'exists already'],
      [['export', join(scratch.path, 'no', 'such', 'folder')], settings, 64, 'ENOENT'],
      [['export', '-', '--resume'], settings, 64, 'Standard output cannot be gone on with'],
      [
        ['export', join(scratch.path, 'y')],
        { GHOSTDOCK_DATA_DIR: join(scratch.path, 'nowhere') },
        65,
        'There is no event log in',
      ],
      [['import', join(scratch.path, 'nothing')], settings, 64, 'ENOENT'],
      [['import', CLI], settings, 65, 'is no export'],
      [['import', log], { ...settings, GHOSTDOCK_STREAM_PREFIX: 'other' }, 65, 'GHOSTDOCK_STREAM_PREFIX'],
      [['migrate'], settings, 64, 'There is nothing to move'],
      [['migrate', '--event-log', 'http://x'], settings, 64, 'GHOSTDOCK_EVENT_LOG must be'],
      [['migrate', '--nonsense'], settings, 64, '--nonsense'],
    ];
    for (const [args, env, expected, said] of cases) {
      const { code, stderr, stdout } = await ghostdock(args, env);
      expect(`${code} ${stderr}`).to.contain(said);
      expect([code, stdout]).to.deep.equal([expected, '']);
      expect(stderr).to.not.match(/\n\s+at /);
    }
  });

  it('moves to another folder', async () => {
    const ran = await succeeding(['migrate', '--data-dir', join(scratch.path, 'folder')], settings);
    const there = settingsIn(ran);
    expect(ran.stdout).to.contain(`The blobs were not moved: copy ${join(home, 'blobs')}`);
    expect(ran.stdout).to.match(/The serving views are the same: \d+ documents, \d+ cursors\./);
    cpSync(join(home, 'blobs'), join(scratch.path, 'folder', 'blobs'), { recursive: true });
    await onRegistry(there, (client) => expectServed(client, pushed));
    await expectViewsAgree(join(scratch.path, 'folder'));
  });

  const throughServers = (what: string, serversOf: () => Environment): void => {
    it(`moves its log ${what} and back into the folder that it left, and serves on either side`, async () => {
      const { eventLog, views = 'embedded' } = serversOf();
      const ran = await succeeding(['migrate', '--event-log', eventLog ?? '', '--views', views], settings);
      const there = settingsIn(ran);
      expect(there).to.include({ GHOSTDOCK_EVENT_LOG: eventLog, GHOSTDOCK_VIEWS: views, GHOSTDOCK_DATA_DIR: home });
      const before = await withoutPositions(home);
      await onRegistry(there, async (client) => {
        await expectServed(client, pushed);
        await pushTo(client, 'moving/two', `from-${views.slice(0, 5)}`);
        await pushTo(client, 'moving/three', `from-${views.slice(0, 5)}`);
      });
      expect(await withoutPositions(home), 'the log that was left').to.deep.equal(before);

      const back = await succeeding(['migrate', '--event-log', 'embedded', '--views', 'embedded'], there);
      expect(back.stdout).to.contain(`(${before.length} were there before)`);
      const after = await withoutPositions(home);
      expect(after.slice(0, before.length)).to.deep.equal(before);
      expect(after.length).to.be.greaterThan(before.length + 10);
      expectGapless(await factsIn(home));
      await onRegistry(settingsIn(back), (client) => expectServed(client, pushed));
      await expectViewsAgree(home);
    });

    it(`is not moved ${what} over what is newer there`, async () => {
      const { eventLog = '', views = 'embedded' } = serversOf();
      await onRegistry(settings, (client) => pushTo(client, 'moving/four', `over-${views.slice(0, 5)}`));
      await succeeding(['migrate', '--event-log', eventLog, '--views', views], settings);
      const there = {
        ...settings,
        GHOSTDOCK_EVENT_LOG: eventLog,
        GHOSTDOCK_VIEWS: views,
        GHOSTDOCK_SECRET_KEY_FILE: join(home, 'secrets', 'key'),
      };
      await onRegistry(there, (client) => pushTo(client, 'moving/five', `over-${views.slice(0, 5)}`));
      const { code, stderr } = await ghostdock(['migrate', '--event-log', eventLog, '--views', views], settings);
      expect(code).to.equal(65);
      expect(stderr).to.match(/has more events than the \d+ of the source, so it is the newer one/);
      await succeeding(['migrate', '--event-log', 'embedded', '--views', 'embedded'], there);
    });
  };

  describe('through EventStoreDB’s protocol', () => {
    let store: EventStore;
    before(async () => {
      store = await startEventStore();
    });
    after(() => store.dispose());

    throughServers('to an event store, with embedded views', () => ({ eventLog: store.url }));

    it('says that nobody answers, and how to go on', async () => {
      await store.kill();
      const { code, stderr } = await ghostdock(['migrate', '--event-log', store.url], settings);
      expect(code, stderr).to.equal(75);
      expect(stderr).to.match(/event store/);
      await store.restart();
    });
  });

  describe('through an event store and MongoDB', function () {
    requires(this, mongo.missing === undefined, mongo.missing ?? '');
    let store: EventStore;
    let database: TestDatabase;
    before(async () => {
      store = await startEventStore();
      database = await mongo.database();
    });
    after(async () => {
      await database.drop();
      await store.dispose();
    });

    throughServers('to an event store, with views in MongoDB', () => ({ eventLog: store.url, views: database.url }));

    it('keeps the views of one log apart from those of another', async () => {
      const there = { ...settings, GHOSTDOCK_VIEWS: database.url, GHOSTDOCK_SECRET_KEY_FILE: join(home, 'secrets', 'key') };
      const { code, stderr } = await ghostdock(['migrate', '--event-log', store.url], there);
      expect(code).to.equal(64);
      expect(stderr).to.contain('Views belong to one log');
    });
  });
});

describe('A long move that is broken off', function () {
  this.timeout(180_000);
  const EVENTS = 10_000;
  const scratch = scratchFolder();
  const home = join(scratch.path, 'home');
  const file = join(scratch.path, 'log.ndjson');
  const settings = { GHOSTDOCK_STREAM_PREFIX: 'registry', GHOSTDOCK_DATA_DIR: home };
  const running = new Set<ChildProcess>();

  /** Starts a command and gives it a signal as soon as `when` is true. */
  const signalled = async (
    args: readonly string[],
    env: Environment,
    signal: NodeJS.Signals,
    when: () => boolean,
  ): Promise<Exit & Readonly<{ stderr: string }>> => {
    const child = spawn(process.execPath, [CLI, ...args], {
      env: { ...process.env, ...INHERITED, ...env },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    running.add(child);
    const stderr = text(child.stderr);
    await waitUntil('it is under way', () => when() || child.exitCode !== null, { everyMs: 1 });
    child.kill(signal);
    const exit = await exitOf(child);
    running.delete(child);
    return { ...exit, stderr: await stderr };
  };

  const eventsIn = (dataDir: string): number => {
    const path = join(dataDir, 'log', 'facts.db');
    if (!existsSync(path)) return 0;
    const db = new DatabaseSync(path, { readOnly: true, timeout: 5000 });
    try {
      return Number(db.prepare('select coalesce(max(position), 0) as events from events').get()?.events);
    } catch {
      return 0; // no tables yet
    } finally {
      db.close();
    }
  };

  const sizeOf = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  let whole: Buffer;

  before(async () => {
    mkdirSync(join(home, 'log'), { recursive: true });
    const log = await sqliteEventLog(join(home, 'log', 'facts.db'));
    const appends = [...pushes(EVENTS, 50)].map(({ stream, expected, events }) => log.append(stream, expected, events));
    await Promise.all(appends);
    await log.close();
    await succeeding(['export', file], settings);
    whole = readFileSync(file);
  });
  after(() => {
    for (const child of running) child.kill('SIGKILL');
    scratch.remove();
  });

  for (const [signal, code] of [
    ['SIGKILL', null],
    ['SIGINT', 75],
  ] as const) {
    it(`goes on with an export after ${signal}`, async () => {
      rmSync(file);
      const broken = await signalled(['export', file], settings, signal, () => sizeOf(file) > 500_000);
      expect(broken.code).to.equal(code);
      expect(sizeOf(file)).to.be.within(500_000, whole.length - 1);
      if (code !== null) expect(broken.stderr).to.match(/Stopped: \d+ events are written/);
      const refused = await ghostdock(['import', file], { ...settings, GHOSTDOCK_DATA_DIR: join(scratch.path, 'no') });
      expect(refused.stderr).to.contain('broke off');
      await succeeding(['export', file, '--resume'], settings);
      expect(readFileSync(file).equals(whole)).to.equal(true);
    });

    it(`goes on with an import after ${signal}`, async () => {
      const dataDir = join(scratch.path, `import-${signal}`);
      const there = { ...settings, GHOSTDOCK_DATA_DIR: dataDir };
      const broken = await signalled(['import', file], there, signal, () => eventsIn(dataDir) > 1000);
      expect(broken.code).to.equal(code);
      const held = eventsIn(dataDir);
      expect(held).to.be.within(1001, EVENTS - 1);
      if (code !== null) expect(broken.stderr).to.contain(`has the first ${held} events. Run the same command again`);
      const { stdout } = await succeeding(['import', file], there);
      expect(stdout).to.contain(`${held.toLocaleString('en-US')} events of them were there before`);
      expect(await withoutPositions(dataDir)).to.deep.equal(await withoutPositions(home));
    });

    it(`goes on with a migration after ${signal}`, async () => {
      const dataDir = join(scratch.path, `migrate-${signal}`);
      const args = ['migrate', '--data-dir', dataDir];
      const broken = await signalled(args, settings, signal, () => eventsIn(dataDir) > 1000);
      expect(broken.code).to.equal(code);
      expect(eventsIn(dataDir)).to.be.within(1001, EVENTS - 1);
      const { stdout } = await succeeding(args, settings);
      expect(stdout).to.match(/The log is on the other side: 10,\d{3} events.*\([\d,]+ were there before\)/);
      expect(await withoutPositions(dataDir)).to.deep.equal(await withoutPositions(home));
    });
  }
});
