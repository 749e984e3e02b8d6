import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { basic, bearer, expectStatus, httpClient, pushImage, tagsOf } from '../support/http.ts';
import { randomImage } from '../support/images.ts';
import { ADMIN, PASSWORD, registryFor } from '../support/registryProcess.ts';

const WRONG = 'a-wrong-and-unmistakable-password';
const AGENT = 'unmistakable-agent/7.3';
const NAME = 'unmistakable/image';
const FORM = { 'content-type': 'application/x-www-form-urlencoded' };
const JSON_TYPE = { 'content-type': 'application/json' };

describe('Secrets', function () {
  this.timeout(60_000);
  const registry = registryFor({ env: { GHOSTDOCK_LOG_LEVEL: 'trace' } });
  const secrets: string[] = [PASSWORD, WRONG, basic(ADMIN, PASSWORD).slice(6), basic(ADMIN, WRONG).slice(6)];

  const form = (fields: Readonly<Record<string, string>>): string => new URLSearchParams(fields).toString();

  before('every way to log in is used, rightly and wrongly', async () => {
    const client = httpClient(registry.current().url);
    const login = async (body: string, headers: Readonly<Record<string, string>>, status: number): Promise<void> => {
      const answer = expectStatus('login', await client.send('POST', '/auth', { body, headers }), status);
      const tokens = JSON.parse(answer.body.toString()) as Record<string, unknown>;
      for (const name of ['token', 'refresh_token']) if (typeof tokens[name] === 'string') secrets.push(tokens[name]);
    };
    for (const [password, status] of [
      [PASSWORD, 200],
      [WRONG, 401],
    ] as const) {
      await login(JSON.stringify({ username: ADMIN, password }), JSON_TYPE, status);
      await login(form({ grant_type: 'password', username: ADMIN, password, access_type: 'offline' }), FORM, status);
      await client.as(basic(ADMIN, password)).send('GET', '/v2/');
    }
    const token = (await bearer(client, basic(ADMIN, PASSWORD), `repository:${NAME}:pull,push`)) ?? '';
    secrets.push(token.slice(7));
    const pushing = httpClient(registry.current().url, { authorization: token });
    const named: typeof pushing = {
      ...pushing,
      send: (method, path, sending) =>
        pushing.send(method, path, { ...sending, headers: { ...sending?.headers, 'user-agent': AGENT } }),
    };
    await pushImage(named, NAME, 'v1', randomImage('secrets'));
    await tagsOf(named, NAME);
    await client.as('Bearer not.a.token').send('GET', '/v2/');
    client.close();
    pushing.close();
  });

  /** Everything below a folder of the data folder, as one text whose characters are the bytes. */
  const contentOf = (folder: string): string =>
    readdirSync(join(registry.current().dataDir, folder), { withFileTypes: true, recursive: true })
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name }) => readFileSync(join(parentPath, name), 'latin1'))
      .join('\n');

  it('were really used', () => {
    expect(secrets.filter((secret) => secret.length > 20)).to.have.length.greaterThan(6);
  });

  it('are not in the log of the process, whatever its level', () => {
    const output = registry.current().output();
    expect(output, 'requests are logged').to.contain(NAME.split('/')[0]);
    for (const secret of secrets) expect(output).to.not.contain(secret);
    expect(output).to.not.match(/authorization/i);
  });

  it('are nowhere in the data folder', () => {
    const everything = contentOf('.');
    expect(everything.length).to.be.greaterThan(100_000);
    for (const secret of secrets) expect(everything.includes(secret), `in the clear: ${secret.slice(0, 12)}…`).to.equal(false);
  });

  for (const when of ['while it runs', 'once it has stopped'] as const) {
    it(`that the event log keeps of people are sealed, ${when}`, async () => {
      if (when !== 'while it runs') await registry.current().stop();
      const log = contentOf('log');
      expect(log, 'events are there in the clear').to.contain(NAME).and.to.contain('UserRegistered').and.to.contain('sealed:1:');
      for (const personal of [AGENT, '127.0.0.1', '$argon2', '"username":"admin"']) {
        expect(log.includes(personal), personal).to.equal(false);
      }
      expect(log.replaceAll('"role":"admin"', '').includes(ADMIN), 'the name of the administrator').to.equal(false);
    });
  }

  it('and their folders are for the eyes of the owner alone', () => {
    for (const path of ['secrets', 'secrets/key', 'secrets/secrets.db', 'log']) {
      expect(statSync(join(registry.current().dataDir, path)).mode & 0o077, path).to.equal(0);
    }
  });
});
