import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect } from 'chai';
import { basic, httpClient, pushImage, tagsOf } from '../support/http.ts';
import { randomImage } from '../support/images.ts';
import { scratchFolder } from '../support/processes.ts';
import { ADMIN, type NotStarted, PASSWORD, refusedStart, startRegistry } from '../support/registryProcess.ts';

const newKey = (): string => randomBytes(32).toString('base64');

const expectSentence = ({ output }: NotStarted): void => {
  expect(output).to.contain('The registry cannot start');
  expect(output, 'a sentence, not a stack').to.not.match(/\n\s+at /);
};

describe('A configuration', function () {
  this.timeout(60_000);

  it('that is wrong is refused with every problem at once, and shows no secret', async () => {
    const wrong = await refusedStart(
      startRegistry({
        env: {
          GHOSTDOCK_PORT: '70000',
          GHOSTDOCK_AUTH: 'maybe',
          GHOSTDOCK_ADMIN_PASSWORD: 'hunter2',
          GHOSTDOCK_SECRET_KEY: 'not-a-key-at-all',
          GHOSTDOCK_PUBLIC_URL: 'registry.example.com/path',
          GHOSTDOCK_COLOUR: 'blue',
        },
      }),
    );
    expect(wrong.exit.code).to.equal(78);
    expectSentence(wrong);
    for (const name of ['PORT', 'AUTH', 'ADMIN_PASSWORD', 'SECRET_KEY', 'PUBLIC_URL', 'COLOUR']) {
      expect(wrong.output).to.contain(`GHOSTDOCK_${name}`);
    }
    expect(wrong.output).to.contain('70000').and.to.contain('maybe');
    expect(wrong.output).to.not.contain('hunter2').and.to.not.contain('not-a-key-at-all');
  });

  it('with a first password that is guessed first is refused, until there are users', async () => {
    const { path: dataDir, remove } = scratchFolder();
    const weak = { GHOSTDOCK_ADMIN_PASSWORD: 'Password123!' };
    const wrong = await refusedStart(startRegistry({ dataDir, env: weak }));
    expect(wrong.exit.code).to.equal(78);
    expectSentence(wrong);
    expect(wrong.output).to.contain('GHOSTDOCK_ADMIN_PASSWORD').and.to.contain('guessed first');
    expect(wrong.output).not.to.contain('Password123!');

    const file = join(dataDir, 'password');
    writeFileSync(file, `${PASSWORD}\n`);
    const mounted = { GHOSTDOCK_ADMIN_PASSWORD: undefined, GHOSTDOCK_ADMIN_PASSWORD_FILE: file };
    const first = await startRegistry({ dataDir, env: mounted });
    expect((await fetch(`${first.url}/v2/`, { headers: { authorization: basic(ADMIN, PASSWORD) } })).status).to.equal(200);
    await first.stop();

    const later = await startRegistry({ dataDir, env: weak });
    expect((await fetch(`${later.url}/v2/`, { headers: { authorization: basic(ADMIN, PASSWORD) } })).status).to.equal(200);
    await later.stop();
    remove();
  });

  it('with another secret key than before is refused, and the right one still works', async () => {
    const { path: dataDir, remove } = scratchFolder();
    const GHOSTDOCK_SECRET_KEY = newKey();
    const first = await startRegistry({ dataDir, env: { GHOSTDOCK_SECRET_KEY } });
    await first.stop();

    const other = newKey();
    for (const key of [other, undefined]) {
      const wrong = await refusedStart(startRegistry({ dataDir, env: { GHOSTDOCK_SECRET_KEY: key } }));
      expect(wrong.exit.code).to.equal(78);
      expectSentence(wrong);
      expect(wrong.output).to.match(/key/).and.to.not.contain(other);
    }
    const again = await startRegistry({ dataDir, env: { GHOSTDOCK_SECRET_KEY } });
    await again.stop();
    remove();
  });

  it('with a port that is taken is refused', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    const taken = await refusedStart(startRegistry({ port }));
    server.close();
    expect(taken.exit.code).to.equal(69);
    expectSentence(taken);
    expect(taken.output).to.contain('GHOSTDOCK_PORT');
  });

  it('without authentication is refused on an address that others can reach', async () => {
    const open = await refusedStart(startRegistry({ env: { GHOSTDOCK_AUTH: 'off', GHOSTDOCK_HOST: '0.0.0.0' } }));
    expect(open.exit.code).to.equal(78);
    expectSentence(open);
    expect(open.output).to.contain('GHOSTDOCK_AUTH=off').and.to.contain('GHOSTDOCK_AUTH_OFF_ANYWHERE=yes');
  });

  it('without authentication warns loudly, and lets everyone push and pull', async () => {
    const registry = await startRegistry({ env: { GHOSTDOCK_AUTH: 'off' } });
    const warnings = registry.logs().filter(({ level, msg }) => level === 40 && msg?.includes('AUTHENTICATION IS OFF'));
    expect(warnings).to.have.length(1);
    expect(registry.output(), 'no login is told of').to.not.contain('docker login');
    const client = httpClient(registry.url);
    await pushImage(client, 'open/image', 'v1', randomImage('open'));
    expect(await tagsOf(client, 'open/image')).to.deep.equal(['v1']);
    client.close();
    await registry.dispose();
  });
});
