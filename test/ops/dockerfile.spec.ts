import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo, Server } from 'node:net';
import { dirname, join } from 'node:path';
import { expect } from 'chai';
import { authorityFor, opensslMissing } from '../support/certificates.ts';
import {
  attempt,
  cleanAtExit,
  type Environment,
  exitOf,
  freePort,
  installed,
  run,
  scratchFolder,
  waitUntil,
} from '../support/processes.ts';
import { PASSWORD } from '../support/registryProcess.ts';
import { requires } from '../support/reporter.ts';
import { ROOT, textOf } from './files.ts';

const DOCKERFILE = 'ops/docker/Dockerfile';

/** Instructions with their continuation lines joined, without comments. */
const instructions = textOf(DOCKERFILE)
  .replace(/^#.*\n/gm, '')
  .replace(/\\\n/g, ' ')
  .split('\n')
  .filter((line) => line.trim() !== '')
  .map((line) => {
    const [, word = '', rest = ''] = /^(\S+)\s+(.*)$/.exec(line) ?? [];
    return { word, rest };
  });

const last = (word: string): string => instructions.filter((one) => one.word === word).at(-1)?.rest ?? '';

/** What is copied out of the checkout, and where to below /app. */
const copied = instructions
  .filter(({ word, rest }) => word === 'COPY' && !rest.includes('--from='))
  .flatMap(({ rest }) => {
    const paths = rest.split(/\s+/);
    const target = paths.at(-1) ?? '';
    return paths
      .slice(0, -1)
      .map((source) => ({ source, target: target.endsWith('/') ? join(target, source.split('/').at(-1) ?? '') : target }));
  });

/** Whether `.dockerignore`, a list of what is let in again after `*`, lets a path into the build. */
const isSent = (path: string): boolean => {
  let sent = true;
  for (const line of textOf('.dockerignore').split('\n')) {
    const pattern = line.replace(/^!/, '').trim();
    if (pattern === '' || pattern.startsWith('#')) continue;
    const parts = pattern.replaceAll('.', '\\.').replaceAll('*', '[^/]*');
    if (new RegExp(`^${parts}(/|$)`).test(path)) sent = line.startsWith('!');
  }
  return sent;
};

describe('The Dockerfile', () => {
  it('takes the Node that the tests run on, by its exact version', () => {
    const { dependencies } = JSON.parse(textOf('package.json')) as { dependencies: { node: string } };
    expect(last('ARG')).to.equal(`NODE_VERSION=${dependencies.node}`);
    for (const { rest } of instructions.filter(({ word }) => word === 'FROM'))
      expect(rest).to.match(/^node:\$\{NODE_VERSION\}-slim( AS build)?$/);
  });

  it('brings no second Node along: the package of that name fetches one in its script, which does not run', () => {
    expect(last('RUN') && instructions.find(({ rest }) => rest.startsWith('npm ci'))?.rest).to.contain('--ignore-scripts');
  });

  it('copies files that are there and that the build is sent', () => {
    expect(copied.map(({ source }) => source)).to.include.members(['package.json', 'package-lock.json', 'src']);
    for (const { source } of copied) {
      expect(existsSync(join(ROOT, source)), source).to.equal(true);
      expect(isSent(source), `${source} in .dockerignore`).to.equal(true);
    }
    for (const path of ['node_modules', 'data', '.git', 'test', 'ops/compose/.env', 'ops/compose/secret-key'])
      expect(isSent(path), path).to.equal(false);
  });

  it('runs as a user that is a number and not root, with a folder of its own', () => {
    expect(last('USER')).to.match(/^[1-9]\d*:[1-9]\d*$/);
    const [user, group] = last('USER').split(':');
    expect(last('RUN')).to.contain(`install -d -o ${user} -g ${group} -m 0700 /data`);
    expect(last('VOLUME')).to.equal('/data');
    expect(last('ENV')).to.contain('GHOSTDOCK_DATA_DIR=/data').and.to.contain('GHOSTDOCK_HOST=0.0.0.0');
  });

  it('starts the registry itself, so that it gets the signals', () => {
    expect(JSON.parse(last('ENTRYPOINT'))).to.deep.equal(['node', '/app/src/main.ts']);
    expect(last('STOPSIGNAL')).to.equal('SIGTERM');
    expect(last('CMD')).to.equal('');
  });

  it('checks health with what is in the image', () => {
    const command = JSON.parse(/CMD (\[.*\])$/.exec(last('HEALTHCHECK'))?.[1] ?? '[]') as string[];
    expect(command).to.deep.equal(['node', '/app/ops/docker/healthCheck.mjs']);
    expect(copied.map(({ target }) => join('/app', target))).to.include(command[1]);
  });

  describe('by hadolint', function () {
    requires(this, installed('hadolint'), 'hadolint is not installed: scripts/installOpsTools.sh');

    it('has no fault', async () => {
      expect(await run('hadolint', [DOCKERFILE], { cwd: ROOT })).to.equal('');
    });
  });
});

describe('What the image is made of', function () {
  this.timeout(90_000);
  const { path: folder, remove } = scratchFolder();
  const app = join(folder, 'app');

  before(() => {
    for (const { source, target } of copied) {
      mkdirSync(dirname(join(app, target)), { recursive: true });
      cpSync(join(ROOT, source), join(app, target), { recursive: true });
    }
    symlinkSync(join(ROOT, 'node_modules'), join(app, 'node_modules'));
    symlinkSync(join(app, 'src', 'cli.ts'), join(folder, 'ghostdock'));
  });
  after(remove);

  const check = (port: number | undefined, env: Environment = {}) =>
    attempt(process.execPath, [join(app, 'ops/docker/healthCheck.mjs')], { env: { GHOSTDOCK_PORT: port?.toString(), ...env } });

  it('is all that the registry needs: it starts, is healthy, and stops on SIGTERM', async () => {
    const port = await freePort();
    const env = { GHOSTDOCK_PORT: String(port), GHOSTDOCK_DATA_DIR: join(folder, 'data'), GHOSTDOCK_ADMIN_PASSWORD: PASSWORD };
    const registry = spawn(process.execPath, [join(app, 'src/main.ts')], {
      env: { PATH: process.env.PATH, ...env },
      stdio: 'ignore',
    });
    const forget = cleanAtExit(() => registry.kill('SIGKILL'));
    await waitUntil('the health check succeeds', async () => (await check(port)).code === 0, { withinMs: 60_000 });
    registry.kill('SIGTERM');
    expect(await exitOf(registry)).to.deep.equal({ code: 0, signal: null });
    forget();
    expect((await check(port)).code, 'of a registry that is gone').to.equal(1);
  });

  it('is not called healthy when something answers with an error', async () => {
    const server = createServer((_request, response) => response.writeHead(503).end()).listen(0, '127.0.0.1');
    await once(server, 'listening');
    expect((await check((server.address() as AddressInfo).port)).code).to.equal(1);
    server.close();
  });

  describe('where it speaks TLS', function () {
    requires(this, opensslMissing() === undefined, opensslMissing() ?? '');
    const authority = authorityFor();

    it('is healthy with a certificate that nobody knows and that has ended, and not when it speaks none', async () => {
      const { cert, key } = await authority().issue('health', { days: 0 });
      const env = { GHOSTDOCK_TLS_CERT: cert };
      const listening = async (server: Server): Promise<number> => {
        await once(server.listen(0, '127.0.0.1'), 'listening');
        return (server.address() as AddressInfo).port;
      };
      const answer: RequestListener = ({ url }, response) => response.writeHead(url === '/health/live' ? 200 : 404).end();
      const secure = createSecureServer({ cert: readFileSync(cert), key: readFileSync(key) }, answer);
      const plain = createServer(answer);
      const [securePort, plainPort] = [await listening(secure), await listening(plain)];
      const codes = [await check(securePort, env), await check(plainPort, env), await check(securePort)].map(({ code }) => code);
      expect(codes).to.deep.equal([0, 1, 1]);
      for (const server of [secure, plain]) server.close();
    });
  });

  it('has the commands on the PATH, and the scripts of the backup', async () => {
    expect(await run(process.execPath, [join(folder, 'ghostdock'), 'help'])).to.contain('reset-password');
    expect(await run('bash', [join(app, 'ops/backup/backup.sh'), '--help'])).to.contain('backup.sh');
  });
});
