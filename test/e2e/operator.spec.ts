import { readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { basic, bearer, expectStatus, httpClient, pushImage } from '../support/http.ts';
import { randomImage } from '../support/images.ts';
import { attempt, type Ran, waitUntil } from '../support/processes.ts';
import { ADMIN, PASSWORD, refusedStart, registryFor } from '../support/registryProcess.ts';
import { expectViewsAgree } from './stopped.ts';
import { halfVisible } from './visible.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

describe('An operator', function () {
  this.timeout(90_000);
  const registry = registryFor();
  const NAMES = ['one', 'two', 'three'].map((name) => `operated/${name}`);
  let password = PASSWORD;

  const ghostdock = (args: readonly string[], input = ''): Promise<Ran> =>
    attempt('npm', ['run', '--silent', 'ghostdock', '--', ...args], {
      cwd: ROOT,
      env: { GHOSTDOCK_DATA_DIR: registry.current().dataDir, GHOSTDOCK_ADMIN_PASSWORD: undefined },
      input,
    });

  const admin = () => httpClient(registry.current().url, { authorization: basic(ADMIN, password) });

  /** What clients see: every tag of every repository with the manifest that it has. */
  const shown = async (): Promise<readonly string[]> => {
    const client = admin();
    expect(await halfVisible(client)).to.deep.equal([]);
    const lines = await Promise.all(
      ['/v2/_catalog', ...NAMES.flatMap((name) => [`/v2/${name}/tags/list`, `/v2/${name}/manifests/v1`])].map(async (path) => {
        const { body } = expectStatus(path, await client.send('GET', path), 200);
        return `${path} ${body}`;
      }),
    );
    client.close();
    return lines;
  };

  before(async () => {
    const client = admin();
    for (const name of NAMES) await pushImage(client, name, 'v1', randomImage(name));
    client.close();
  });

  it('may delete the folder of views: the next start builds them anew, and serves the same', async () => {
    const before = await shown();
    await registry.current().stop();
    const views = join(registry.current().dataDir, 'views');
    expect(readdirSync(views)).to.not.deep.equal([]);
    rmSync(views, { recursive: true });
    await registry.restart();
    expect(await shown()).to.deep.equal(before);
  });

  it('can have the views built anew while the registry serves', async () => {
    const before = await shown();
    const { pid, logs } = registry.current();
    process.kill(pid, 'SIGUSR2');
    await waitUntil('they are in use', () => logs().some(({ msg }) => msg?.startsWith('All views are built anew')));
    expect(await shown()).to.deep.equal(before);
  });

  it('cannot reset a password while the registry runs', async () => {
    const { code, stderr } = await ghostdock(['reset-password', ADMIN]);
    expect(code).to.equal(64);
    expect(stderr).to.match(/Another registry.*uses the folder/);
    expect(stderr).to.not.match(/\n\s+at /);
  });

  it('resets a password: the new one works, the old one and its tokens do not', async () => {
    const client = httpClient(registry.current().url);
    const token = await bearer(client, basic(ADMIN, PASSWORD), 'repository:operated/one:pull');
    expectStatus('pull', await client.as(token).send('GET', '/v2/operated/one/manifests/v1'), 200);
    await registry.current().stop();
    const { code, stdout, stderr } = await ghostdock(['reset-password', ADMIN]);
    expect(code, stderr).to.equal(0);
    password = /has the password\s+(\S+)\s+which is shown this once/.exec(stdout)?.[1] ?? '';
    expect(password.length).to.be.greaterThan(15);

    await registry.restart();
    expectStatus('the new password', await client.as(basic(ADMIN, password)).send('GET', '/v2/'), 200);
    expectStatus('the old password', await client.as(basic(ADMIN, PASSWORD)).send('GET', '/v2/'), 401);
    expectStatus('its token', await client.as(token).send('GET', '/v2/operated/one/manifests/v1'), 401);
    client.close();
  });

  it('gives a password on standard input, which is not shown', async () => {
    await registry.current().stop();
    password = 'another correct horse';
    const { code, stdout, stderr } = await ghostdock(['reset-password', ADMIN, '--stdin'], `${password}\n`);
    expect(code, stderr).to.equal(0);
    expect(stdout).to.not.contain(password);
    await registry.restart();
    const client = admin();
    expectStatus('the new password', await client.send('GET', '/v2/'), 200);
    client.close();
  });

  it('is told what is wrong with a command', async () => {
    for (const [args, said] of [
      [['reset-password', 'nobody'], 'There is no user nobody'],
      [['reset-password'], 'Whose password'],
      [['frobnicate'], 'There is no command frobnicate'],
    ] as const) {
      if (args[1] === 'nobody') await registry.current().stop();
      const { code, stderr } = await ghostdock(args);
      expect(code).to.equal(64);
      expect(stderr).to.contain(said);
    }
  });

  it('is told when the secrets of a log are missing, and nothing is lost by trying', async () => {
    await registry.current().stop();
    await registry.restart();
    const before = await shown();
    await registry.current().stop();
    const { dataDir } = registry.current();
    renameSync(join(dataDir, 'secrets'), join(dataDir, 'secrets-elsewhere'));
    const { exit, output } = await refusedStart(registry.restart());
    expect(exit.code).to.equal(78);
    expect(output).to.contain('its secrets are not here').and.not.contain(' at ');
    rmSync(join(dataDir, 'secrets'), { recursive: true });
    renameSync(join(dataDir, 'secrets-elsewhere'), join(dataDir, 'secrets'));
    await registry.restart();
    expect(await shown()).to.deep.equal(before);
  });

  it('leaves views that agree with the log', () => expectViewsAgree(registry.current().dataDir));
});
