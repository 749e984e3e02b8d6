import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { openTestApp, type TestApp } from '../support/app.ts';
import { type Answer, basic, expectStatus, type HttpClient, httpClient, type Sending } from '../support/http.ts';
import { digestOf, noise, randomImage } from '../support/images.ts';
import { attempt, cleanAtExit, exitOf, freePort, installed, scratchFolder, waitUntil } from '../support/processes.ts';
import { ADMIN, PASSWORD } from '../support/registryProcess.ts';
import { requires } from '../support/reporter.ts';
import { textOf } from './files.ts';

/** How a program is run with a configuration of ops/proxy, in front of the node on a port. */
type Program = Readonly<{
  program: string;
  configuration: string;
  /** Takes the place out of the configuration where the prefix is taken off. */
  stripping: RegExp;
  write: (text: string, port: number, node: number) => string;
  args: (file: string, folder: string) => readonly string[];
}>;

const PROXIES: readonly Program[] = [
  {
    program: 'haproxy',
    configuration: 'ops/proxy/prefix.haproxy.cfg',
    stripping: /^ *http-request replace-path .*\n/m,
    write: (text) => text,
    args: (file) => ['-f', file],
  },
  {
    program: 'nginx',
    configuration: 'ops/proxy/prefix.nginx.conf',
    stripping: /^ *rewrite .*\n/m,
    write: (text, port, node) =>
      `pid nginx.pid;\ndaemon off;\n${text.replace('listen 8080', `listen 127.0.0.1:${port}`).replace('node1:5000', `127.0.0.1:${node}`)}`,
    args: (file, folder) => ['-p', folder, '-e', join(folder, 'errors'), '-c', file],
  },
];

type Running = Readonly<{ stop: () => Promise<void> }>;

const run = async (
  { program, configuration, stripping, write, args }: Program,
  strips: boolean,
  port: number,
  node: number,
): Promise<Running> => {
  const { path: folder, remove } = scratchFolder();
  for (const name of ['body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']) mkdirSync(join(folder, name));
  const text = textOf(configuration);
  expect(text, 'the place where the prefix is taken off').to.match(stripping);
  const file = join(folder, 'configuration');
  writeFileSync(file, write(strips ? text : text.replace(stripping, ''), port, node));
  const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin`, LISTEN_PORT: String(port), NODE: `127.0.0.1:${node}` };
  const child = spawn(program, args(file, folder), { env, stdio: 'ignore' });
  const forget = cleanAtExit(() => child.kill('SIGKILL'));
  const client = httpClient(`http://127.0.0.1:${port}`);
  await waitUntil(`${program} answers`, async () => (await client.send('GET', '/v2/')).status === 401);
  client.close();
  return {
    stop: async () => {
      child.kill('SIGTERM');
      await exitOf(child);
      forget();
      remove();
    },
  };
};

/** A client that knows the URL of the registry, and resolves what it is told against the URL that it asked (RFC 3986, section 5). */
type Follower = Readonly<{
  ask: (method: string, url: string, sending?: Sending) => Promise<Answer & Readonly<{ leadsTo: string }>>;
  at: (path: string) => string;
}>;

const followerOf = (client: HttpClient, base: string): Follower => ({
  at: (path) => `${base}${path}`,
  ask: async (method, url, sending) => {
    const answer = await client.send(method, url, sending);
    const led = answer.headers.location ?? /<([^>]+)>/.exec(String(answer.headers.link ?? ''))?.[1];
    return { ...answer, leadsTo: led === undefined ? '' : new URL(led, url).href };
  },
});

const IMAGE = randomImage('prefix', { layers: 1 });

/** Pushes, mounts, lists and pulls, as far as possible at the URLs that it is told. */
const useAll = async ({ ask, at }: Follower, name: string): Promise<void> => {
  const upload = async (repository: string, bytes: Uint8Array): Promise<string> => {
    const begun = expectStatus('upload', await ask('POST', at(`/v2/${repository}/blobs/uploads/`)), 202);
    const half = Math.floor(bytes.length / 2);
    const sent = await ask('PATCH', (begun as { leadsTo: string } & Answer).leadsTo, { body: bytes.subarray(0, half) });
    expectStatus('chunk', sent, 202);
    const stands = await ask('GET', sent.leadsTo);
    expect([stands.status, stands.headers.range]).to.deep.equal([204, `0-${half - 1}`]);
    const wrong = await ask('PATCH', stands.leadsTo, { body: 'x', headers: { 'content-range': '99999999-99999999' } });
    expectStatus('chunk in the wrong place', wrong, 416);
    const put = await ask('PUT', `${wrong.leadsTo}?digest=${digestOf(bytes)}`, { body: bytes.subarray(half) });
    expectStatus('finish', put, 201);
    return put.leadsTo;
  };

  for (const { bytes } of [IMAGE.config, ...IMAGE.layers]) {
    const blob = await ask('GET', await upload(name, bytes));
    expect(blob.body.equals(bytes), 'the blob is where the answer says').to.equal(true);
  }
  const [layer] = IMAGE.layers;
  const mounted = await ask('POST', at(`/v2/${name}-2/blobs/uploads/?mount=${layer?.digest}&from=${name}`));
  expectStatus('mount', mounted, 201);
  expectStatus('what was mounted', await ask('HEAD', mounted.leadsTo), 200);
  await upload(`${name}-2`, IMAGE.config.bytes);
  for (const [repository, tag] of [
    [name, 'v1'],
    [name, 'v2'],
    [`${name}-2`, 'v1'],
  ]) {
    const headers = { 'content-type': IMAGE.manifest.mediaType };
    const put = await ask('PUT', at(`/v2/${repository}/manifests/${tag}`), { body: IMAGE.manifest.bytes, headers });
    expectStatus('manifest', put, 201);
    expect((await ask('GET', put.leadsTo)).body.equals(IMAGE.manifest.bytes)).to.equal(true);
  }
  for (const list of [`/v2/${name}/tags/list?n=1`, '/v2/_catalog?n=1']) {
    const page = expectStatus(list, await ask('GET', at(list)), 200) as Answer & { leadsTo: string };
    const next = await ask('GET', page.leadsTo);
    expectStatus('the next page', next, 200);
    expect(next.body.toString()).to.not.equal(page.body.toString());
  }
  const large = noise(5 * 1024 * 1024 + 1, name);
  expect((await ask('GET', await upload(name, large))).body.equals(large)).to.equal(true);
};

/** Where the registry may know its prefix from, as settings of it, by the proxy's port. */
const KNOWN: Readonly<Record<string, (port: number) => Readonly<Record<string, string>>>> = {
  GHOSTDOCK_PUBLIC_URL: (port) => ({ GHOSTDOCK_PUBLIC_URL: `http://127.0.0.1:${port}/registry` }),
  'X-Forwarded-Prefix': () => ({ GHOSTDOCK_TRUSTED_PROXIES: 'loopback' }),
};

for (const proxy of PROXIES)
  describe(proxy.configuration, function () {
    requires(this, installed(proxy.program), `${proxy.program} is not installed`);
    this.timeout(60_000);

    for (const [strips, known] of [
      [true, 'GHOSTDOCK_PUBLIC_URL'],
      [true, 'X-Forwarded-Prefix'],
      [false, 'GHOSTDOCK_PUBLIC_URL'],
    ] as const)
      describe(`in front of a registry that knows of it by ${known}, where the proxy ${strips ? 'strips' : 'does not strip'} it`, () => {
        let registry: TestApp | undefined;
        let running: Running | undefined;
        let host = '';
        before(async () => {
          const port = await freePort();
          host = `http://127.0.0.1:${port}`;
          registry = await openTestApp(KNOWN[known]?.(port));
          running = await run(proxy, strips, port, registry.port);
        });
        after(async () => {
          await running?.stop();
          await registry?.close();
        });

        const asAdmin = async (base: string, work: (follower: Follower) => Promise<void>): Promise<void> => {
          const client = httpClient(base, { authorization: basic(ADMIN, PASSWORD) });
          await work(followerOf(client, base));
          client.close();
        };

        it('every URL that a client is told leads to what it is of', () =>
          asAdmin(`${host}/registry`, (follower) => useAll(follower, 'a/below')));

        it('so it does for clients that put nothing before /v2, as docker’s do', () =>
          asAdmin(host, (follower) => useAll(follower, 'a/docker')));

        it('so it does for those who ask the registry itself', () =>
          asAdmin(registry?.url ?? '', async (follower) => {
            // Who is not behind the proxy is not told of the prefix by it; the configured URL holds for everyone, and is served to everyone.
            await useAll(follower, 'a/direct');
          }));

        it('clients get their tokens where the challenge sends them', async () => {
          const client = httpClient(`${host}/registry/`);
          const challenged = expectStatus('challenge', await client.send('GET', `${host}/registry/v2/`), 401);
          const realm = /realm="([^"]+)"/.exec(String(challenged.headers['www-authenticate']))?.[1];
          expect(realm).to.equal(`${host}/registry/auth`);
          const answer = await client.as(basic(ADMIN, PASSWORD)).send('GET', `${realm}?service=x&scope=registry:catalog:*`);
          const { token } = JSON.parse(expectStatus('token', answer, 200).body.toString()) as { token: string };
          expectStatus('catalog', await client.as(`Bearer ${token}`).send('GET', `${host}/registry/v2/_catalog`), 200);
          client.close();
        });

        it('nobody can name another prefix, or another host', async () => {
          const client = httpClient(host, { authorization: basic(ADMIN, PASSWORD) });
          const headers = {
            'x-forwarded-prefix': '/evil',
            'x-forwarded-host': 'evil.example',
            'x-forwarded-proto': 'ftp',
            forwarded: 'host=evil.example',
          };
          const begun = await client.send('POST', `${host}/registry/v2/a/b/blobs/uploads/`, { headers });
          expect(String(begun.headers.location)).to.match(/^\/registry\/v2\/a\/b\/blobs\/uploads\/[0-9a-f-]{36}$/);
          const { headers: got } = await client.as(undefined).send('GET', `${host}/registry/v2/`, { headers });
          expect(String(got['www-authenticate'])).to.contain(`realm="${host}/registry/auth"`);
          client.close();
        });
      });
  });

describe('ops/proxy/prefix.haproxy.cfg', function () {
  requires(this, installed('haproxy'), 'haproxy is not installed');

  it('has no fault', async () => {
    const { code, stdout, stderr } = await attempt('haproxy', ['-c', '-f', 'ops/proxy/prefix.haproxy.cfg'], {
      env: { PATH: `${process.env.PATH}:/usr/sbin`, LISTEN_PORT: '8080', NODE: '127.0.0.1:5000' },
    });
    expect(code, stdout + stderr).to.equal(0);
    expect(stdout + stderr).to.not.match(/WARNING|ALERT/);
  });
});
