import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { sealOf } from '../../src/access/dayRecords.ts';
import { accessEvent, dayStreams } from '../../src/access/dayStreams.ts';
import { dayAt, dayBefore } from '../../src/access/days.ts';
import { readConfig } from '../../src/config.ts';
import type { AccessEntry } from '../../src/events/access.ts';
import type { EventLog } from '../../src/events/log/log.ts';
import { accessStreamsUnder, streamsUnder } from '../../src/events/streams.ts';
import type { AccessSeal } from '../../src/projections/accessSeals.ts';
import { accessLogPlaceOf, logPlaceOf, openLog } from '../../src/stores.ts';
import { entriesIn, pull } from '../access/entries.ts';
import { everything } from '../contracts/eventLog/given.ts';
import { basic, expectStatus, type HttpClient, httpClient, pushImage } from '../support/http.ts';
import { randomImage } from '../support/images.ts';
import { mongoForTests } from '../support/mongo/mongoForTests.ts';
import { attempt, type Environment, type Ran, scratchFolder, waitUntil } from '../support/processes.ts';
import { ADMIN, PASSWORD, type RegistryProcess, startRegistry } from '../support/registryProcess.ts';
import { requires } from '../support/reporter.ts';
import { type Combination, stopSharedStores, storesForTests } from '../support/stores.ts';

const CLI = fileURLToPath(new URL('../../src/cli.ts', import.meta.url));
const EX_DATAERR = 65;
const image = randomImage('access');
const MANIFEST = '/v2/library/app/manifests/latest';

const inFolder = (dataDir: string, env: Environment = {}) => readConfig({ ...env, GHOSTDOCK_DATA_DIR: dataDir });

const withLog = async <T>(place: Parameters<typeof openLog>[0], use: (log: EventLog) => Promise<T>): Promise<T> => {
  if ('file' in place) mkdirSync(dirname(place.file), { recursive: true });
  const log = await openLog(place);
  try {
    return await use(log);
  } finally {
    await log.close();
  }
};

describe('The access log of a registry that is killed', function () {
  this.timeout(60_000);
  const PULLERS = 4;
  let registry: RegistryProcess;
  afterEach(() => registry.dispose());

  type Answered = Readonly<{ userAgent: string; at: number }>;

  /** Each puller pulls again and again, under another name each time, until the registry is gone. */
  const pullUntilGone = async (client: HttpClient, puller: number, answered: Answered[]): Promise<void> => {
    for (let n = 0; ; n += 1) {
      const userAgent = `puller ${puller}, pull ${n}`;
      try {
        expectStatus('pull', await client.send('GET', MANIFEST, { headers: { 'user-agent': userAgent } }), 200);
      } catch {
        return;
      }
      answered.push({ userAgent, at: performance.now() });
    }
  };

  /** @returns what was answered, when it was killed, and the names on record afterwards */
  const pulledUntilKilled = async (mode: string) => {
    registry = await startRegistry({ env: { GHOSTDOCK_ACCESS_LOG: mode } });
    const client = httpClient(registry.url, { authorization: basic(ADMIN, PASSWORD) });
    await pushImage(client, 'library/app', 'latest', image);
    const answered: Answered[] = [];
    const pulling = Promise.all(Array.from({ length: PULLERS }, (_, puller) => pullUntilGone(client, puller, answered)));
    const began = performance.now();
    await waitUntil('there were many pulls', async () => answered.length > 500 && performance.now() - began > 1500);
    const killedAt = performance.now();
    await registry.kill();
    await pulling;
    client.close();
    const place = accessLogPlaceOf(inFolder(registry.dataDir));
    const recorded = await withLog(place, async (log) => entriesIn(await everything(log)));
    return { answered, killedAt, names: new Set(recorded.map(({ userAgent }) => userAgent)) };
  };

  it('has every pull that was answered, where it is strict', async () => {
    const { answered, names } = await pulledUntilKilled('strict');
    expect(answered.filter(({ userAgent }) => !names.has(userAgent))).to.deep.equal([]);
  });

  it('lacks none but those of the last moment, where it is on', async () => {
    const { answered, names, killedAt } = await pulledUntilKilled('on');
    const firstLost = answered.findIndex(({ userAgent }) => !names.has(userAgent));
    const lost = firstLost === -1 ? [] : answered.slice(firstLost);
    // A tenth of a second, and the time that a busy machine takes to write.
    expect(lost.filter(({ at }) => at < killedAt - 1000)).to.deep.equal([]);
    expect(names.size).to.be.greaterThan(100);
  });
});

/** The days of a registry that was away for some: what its next start makes of them. */
const daysOn = (combination: Combination): void => {
  const today = dayAt(Date.now());
  const day = dayBefore(today, 3);
  let env: Environment;
  let drop: () => Promise<void>;
  let registry: RegistryProcess | undefined;
  const folder = scratchFolder();
  const dataDir = join(folder.path, 'data');
  const config = () => inFolder(dataDir, env);
  const accessStreams = () => accessStreamsUnder(config().streamPrefix);

  const record = (...entries: readonly AccessEntry[]) =>
    withLog(accessLogPlaceOf(config()), async (log) => {
      const now = (): Date => new Date();
      const days = dayStreams({ log, streams: accessStreams(), now });
      for (const entry of entries) await days.append(day, [accessEvent('AccessRecorded', { entries: [entry] }, now())]);
      return sealOf({ log, streams: accessStreams() }, day);
    });

  const seals = () =>
    withLog(logPlaceOf(config()), async (log) => {
      const events = await log.readStream(streamsUnder(config().streamPrefix).accessSeals, { limit: 100 });
      return events.map(({ data }) => data as AccessSeal);
    });

  const ghostdock = (...args: readonly string[]): Promise<Ran> =>
    attempt(process.execPath, [CLI, ...args], { env: { ...env, GHOSTDOCK_DATA_DIR: dataDir } });

  const untilSaid = (message: string) =>
    waitUntil(message, async () => registry?.logs().some(({ msg = '' }) => msg.includes(message)) === true);

  before(async () => {
    ({ env, drop } = await storesForTests(combination));
  });
  after(async () => {
    await registry?.dispose();
    await drop();
    folder.remove();
  });

  it('seals each of them among the facts, with what was recorded', async () => {
    const at = `${day}T12:00:00.000Z`;
    const expected = await record(pull({ at }), pull({ at, actor: 'user:8' }));
    registry = await startRegistry({ dataDir, env });
    await untilSaid('3 days are sealed');
    await registry.stop();
    const sealed = await seals();
    expect(sealed.map((seal) => seal.day)).to.deep.equal([day, dayBefore(today, 2), dayBefore(today, 1)]);
    expect(sealed[0]).to.deep.equal(expected);
    expect(sealed[1]).to.include({ events: 0, entries: 0 });
  });

  // The same on every store: once is enough.
  if (combination === 'embedded') {
    it('lets an operator verify them', async () => {
      const { code, stdout, stderr } = await ghostdock('access', 'verify');
      expect(code, stderr).to.equal(0);
      expect(stdout).to.include('3 days: all records are as they were sealed.');
      expect((await ghostdock('access', 'verify', '--day', today)).stderr).to.include(`${today} is not sealed`);
    });

    it('and tells of records that were altered since', async () => {
      const { file } = accessLogPlaceOf(config()) as Readonly<{ file: string }>;
      const alter = (from: string, to: string): void => {
        const db = new DatabaseSync(file);
        db.prepare('update events set data = replace(data, ?, ?)').run(from, to);
        db.close();
      };
      alter('user:8', 'user:9');
      const { code, stderr } = await ghostdock('access', 'verify');
      expect(code).to.equal(EX_DATAERR);
      expect(stderr).to.include('DIFFERENT from what was sealed');
      alter('user:9', 'user:8');
    });
  }

  it('drops what is older than the retention, of which the seal stays', async () => {
    registry = await startRegistry({ dataDir, env: { ...env, GHOSTDOCK_ACCESS_RETENTION_DAYS: '1' } });
    await untilSaid('2 days are dropped');
    await registry.stop();
    await withLog(accessLogPlaceOf(config()), async (log) => {
      expect(await log.readStream(accessStreams().ofDay(day), { limit: 10 })).to.deep.equal([]);
    });
    if (combination !== 'embedded') return;
    const { code, stderr } = await ghostdock('access', 'verify', '--day', day);
    expect(code, stderr).to.equal(0);
    expect(stderr).to.match(new RegExp(`${day}  2 events.*dropped, after its retention`));
  });
};

describe('The days of the access log', function () {
  this.timeout(60_000);
  daysOn('embedded');
});

const mongo = await mongoForTests();

describe('The days of the access log on servers', function () {
  requires(this, mongo.missing === undefined, mongo.missing ?? '');
  this.timeout(90_000);
  daysOn('eventstore+mongo');
  after(stopSharedStores);
});
