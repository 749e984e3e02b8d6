import { once } from 'node:events';
import type { Socket } from 'node:net';
import { expect } from 'chai';
import { registryFor } from '../../support/app.ts';
import { basic, type HttpClient, pushBlob, startUpload } from '../../support/http.ts';
import { digestOf, noise } from '../../support/images.ts';
import { waitUntil } from '../../support/processes.ts';
import { ADMIN, PASSWORD } from '../../support/registryProcess.ts';
import { connection, parsed, readAnswer } from '../raw.ts';

const BYTES = noise(24 * 1024 * 1024, 'slow');
const LAYER = { bytes: BYTES, digest: digestOf(BYTES), mediaType: 'application/octet-stream' };
const LOGIN = `Authorization: ${basic(ADMIN, PASSWORD)}`;

describe('a client that takes its time', () => {
  const registry = registryFor();
  const server = () => registry().app.http.server;
  let owner: HttpClient;
  before(async () => {
    owner = registry().admin;
    await pushBlob(owner, 'a/slow', LAYER);
  });

  it('is waited for so long and no longer', () => {
    const { headersTimeout, keepAliveTimeout, timeout, requestTimeout, maxHeadersCount } = server();
    expect({ headersTimeout, keepAliveTimeout, timeout }).to.deep.equal({
      headersTimeout: 30_000,
      keepAliveTimeout: 75_000,
      timeout: 300_000,
    });
    expect(requestTimeout, 'a large push takes as long as it takes').to.equal(0);
    expect(maxHeadersCount ?? 0).to.be.within(0, 2000);
  });

  /** A connection of ours, with the server's end of it. */
  const both = async (): Promise<Readonly<{ client: Socket; there: Socket }>> => {
    const accepted = once(server(), 'connection') as Promise<[Socket]>;
    const client = await connection(registry().port);
    return { client, there: (await accepted)[0] };
  };
  /** Of what is accepted meanwhile. */
  const withSilenceOf = async <T>(ms: number, work: () => Promise<T>): Promise<T> => {
    const { timeout } = server();
    server().timeout = ms;
    try {
      return await work();
    } finally {
      server().timeout = timeout;
    }
  };

  it('is told so when its head comes too slowly, and cut off', async () => {
    const { client, there } = await both();
    const answer = readAnswer(client);
    client.write('GET /v2/ HTTP/1.1\r\nHost: registry.test\r\nX-Slow: ');
    await waitUntil('the half has come', () => there.bytesRead > 0);
    // What Node says of such a connection when it looks through them, which it does twice a minute.
    server().emit('clientError', Object.assign(new Error('slow'), { code: 'ERR_HTTP_REQUEST_TIMEOUT' }), there);
    expect((await answer).status).to.equal(408);
    await waitUntil('the connection is gone', () => there.destroyed);
  });

  for (const [what, path, sent] of [
    ['a login', '/auth', '{"username":"adm'],
    ['a manifest', '/v2/a/slow/manifests/v1', '{"schemaVersion":2,'],
    ['a call of the management API', '/api/v1/users', '{"username":'],
  ] as const)
    it(`is cut off when it falls silent in the middle of ${what}`, () =>
      withSilenceOf(200, async () => {
        const method = path.startsWith('/v2') ? 'PUT' : 'POST';
        const before = await registry().head();
        const { client, there } = await both();
        client.resume().on('error', () => undefined);
        client.write(
          `${method} ${path} HTTP/1.1\r\nHost: registry.test\r\n${LOGIN}\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n${sent}`,
        );
        await once(there, 'close');
        expect(await registry().head()).to.equal(before);
      }));

  it('is cut off when it falls silent in the middle of an upload, which goes on from there', () =>
    withSilenceOf(200, async () => {
      const location = await startUpload(owner, 'a/slow');
      const { client, there } = await both();
      client.resume().on('error', () => undefined);
      client.write(`PATCH ${location} HTTP/1.1\r\nHost: registry.test\r\n${LOGIN}\r\nContent-Length: 1000\r\n\r\n0123456789`);
      await once(there, 'close');
      const status = await waitUntil('the session is free again', async () => {
        const answer = await owner.send('GET', location);
        return answer.status === 204 && answer;
      });
      expect(status.headers.range).to.match(/^0-\d$/);
      expect((await owner.send('DELETE', location)).status).to.equal(204);
    }));

  it('that reads nothing of a layer holds a megabyte or two of it, and is cut off', () =>
    withSilenceOf(1000, async () => {
      const { client, there } = await both();
      client.pause();
      client.write(`GET /v2/a/slow/blobs/${LAYER.digest} HTTP/1.1\r\nHost: registry.test\r\n${LOGIN}\r\n\r\n`);
      let most = 0;
      const watch = setInterval(() => {
        most = Math.max(most, there.writableLength);
      }, 5);
      await once(there, 'close');
      clearInterval(watch);
      client.destroy();
      expect(most).to.be.within(1, 2 * 1024 * 1024);
      expect(there.bytesWritten).to.be.below(BYTES.length);
    }));

  it('that sends a request a byte at a time is answered like any other', async () => {
    const client = await connection(registry().port);
    const received: Buffer[] = [];
    client.on('data', (chunk: Buffer) => received.push(chunk)).setNoDelay();
    for (const byte of `GET /v2/ HTTP/1.1\r\nHost: registry.test\r\n${LOGIN}\r\nConnection: close\r\n\r\n`) client.write(byte);
    await once(client, 'close');
    expect(parsed(Buffer.concat(received)).status).to.equal(200);
  });
});
