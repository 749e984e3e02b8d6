import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import { type ConnectionOptions, createServer as createSecureServer, connect as secureConnect, type TLSSocket } from 'node:tls';
import { expect } from 'chai';
import { openTestApp, type TestApp } from '../support/app.ts';
import { authorityFor, opensslMissing, type Pair, replace } from '../support/certificates.ts';
import { basic, expectStatus, finishUpload, httpClient, pushBlob, pushImage, startUpload, tagsOf } from '../support/http.ts';
import { digestOf, noise, randomImage } from '../support/images.ts';
import { waitUntil } from '../support/processes.ts';
import { ADMIN, PASSWORD } from '../support/registryProcess.ts';
import { requires } from '../support/reporter.ts';
import { connection, head, rawExchange, readAnswer } from './raw.ts';

const MIB = 1024 * 1024;

describe('a registry that speaks TLS', function () {
  requires(this, opensslMissing() === undefined, opensslMissing() ?? '');
  this.timeout(20_000);
  const authority = authorityFor();
  let first: Pair;
  let second: Pair;
  let files: Pair;
  let opened: TestApp | undefined;
  const registry = (): TestApp => opened as TestApp;
  const blob = { bytes: noise(24 * MIB, 'tls'), digest: '', mediaType: 'application/octet-stream' };
  blob.digest = digestOf(blob.bytes);

  before(async () => {
    [first, second, files] = [
      await authority().issue('first'),
      await authority().issue('second'),
      await authority().issue('used'),
    ];
    replace(first, files);
    opened = await openTestApp({ GHOSTDOCK_TLS_CERT: files.cert, GHOSTDOCK_TLS_KEY: files.key });
    await pushBlob(registry().admin, 'tls/blob', blob);
  });
  after(() => opened?.close());

  const ca = (): Buffer => readFileSync(authority().ca);
  const handshake = async (options: ConnectionOptions = {}): Promise<TLSSocket> => {
    const socket = secureConnect({ port: registry().port, host: '127.0.0.1', ca: ca(), ...options });
    await once(socket, 'secureConnect');
    return socket;
  };
  const certificateIn = (pair: Pair): string => readFileSync(pair.cert, 'latin1').slice(0, 400);
  const shownBy = (socket: TLSSocket): string =>
    `-----BEGIN CERTIFICATE-----\n${(
      socket
        .getPeerCertificate()
        .raw.toString('base64')
        .match(/.{1,64}/g) ?? []
    ).join('\n')}`.slice(0, 400);
  const stillServes = async (): Promise<void> => {
    expect(expectStatus('afterwards', await registry().admin.send('GET', '/v2/'), 200).status).to.equal(200);
  };

  it('takes pushes and gives pulls', async () => {
    await pushImage(registry().admin, 'tls/image', 'v1', randomImage('tls'));
    expect(await tagsOf(registry().admin, 'tls/image')).to.deep.equal(['v1']);
  });

  it('says https where it says where it is', async () => {
    const { headers } = await registry().anonymous.send('GET', '/v2/');
    expect(headers['www-authenticate']).to.contain(`realm="https://${registry().host}/auth"`);
    expect(headers, 'that is for whoever owns the whole host to say').to.not.have.property('strict-transport-security');
  });

  it('agrees on TLS 1.3 and 1.2 and on nothing older', async () => {
    for (const version of ['TLSv1.3', 'TLSv1.2'] as const) {
      const socket = await handshake({ maxVersion: version });
      expect(socket.getProtocol()).to.equal(version);
      socket.destroy();
    }
    const OLD = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const;
    const lenient = createSecureServer({ ...OLD, cert: readFileSync(first.cert), key: readFileSync(first.key) }).listen(
      0,
      '127.0.0.1',
    );
    await once(lenient, 'listening');
    const { port } = lenient.address() as AddressInfo;
    const control = await handshake({ ...OLD, port });
    expect(control.getProtocol(), 'this client could').to.equal('TLSv1.1');
    control.destroy();
    lenient.close();
    const refused = await handshake(OLD).catch((error: NodeJS.ErrnoException) => error);
    expect(refused)
      .to.be.instanceOf(Error)
      .with.property('code')
      .that.matches(/ALERT_PROTOCOL_VERSION|ALERT_HANDSHAKE/);
    await stillServes();
  });

  it('speaks HTTP/1.1 to those who could do more', async () => {
    const socket = await handshake({ ALPNProtocols: ['h2', 'http/1.1'] });
    expect(socket.alpnProtocol).to.equal('http/1.1');
    socket.destroy();
  });

  it('answers plain HTTP in plain words, and in the bodies of both surfaces', async () => {
    for (const request of [
      head('GET /v2/'),
      head('HEAD /v2/'),
      `${head('POST /v2/a/blobs/uploads/', 'Content-Length: 5')}hello`,
      `${head('PUT /x', 'Transfer-Encoding: chunked')}5\r\nhello\r\n`,
    ]) {
      const answer = await rawExchange(registry().port, request);
      expect(answer.status, request).to.equal(400);
      expect(Number(answer.headers['content-length'])).to.equal(answer.body.length);
      const { errors, error } = JSON.parse(answer.body.toString()) as {
        errors: { message: string }[];
        error: { message: string };
      };
      expect(errors[0]?.message).to.equal('This port speaks TLS. Ask again with https:// in place of http://.');
      expect(error.message).to.equal(errors[0]?.message);
    }
    await stillServes();
  });

  it('minds neither nonsense, nor half a handshake, nor those who leave in the middle of it', async () => {
    for (const bytes of [
      'nonsense\r\n\r\n',
      '\x16\x03\x01\x00\x05hello and more',
      '\x16\x03\x01\x02\x00\x01\x00',
      '\x00'.repeat(5000),
      '',
    ]) {
      const socket = await connection(registry().port);
      socket.on('error', () => undefined).resume();
      socket.end(Buffer.from(bytes, 'latin1'));
      if (!socket.closed) await once(socket, 'close');
    }
    await stillServes();
  });

  it('answers what is not HTTP within TLS', async () => {
    const socket = await handshake();
    const answer = readAnswer(socket);
    socket.write('nonsense\r\n\r\n');
    expect((await answer).status).to.equal(400);
    await stillServes();
  });

  /** Reads to the end, as slowly as `between` says. */
  const digestRead = async (message: IncomingMessage, between: () => Promise<void> = async () => undefined): Promise<string> => {
    const hash = createHash('sha256');
    for await (const chunk of message) {
      hash.update(chunk as Buffer);
      await between();
    }
    return `sha256:${hash.digest('hex')}`;
  };

  it('sends a large blob byte by byte as it is, and parts of it', async () => {
    const path = `/v2/tls/blob/blobs/${blob.digest}`;
    expect(await digestRead(await registry().admin.open('GET', path))).to.equal(blob.digest);
    for (const [start, end] of [
      [0, 0],
      [16_383, 16_385],
      [5 * MIB + 1, 19 * MIB + 2],
      [blob.bytes.length - 1, blob.bytes.length - 1],
    ] as const) {
      const answer = await registry().admin.send('GET', path, { headers: { range: `bytes=${start}-${end}` } });
      expect(answer.status).to.equal(206);
      expect(answer.body.equals(blob.bytes.subarray(start, end + 1)), `${start}-${end}`).to.equal(true);
    }
  });

  it('reads no further than the client does, and sends the rest when it goes on', async () => {
    const sockets: Socket[] = [];
    const remember = (socket: Socket): void => void sockets.push(socket);
    registry().app.http.server.on('secureConnection', remember);
    const client = httpClient(registry().url, { authorization: basic(ADMIN, PASSWORD), ca: ca() });
    const messages = await Promise.all([1, 2, 3, 4].map(() => client.open('GET', `/v2/tls/blob/blobs/${blob.digest}`)));
    registry().app.http.server.off('secureConnection', remember);
    expect(sockets).to.have.length(messages.length);
    let sent = -1;
    await waitUntil(
      'the registry waits for its clients',
      () => {
        const before = sent;
        sent = sockets.reduce((sum, { bytesWritten }) => sum + bytesWritten, 0);
        return sent === before;
      },
      { everyMs: 200 },
    );
    for (const { bytesWritten, writableLength } of sockets) {
      expect(bytesWritten, 'most of it is still to come').to.be.lessThan(blob.bytes.length);
      expect(writableLength).to.be.at.most(2 * MIB);
    }
    let chunks = 0;
    const nowAndThen = async (): Promise<void> => {
      chunks += 1;
      if (chunks % 64 === 0) await new Promise((resolve) => setImmediate(resolve));
    };
    for (const digest of await Promise.all(messages.map((message) => digestRead(message, nowAndThen))))
      expect(digest).to.equal(blob.digest);
    client.close();
  });

  it('goes on when a client breaks off a pull', async () => {
    const message = await registry().admin.open('GET', `/v2/tls/blob/blobs/${blob.digest}`);
    message.destroy();
    await stillServes();
    expect(await digestRead(await registry().admin.open('GET', `/v2/tls/blob/blobs/${blob.digest}`))).to.equal(blob.digest);
  });

  it('gives new connections the new certificate, while those that there are go on with theirs', async () => {
    const sessions: Buffer[] = [];
    const before = secureConnect({ port: registry().port, host: '127.0.0.1', ca: ca() });
    before.on('session', (session: Buffer) => sessions.push(session));
    await once(before, 'secureConnect');
    expect(shownBy(before)).to.equal(certificateIn(first));
    const pull = await registry().admin.open('GET', `/v2/tls/blob/blobs/${blob.digest}`);
    const upload = new PassThrough();
    const bytes = noise(3 * MIB, 'renewed');
    const location = await startUpload(registry().admin, 'tls/renewed');
    const push = finishUpload(registry().admin, location, digestOf(bytes), { body: upload, length: bytes.length });
    upload.write(bytes.subarray(0, MIB));

    replace(second, files);
    await waitUntil('new connections get it', async () => {
      const socket = await handshake();
      const shown = shownBy(socket);
      socket.destroy();
      return shown === certificateIn(second);
    });

    upload.end(bytes.subarray(MIB));
    expect((await push).status).to.equal(201);
    expect(await digestRead(pull)).to.equal(blob.digest);
    const answer = readAnswer(before);
    before.write(head('GET /v2/', 'Connection: close'));
    expect((await answer).status, 'on the old connection').to.equal(401);
    expect(sessions).to.not.deep.equal([]);
    const resumed = await handshake({ session: sessions[0], ALPNProtocols: ['http/1.1'] });
    expect(resumed.isSessionReused(), 'nobody goes on with what was agreed on under the old one').to.equal(false);
    expect([shownBy(resumed), resumed.alpnProtocol]).to.deep.equal([certificateIn(second), 'http/1.1']);
    resumed.destroy();
    await stillServes();
  });

  it('tells the health check that the files went bad, and goes on', async () => {
    const health = async (): Promise<{ status: string; problems?: string[] }> =>
      JSON.parse((await registry().admin.send('GET', '/health')).body.toString());
    expect(await health()).to.not.have.property('problems');
    replace({ cert: first.cert, key: second.key }, files);
    await waitUntil('it is seen', async () => (await health()).problems?.[0]?.includes('is not that of the certificate'));
    expect((await health()).status).to.equal('degraded');
    await stillServes();
    replace(second, files);
    await waitUntil('it is over', async () => (await health()).problems === undefined);
  });
});

describe('a handshake of TLS with a registry that speaks none', () => {
  let opened: TestApp | undefined;
  before(async () => {
    opened = await openTestApp();
  });
  after(() => opened?.close());

  /** The first bytes that a client of TLS sends. */
  const helloOf = async (): Promise<Buffer> => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const client = secureConnect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1' }).on(
      'error',
      () => undefined,
    );
    const [accepted] = (await once(server, 'connection')) as [Socket];
    const [hello] = (await once(accepted, 'data')) as [Buffer];
    client.destroy();
    accepted.destroy();
    server.close();
    return hello;
  };

  it('is answered in words that clients know, and disturbs nobody', async () => {
    const { port, admin } = opened as TestApp;
    const socket = await connection(port);
    const answer = readAnswer(socket);
    socket.write(await helloOf());
    // By just this, `HTTP/1.1 400`, docker's clients tell that the server gave an HTTP response.
    expect((await answer).status).to.equal(400);
    expect((await admin.send('GET', '/v2/')).status).to.equal(200);
  });
});

for (const secure of [false, true])
  describe(`connections that rest at the stop of a registry ${secure ? 'with' : 'without'} TLS`, function () {
    if (secure) requires(this, opensslMissing() === undefined, opensslMissing() ?? '');
    // Less than the half minute that a client may take for the head of a request, or for a handshake.
    this.timeout(20_000);
    const authority = secure ? authorityFor() : undefined;

    it('are closed: before a handshake, before and after a request; what is under way is finished', async () => {
      const pair = await authority?.().issue('stop');
      const registry = await openTestApp(pair && { GHOSTDOCK_TLS_CERT: pair.cert, GHOSTDOCK_TLS_KEY: pair.key });
      const { port, admin, app } = registry;
      const agreed = async (): Promise<Socket> => {
        if (authority === undefined) return connection(port);
        const socket = secureConnect({ port, host: '127.0.0.1', ca: readFileSync(authority().ca) });
        await once(socket, 'secureConnect');
        return socket;
      };
      const silent = await connection(port);
      const unasked = await agreed();
      const answered = await agreed();
      answered.write(head('GET /health/live'));
      await once(answered, 'data');
      const resting = [silent, unasked, answered].map((socket) => once(socket.on('error', () => undefined).resume(), 'close'));

      const bytes = noise(2 * MIB, 'stop');
      const body = new PassThrough();
      const location = await startUpload(admin, 'stop/blob');
      const push = finishUpload(admin, location, digestOf(bytes), { body, length: bytes.length });
      body.write(bytes.subarray(0, MIB));
      await waitUntil('the upload is under way', async () => {
        const { headers } = await admin.send('GET', location);
        return headers.range !== undefined;
      });
      const stopping = app.http.close();
      await Promise.all(resting);
      body.end(bytes.subarray(MIB));
      expect((await push).status).to.equal(201);
      await stopping;
      await registry.close();
    });
  });
