import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { expect } from 'chai';
import { STREAM_LIMITS } from '../../../src/live/live.ts';
import { openTestApp, registryFor, type TestApp } from '../../support/app.ts';
import { authorityFor, opensslMissing } from '../../support/certificates.ts';
import { basic, httpClient } from '../../support/http.ts';
import { waitUntil } from '../../support/processes.ts';
import { ADMIN, PASSWORD } from '../../support/registryProcess.ts';
import { requires } from '../../support/reporter.ts';
import { jsonOf } from '../exchanges.ts';
import { connection, head } from '../raw.ts';
import { LOGS, logClients, OFTEN, REPOSITORIES, STREAMS, THROUGHPUT, watch } from './eventStream.ts';

describe('streams, by default', () => {
  it('are 100 at most, tell the throughput every 500 ms, beat every 10 s, say welcome after 3 s and give up after a minute', () => {
    expect(STREAM_LIMITS).to.deep.equal({
      mostClients: 100,
      mostWaiting: 1024 * 1024,
      stallMs: 60_000,
      heartbeatMs: 10_000,
      throughputMs: 500,
      welcomeMs: 3000,
    });
  });
});

type RawWatcher = Readonly<{ socket: Socket /** Bytes that wait for it in the registry. */; waiting: () => number }>;

/** A client whose socket is ours: it reads when we say so. */
const rawWatcher = async ({ app, port }: TestApp, path: string): Promise<RawWatcher> => {
  const accepted: Socket[] = [];
  const accept = (one: Socket): unknown => accepted.push(one);
  app.http.server.on('connection', accept);
  const socket = await connection(port);
  socket.on('error', () => undefined);
  socket.write(head(`GET ${path}`, 'Accept: text/event-stream', `Authorization: ${basic(ADMIN, PASSWORD)}`));
  await once(socket, 'readable');
  app.http.server.off('connection', accept);
  const served = accepted.find(({ remotePort }) => remotePort === socket.localPort);
  return { socket, waiting: () => served?.writableLength ?? Number.NaN };
};

const fill = (app: TestApp['app'], line = 0): void => app.http.log.info({ line, text: 'x'.repeat(64 * 1024) }, 'filling');

describe('a stream whose client reads slowly', () => {
  const WAITING = 256 * 1024;
  const registry = registryFor({}, { live: { limits: { ...OFTEN, mostWaiting: WAITING } } });
  const LEFT_OUT = /"level":"WARN","message":"(\d+) events were left out: this client reads too slowly\."/;
  // More than the kernels of both sides take for a connection.
  const LINES = 256;

  it('has no more waiting for it than it may; the others get all, and it is told what was left out', async () => {
    const { app, admin } = registry();
    const { socket: slow, waiting } = await rawWatcher(registry(), LOGS);
    const quick = await watch(admin, LOGS);
    const filled = (): number => quick.events('log').filter(({ data }) => data.message === 'filling').length;
    let most = 0;
    for (let line = 1; line <= LINES; line += 1) {
      fill(app, line);
      most = Math.max(most, waiting());
      await waitUntil('the other one has it', () => filled() === line, { everyMs: 1 });
    }
    expect(most).to.be.within(WAITING / 2, WAITING + 1024);

    const chunks: Buffer[] = [];
    slow.on('data', (chunk: Buffer) => chunks.push(chunk)).resume();
    const text = (): string => Buffer.concat(chunks).toString();
    const told = await waitUntil('it is told', () => LEFT_OUT.exec(text()) ?? false, { everyMs: 50 });
    const came = [...text().matchAll(/"line":(\d+)/g)].map(([, line]) => Number(line));
    expect(came, 'those before are all there').to.deep.equal(came.map((_, index) => index + 1));
    expect(came.length + Number(told[1]), 'what is told, with heartbeats').to.be.at.least(LINES);
    expect(Number(told[1])).to.be.greaterThan(LINES / 4);
    app.http.log.info('and it goes on');
    await waitUntil('it goes on', () => text().includes('and it goes on'));
    slow.destroy();
    quick.close();
  });
});

describe('a stream whose client reads nothing', () => {
  const registry = registryFor({}, { live: { limits: { ...OFTEN, stallMs: 300 } } });

  it('is cut after a while, so that nothing is kept for it', async () => {
    const { app } = registry();
    const { socket } = await rawWatcher(registry(), LOGS);
    expect(await logClients(registry())).to.equal(1);
    const cut = async (): Promise<boolean> => {
      fill(app);
      return (await logClients(registry())) === 0;
    };
    await waitUntil('it is cut', cut, { everyMs: 1 });
    socket.destroy();
  });
});

describe('streams beyond the limit of their clients', () => {
  const registry = registryFor({}, { live: { limits: { ...OFTEN, mostClients: 2 } } });

  it('are refused with 503 and Retry-After until another one ends', async () => {
    const { admin } = registry();
    const [first, second] = [await watch(admin, LOGS), await watch(admin, THROUGHPUT)];
    const refused = await admin.send('GET', REPOSITORIES);
    expect([refused.status, refused.headers['retry-after']]).to.deep.equal([503, '1']);
    expect(jsonOf(refused)).to.deep.equal({
      error: 'Service Unavailable',
      message: 'At most 2 clients watch streams at a time.',
    });
    expect((await admin.send('HEAD', REPOSITORIES)).status, 'HEAD takes no place').to.equal(200);
    first.close();
    const third = await waitUntil('there is a place', async () => {
      const watched = await watch(admin, REPOSITORIES);
      return watched.status === 200 && watched;
    });
    second.close();
    third.close();
  });
});

describe('streams of a registry that stops', () => {
  it('end at once, also those that nobody reads, and hold up nothing; of one that starts again they are to be had again', async () => {
    const stopped = await openTestApp({}, { live: { limits: OFTEN } });
    const client = httpClient(stopped.url, { authorization: basic(ADMIN, PASSWORD) });
    const streams = await Promise.all(STREAMS.map(([path]) => watch(client, path)));
    for (const { until } of streams) await until('connected');
    const deaf = await rawWatcher(stopped, LOGS);
    const full = (): boolean => {
      fill(stopped.app);
      return deaf.waiting() > (1024 * 1024) / 2;
    };
    await waitUntil('much waits for one', full, { everyMs: 1 });
    const closed = stopped.close();
    for (const { ended } of streams) expect(await ended).to.deep.equal({ whole: true });
    await closed;
    deaf.socket.destroy();
    client.close();

    const again = await openTestApp({}, { live: { limits: OFTEN } });
    const watched = await watch(again.admin, REPOSITORIES);
    await watched.until('connected');
    watched.close();
    await again.close();
  });
});

describe('streams behind a prefix', () => {
  const registry = registryFor({ GHOSTDOCK_PUBLIC_URL: 'https://example.org/registry' }, { live: { limits: OFTEN } });

  it('are to be had under it', async () => {
    const watched = await watch(registry().admin, `/registry${REPOSITORIES}`);
    await watched.until('heartbeat');
    watched.close();
  });
});

describe('streams over TLS', function () {
  requires(this, opensslMissing() === undefined, opensslMissing() ?? '');
  const authority = authorityFor();

  it('are to be had, and end when the registry stops', async () => {
    const { cert, key } = await authority().issue('streams');
    const registry = await openTestApp({ GHOSTDOCK_TLS_CERT: cert, GHOSTDOCK_TLS_KEY: key }, { live: { limits: OFTEN } });
    const client = httpClient(registry.url, { authorization: basic(ADMIN, PASSWORD), ca: readFileSync(authority().ca) });
    const watched = await watch(client, THROUGHPUT);
    await watched.until('heartbeat', 2);
    await registry.close();
    expect(await watched.ended).to.deep.equal({ whole: true });
    client.close();
  });
});
