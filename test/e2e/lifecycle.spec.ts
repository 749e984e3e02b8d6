import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { expect } from 'chai';
import {
  type Answer,
  basic,
  expectStatus,
  type HttpClient,
  httpClient,
  pushImage,
  startUpload,
  tagsOf,
} from '../support/http.ts';
import { digestOf, noise, randomImage } from '../support/images.ts';
import { scratchFolder, waitUntil } from '../support/processes.ts';
import { ADMIN, PASSWORD, type RegistryProcess, refusedStart, registryFor, startRegistry } from '../support/registryProcess.ts';
import { blobDigest } from './visible.ts';

const MIB = 1024 * 1024;
const WITHOUT_PASSWORD = { GHOSTDOCK_ADMIN_PASSWORD: undefined };
const ANNOUNCED = /The user "admin" has the password\s+(\S+)\s+which is shown this once/;

const adminOf = ({ url }: RegistryProcess, password = PASSWORD): HttpClient =>
  httpClient(url, { authorization: basic(ADMIN, password) });

const loginStatus = async (registry: RegistryProcess, password: string): Promise<number> => {
  const client = adminOf(registry, password);
  const { status } = await client.send('GET', '/v2/');
  client.close();
  return status;
};

describe('The first start', function () {
  this.timeout(60_000);
  const registry = registryFor({ env: WITHOUT_PASSWORD });
  const image = randomImage('first start');
  let password = '';

  it('says where to push to and how to log in', () => {
    const { port, output } = registry.current();
    expect(output()).to.contain(`docker login localhost:${port} -u admin`);
    expect(output()).to.contain(`docker push localhost:${port}/`);
  });

  it('shows a password of the administrator once, and not in the log', () => {
    const { output, logs } = registry.current();
    password = ANNOUNCED.exec(output())?.[1] ?? '';
    expect(password.length).to.be.greaterThan(15);
    expect(output().split(password)).to.have.length(2);
    expect(JSON.stringify(logs())).to.not.contain(password);
  });

  it('makes an administrator with that password', async () => {
    expect(await loginStatus(registry.current(), password)).to.equal(200);
    expect(await loginStatus(registry.current(), 'another password')).to.equal(401);
    const client = adminOf(registry.current(), password);
    await pushImage(client, 'first/image', 'v1', image);
    client.close();
  });

  it('refuses a second process on its folder, and goes on', async () => {
    const { dataDir, pid } = registry.current();
    const { exit, output } = await refusedStart(startRegistry({ dataDir }));
    expect(exit.code).to.equal(69);
    expect(output)
      .to.contain(`process ${pid}`)
      .and.to.contain(dataDir)
      .and.to.match(/Another registry/);
    expect(output, 'a sentence, not a stack').to.not.match(/\n\s+at /);
    expect(await loginStatus(registry.current(), password)).to.equal(200);
  });

  it('is followed by starts that go on where it was and show no password', async () => {
    expect(await registry.current().stop()).to.deep.equal({ code: 0, signal: null });
    const second = await registry.restart();
    expect(second.output()).to.not.contain(password).and.to.not.match(ANNOUNCED);
    expect(second.output()).to.contain('docker login');
    const client = adminOf(second, password);
    expect(await tagsOf(client, 'first/image')).to.deep.equal(['v1']);
    expect(await blobDigest(client, 'first/image', image.config.digest)).to.equal(image.config.digest);
    client.close();
  });

  it('lasts: a password that is configured later changes nothing', async () => {
    await registry.current().stop();
    const later = await registry.restart({ GHOSTDOCK_ADMIN_PASSWORD: PASSWORD });
    expect(await loginStatus(later, PASSWORD)).to.equal(401);
    expect(await loginStatus(later, password)).to.equal(200);
  });
});

describe('A first start with a configured password', function () {
  this.timeout(60_000);
  const registry = registryFor();

  it('shows none and takes that one', async () => {
    expect(registry.current().output()).to.not.contain(PASSWORD).and.to.not.match(ANNOUNCED);
    expect(await loginStatus(registry.current(), PASSWORD)).to.equal(200);
  });
});

describe('A first start that is killed', function () {
  this.timeout(120_000);

  it('is made up for by the next, wherever it was', async () => {
    for (const afterMs of [150, 300, 450, 600, 900, 1200]) {
      const { path, remove } = scratchFolder();
      const killed = await startRegistry({ dataDir: path, signal: AbortSignal.timeout(afterMs) }).catch(() => undefined);
      await killed?.kill();
      const registry = await startRegistry({ dataDir: path });
      expect(await loginStatus(registry, PASSWORD), `killed after ${afterMs} ms`).to.equal(200);
      await registry.dispose();
      remove();
    }
  });
});

describe('Stopping', function () {
  this.timeout(120_000);
  const LATE = 'did not finish in time';
  const HALF = 16 * MIB;
  const PIECE = MIB / 4;
  const bytes = noise(2 * HALF, 'stop');

  /** An upload of which the registry has read most of the first half, and waits for the rest. */
  const uploadInHalf = async (client: HttpClient): Promise<Readonly<{ rest: () => void; answer: Promise<Answer> }>> => {
    const body = new PassThrough();
    const location = await startUpload(client, 'stopping/image');
    const path = `${location}?digest=${digestOf(bytes)}`;
    const answer = client.send('PUT', path, {
      body,
      length: bytes.length,
      headers: { 'content-type': 'application/octet-stream' },
    });
    answer.catch(() => undefined); // looked at later
    // More than the sockets can hold, so most of it has been read.
    for (let at = 0; at < HALF; at += PIECE) if (!body.write(bytes.subarray(at, at + PIECE))) await once(body, 'drain');
    return { rest: () => void body.end(bytes.subarray(HALF)), answer };
  };

  const signal = async (registry: RegistryProcess, name: NodeJS.Signals = 'SIGTERM'): Promise<void> => {
    process.kill(registry.pid, name);
    await waitUntil('it says that it stops', () => registry.logs().some(({ msg }) => msg?.startsWith('Stopping')));
  };

  const withUpload = async (
    env: Readonly<Record<string, string>>,
    work: (registry: RegistryProcess, rest: () => void, answer: Promise<Answer>) => Promise<void>,
  ): Promise<void> => {
    const registry = await startRegistry({ env });
    const client = adminOf(registry);
    try {
      const { rest, answer } = await uploadInHalf(client);
      await work(registry, rest, answer);
    } finally {
      client.close();
      await registry.dispose();
    }
  };

  const connects = async (registry: RegistryProcess): Promise<boolean> => {
    const client = adminOf(registry);
    const status = await client.send('GET', '/health').then(
      (answer) => answer.status,
      () => undefined,
    );
    client.close();
    return status === 200;
  };

  it('finishes an upload under way, takes no new connection and exits with 0', () =>
    withUpload({}, async (registry, rest, answer) => {
      await signal(registry);
      await waitUntil('no new connection is taken', async () => !(await connects(registry)));
      rest();
      expectStatus('the upload', await answer, 201);
      expect(await registry.exited).to.deep.equal({ code: 0, signal: null });
      expect(registry.output(), 'it did not have to wait for anything else').to.not.contain(LATE);
      const next = await registry.restart();
      const client = adminOf(next);
      expect(await blobDigest(client, 'stopping/image', digestOf(bytes))).to.equal(digestOf(bytes));
      client.close();
      await next.kill();
    }));

  it('breaks off what takes longer than GHOSTDOCK_STOP_SECONDS, and exits with 0', () =>
    withUpload({ GHOSTDOCK_STOP_SECONDS: '1' }, async (registry, _rest, answer) => {
      await signal(registry, 'SIGINT');
      const broken = await answer.catch((error: unknown) => error);
      expect(broken).to.be.instanceOf(Error);
      expect(await registry.exited).to.deep.equal({ code: 0, signal: null });
      expect(registry.output()).to.contain(LATE);
    }));

  it('ends at once on a second signal, with 1', () =>
    withUpload({}, async (registry) => {
      await signal(registry);
      expect(await registry.stop()).to.deep.equal({ code: 1, signal: null });
    }));
});
