import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { basic, expectStatus, httpClient, pushImage, tagsOf } from '../support/http.ts';
import { randomImage } from '../support/images.ts';
import { cleanAtExit, freePort, run, scratchFolder, waitUntil } from '../support/processes.ts';
import { requires } from '../support/reporter.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const WANTED = process.env.CI === 'true' || process.env.GHOSTDOCK_TEST_README === '1';

/** As on a machine that has nothing of this checkout: its Node is whatever is installed. */
const surroundings = (): Record<string, string | undefined> => {
  const foreign = Object.entries(process.env).filter(([name]) => !/^(npm_|GHOSTDOCK_|NODE_OPTIONS)/i.test(name));
  const path = (process.env.PATH ?? '').split(delimiter).filter((folder) => !folder.startsWith(ROOT));
  return { ...Object.fromEntries(foreign), PATH: path.join(delimiter) };
};

describe('A fresh clone', function () {
  requires(this, WANTED, 'it installs everything anew: set CI=true or GHOSTDOCK_TEST_README=1');
  this.timeout(600_000);
  const { path: folder, remove } = scratchFolder();
  const clone = join(folder, 'clone');

  after(remove);

  it('is made of what is committed', async () => {
    await run('git', ['clone', '--quiet', ROOT, clone], { env: { GIT_TERMINAL_PROMPT: '0' } });
    expect(await run('git', ['-C', clone, 'rev-parse', 'HEAD'])).to.equal(await run('git', ['-C', ROOT, 'rev-parse', 'HEAD']));
  });

  it('installs with npm ci', async () => {
    const cleared = Object.fromEntries(Object.keys(process.env).map((name) => [name, undefined]));
    await run('npm', ['ci', '--no-progress', '--no-fund'], {
      cwd: clone,
      env: { ...cleared, ...surroundings() },
      withinMs: 500_000,
    });
  });

  it('starts with npm start, says where to push and how to log in, and takes a push', async () => {
    const port = await freePort();
    const env = { ...surroundings(), GHOSTDOCK_PORT: String(port) };
    const npm = spawn('npm', ['start'], { cwd: clone, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    const forget = cleanAtExit(() => process.kill(-(npm.pid ?? 0), 'SIGKILL')); // npm, its shell and the registry
    let output = '';
    for (const stream of [npm.stdout, npm.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text;
      });
    }
    await waitUntil('it is ready', () => output.includes('GhostDock Registry is ready'), { withinMs: 60_000 });
    expect(output).to.contain(`docker login localhost:${port} -u admin`).and.to.contain(`docker push localhost:${port}/`);

    const password = /The user "admin" has the password\s+(\S+)\s/.exec(output)?.[1] ?? '';
    const client = httpClient(`http://127.0.0.1:${port}`, { authorization: basic('admin', password) });
    expectStatus('login', await client.send('GET', '/v2/'), 200);
    await pushImage(client, 'readme/image', 'v1', randomImage('readme'));
    expect(await tagsOf(client, 'readme/image')).to.deep.equal(['v1']);
    client.close();

    const ended = once(npm, 'close');
    process.kill(-(npm.pid ?? 0), 'SIGTERM');
    await ended;
    forget();
    expect(output).to.contain('Stopped.');
  });
});
