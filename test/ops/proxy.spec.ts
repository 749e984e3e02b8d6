import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { expect } from 'chai';
import { basic, expectStatus, finishUpload, httpClient, pushImage, startUpload } from '../support/http.ts';
import { digestOf, noise, noiseStream, randomImage } from '../support/images.ts';
import { attempt, cleanAtExit, exitOf, freePort, installed, memoryOf, waitUntil } from '../support/processes.ts';
import { ADMIN, PASSWORD, type RegistryProcess, startRegistry } from '../support/registryProcess.ts';
import { requires } from '../support/reporter.ts';
import { expectPulled } from './backups.ts';
import { ROOT } from './files.ts';

const MIB = 1024 * 1024;
const CONFIGURATION = join(ROOT, 'ops/compose/haproxy.cfg');
const NAMES = [
  'alpine',
  'team/app',
  'tags/list',
  'a/blobs/b',
  'a/manifests/b',
  ...Array.from({ length: 12 }, (_, n) => `many/image-${n}`),
];

type Proxy = Readonly<{ url: string; process: ChildProcess; stop: () => Promise<void> }>;

const environment = (port: number, nodes: readonly string[]) => ({
  LISTEN_PORT: String(port),
  NODE1: nodes[0] ?? '127.0.0.1:1',
  NODE2: nodes[1] ?? '127.0.0.1:1',
});

const startProxy = async (...nodes: readonly string[]): Promise<Proxy> => {
  const port = await freePort();
  const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin`, ...environment(port, nodes) };
  const haproxy = spawn('haproxy', ['-f', CONFIGURATION], { env, stdio: 'ignore' });
  const forget = cleanAtExit(() => haproxy.kill('SIGKILL'));
  const url = `http://127.0.0.1:${port}`;
  const client = httpClient(url);
  await waitUntil('the proxy answers', async () => (await client.send('GET', '/health/live')).status === 200);
  client.close();
  return {
    url,
    process: haproxy,
    stop: async () => {
      haproxy.kill('SIGKILL');
      await exitOf(haproxy);
      forget();
    },
  };
};

describe('ops/compose/haproxy.cfg', function () {
  requires(this, installed('haproxy'), 'haproxy is not installed: scripts/installOpsTools.sh');
  this.timeout(120_000);

  it('has no fault', async () => {
    const { code, stdout, stderr } = await attempt('haproxy', ['-c', '-f', CONFIGURATION], {
      env: { PATH: `${process.env.PATH}:/usr/sbin`, ...environment(5000, []) },
    });
    expect(code, stdout + stderr).to.equal(0);
    expect(stdout + stderr).to.not.match(/WARNING|ALERT/);
  });

  // Each of them has a store of its own: an image is whole at one of them only if all of its requests went there.
  describe('in front of two registries', () => {
    const registries: RegistryProcess[] = [];
    const images = new Map(NAMES.map((name) => [name, randomImage(name)]));
    let proxy: Proxy | undefined;
    let client = httpClient('http://127.0.0.1:1');

    before(async () => {
      registries.push(...(await Promise.all([startRegistry(), startRegistry()])));
      proxy = await startProxy(...registries.map(({ host }) => host));
      client = httpClient(proxy.url, { authorization: basic(ADMIN, PASSWORD) });
    });
    after(async () => {
      client.close();
      await proxy?.stop();
      for (const registry of registries) await registry.dispose();
    });

    it('sends everything about a repository to one node, and each node has some', async () => {
      for (const [name, image] of images) await pushImage(client, name, 'v1', image);
      for (const [repository, image] of images) await expectPulled(client, { repository, tag: 'v1', image });
      const held = await Promise.all(
        registries.map(async ({ url }) => {
          const direct = httpClient(url, { authorization: basic(ADMIN, PASSWORD) });
          const { body } = expectStatus('catalog', await direct.send('GET', '/v2/_catalog'), 200);
          direct.close();
          return (JSON.parse(body.toString()) as { repositories: readonly string[] }).repositories;
        }),
      );
      expect(held.flat()).to.have.members(NAMES);
      for (const names of held) expect(names.length).to.be.greaterThan(1);
    });

    it('streams a body of unknown length and holds none of it', async () => {
      const size = 96 * MIB;
      const digest = await (async () => {
        const chunks: Buffer[] = [];
        for await (const chunk of noiseStream(size, 'large')) chunks.push(chunk as Buffer);
        return digestOf(Buffer.concat(chunks));
      })();
      const before = memoryOf(proxy?.process.pid ?? 0, 'VmHWM');
      await finishUpload(client, await startUpload(client, 'many/large'), digest, { body: noiseStream(size, 'large') });
      const message = await client.open('GET', `/v2/many/large/blobs/${digest}`);
      let length = 0;
      for await (const chunk of message) length += (chunk as Buffer).length;
      expect(length).to.equal(size);
      expect(memoryOf(proxy?.process.pid ?? 0, 'VmHWM') - before).to.be.lessThan(16 * MIB);
    });

    it('passes bytes on as they come, not when all are there', async () => {
      const bytes = noise(8 * MIB, 'in halves');
      const location = await startUpload(client, 'many/halves');
      let goOn: () => void = () => undefined;
      const half = new Promise<void>((resolve) => {
        goOn = resolve;
      });
      const halves = async function* (): AsyncGenerator<Buffer> {
        yield bytes.subarray(0, 6 * MIB);
        await half;
        yield bytes.subarray(6 * MIB);
      };
      const finished = finishUpload(client, location, digestOf(bytes), { body: Readable.from(halves()) });
      await waitUntil('a node has the first half in its session', async () => {
        const folders = registries.map(({ dataDir }) => join(dataDir, 'uploads'));
        return (await Promise.all(folders.map((folder) => attempt('find', [folder, '-size', '+1M'])))).some(
          ({ stdout }) => stdout !== '',
        );
      });
      goOn();
      await finished;
    });

    it('sends what a stopped node had to the other one', async () => {
      await registries[0]?.stop();
      for (const name of NAMES) expectStatus(name, await client.send('GET', `/v2/${name}/tags/list`), 200, 404);
      await pushImage(client, 'many/after', 'v1', randomImage('after'));
    });
  });

  describe('in front of a node that shows what it got', () => {
    const node = createServer();
    let proxy: Proxy | undefined;
    let got: IncomingHttpHeaders = {};
    let status = 200;

    before(async () => {
      node.on('request', (incoming, response) => {
        const alive = incoming.url === '/health/live';
        if (!alive) got = incoming.headers;
        incoming.resume();
        response.writeHead(alive ? 200 : status, { 'retry-after': '5', 'content-type': 'application/json' }).end('{}');
      });
      await once(node.listen(0, '127.0.0.1'), 'listening');
      proxy = await startProxy(`127.0.0.1:${(node.address() as AddressInfo).port}`);
    });
    after(async () => {
      await proxy?.stop();
      node.closeAllConnections();
      node.close();
    });

    const send = (headers: Record<string, string>) =>
      new Promise<Readonly<{ status: number; retryAfter: string | undefined }>>((resolve, reject) => {
        request(`${proxy?.url}/v2/`, { headers }, (message) => {
          message.resume();
          resolve({ status: message.statusCode ?? 0, retryAfter: message.headers['retry-after'] });
        })
          .on('error', reject)
          .end();
      });

    it('says who asked and how, and believes nobody who says so himself', async () => {
      await send({
        host: 'registry.example.com',
        'x-forwarded-for': '10.9.8.7',
        'x-forwarded-proto': 'https',
        'x-forwarded-host': 'evil.example',
        'x-forwarded-prefix': '/evil',
        forwarded: 'for=10.9.8.7',
      });
      expect(got).to.include({
        host: 'registry.example.com',
        'x-forwarded-for': '127.0.0.1',
        'x-forwarded-proto': 'http',
        'x-forwarded-host': 'registry.example.com',
      });
      expect(got).to.not.have.any.keys('forwarded', 'x-forwarded-prefix');
    });

    it('leaves it to the node to say that something ails it, with when to come again', async () => {
      status = 503;
      expect(await send({ 'x-seed': randomBytes(4).toString('hex') })).to.deep.equal({ status: 503, retryAfter: '5' });
    });
  });
});
