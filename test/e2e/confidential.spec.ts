import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { embeddedKey, KEY_FILE, SECRETS_FILE } from '../../src/secrets/keyEncryptionKey.ts';
import { sqliteSecrets } from '../../src/secrets/sqlite.ts';
import { basic, bearer, expectStatus, type HttpClient, httpClient, pushImage, tagsOf } from '../support/http.ts';
import { accessTokenOf } from '../support/identities.ts';
import { randomImage } from '../support/images.ts';
import { CLIENT, type Issuer, startIssuer } from '../support/issuer.ts';
import { scratchFolder } from '../support/processes.ts';
import { ADMIN, PASSWORD, registryFor } from '../support/registryProcess.ts';

const WRONG = 'a-wrong-and-unmistakable-password';
const AGENT = 'unmistakable-agent/7.3';
const NAME = 'unmistakable/image';
const FORM = { 'content-type': 'application/x-www-form-urlencoded' };
const JSON_TYPE = { 'content-type': 'application/json' };

/** A provider of people and of workloads for the suite whose `describe` callback calls it, and the file that tells the registry of it. */
const providerOfIdentities = (): Readonly<{ file: string; issuer: () => Issuer }> => {
  const folder = scratchFolder();
  const file = join(folder.path, 'oidc.json');
  let issuer: Issuer;
  before(async () => {
    issuer = await startIssuer();
    const people = { clientId: CLIENT.clientId, clientSecretFile: join(folder.path, 'secret'), defaultRole: 'user' };
    writeFileSync(people.clientSecretFile, CLIENT.clientSecret, { mode: 0o600 });
    const workloads = [{ match: { repository: 'unmistakable/*' }, repositories: ['unmistakable/*'], actions: ['pull'] }];
    writeFileSync(file, JSON.stringify({ issuers: [{ name: 'ci', issuer: issuer.url, audience: 'us', workloads, people }] }));
  });
  after(async () => {
    await issuer.close();
    folder.remove();
  });
  return { file, issuer: () => issuer };
};

describe('Secrets', function () {
  this.timeout(60_000);
  const provider = providerOfIdentities();
  const registry = registryFor({ env: { GHOSTDOCK_LOG_LEVEL: 'trace', GHOSTDOCK_OIDC_FILE: provider.file } });
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
    await useAccessTokens(client);
    await useIdTokens(client);
    await useBrowser(client);
    client.close();
    pushing.close();
  });

  const send = (
    client: HttpClient,
    method: string,
    path: string,
    body: unknown,
    status: number,
  ): ReturnType<HttpClient['send']> =>
    client
      .send(method, path, { body: JSON.stringify(body), headers: JSON_TYPE })
      .then((answer) => expectStatus(`${method} ${path}`, answer, status));

  /** Everything with which one can be somebody in a request is a secret. */
  const useEverywhere = async (client: HttpClient, secret: string): Promise<void> => {
    secrets.push(secret, basic('anybody', secret).slice(6));
    for (const authorization of [`Bearer ${secret}`, basic('anybody', secret)])
      for (const [method, path] of [
        ['GET', `/v2/${NAME}/manifests/v1`],
        ['DELETE', `/v2/${NAME}/manifests/none`],
        ['GET', `/auth?scope=repository:${NAME}:pull`],
        ['GET', '/api/v1/users/me'],
        ['POST', '/api/v1/users'],
      ] as const)
        await client.as(authorization).send(method, path);
  };

  const useAccessTokens = async (client: HttpClient): Promise<void> => {
    const admin = client.as(basic(ADMIN, PASSWORD));
    const { id, value } = await accessTokenOf(admin, { permissions: ['pull'], repositories: [NAME] });
    await useEverywhere(client, value);
    await send(client, 'POST', '/auth', { username: ADMIN, password: value }, 200);
    await client.as(basic(ADMIN, value.slice(0, -1))).send('GET', '/v2/');
    await admin.send('DELETE', `/api/v1/tokens/${id}`);
    await useEverywhere(client, value);
    const [first, second] = ['the-first-unmistakable-password', 'the-second-unmistakable-password'];
    secrets.push(first, second);
    const made = await send(admin, 'POST', '/api/v1/users', { username: 'somebody', password: first }, 201);
    const { id: userId } = JSON.parse(made.body.toString()) as { id: number };
    const change = { current_password: first, new_password: second };
    await send(client.as(basic('somebody', first)), 'POST', '/api/v1/users/me/password', change, 204);
    const reset = await send(admin, 'POST', `/api/v1/users/${userId}/password`, {}, 200);
    secrets.push(String((JSON.parse(reset.body.toString()) as { password: string }).password));
  };

  const useIdTokens = async (client: HttpClient): Promise<void> => {
    const claims = { sub: 'a-job', aud: 'us', repository: 'unmistakable/image' };
    for (const idToken of [await provider.issuer().token(claims), await provider.issuer().token({ ...claims, aud: 'others' })]) {
      await useEverywhere(client, idToken);
      const body = form({
        grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
        subject_token_type: 'urn:ietf:params:oauth:token-type:id_token',
        subject_token: idToken,
      });
      const answer = await client.send('POST', '/auth/oidc/token', { body, headers: FORM });
      const { access_token: token } = JSON.parse(answer.body.toString()) as { access_token?: string };
      if (token !== undefined) await useEverywhere(client, token);
    }
  };

  const useBrowser = async (client: HttpClient): Promise<void> => {
    provider.issuer().person({ sub: 'a-person', preferred_username: 'person' });
    const begun = expectStatus('begin', await client.send('GET', '/auth/oidc/ci'), 302);
    const [login = ''] = String(begun.headers['set-cookie']).split(';');
    const there = await fetch(String(begun.headers.location), { redirect: 'manual' });
    const back = String(there.headers.get('location'));
    const done = expectStatus('callback', await client.send('GET', back, { headers: { cookie: login } }), 200);
    const cookies = [done.headers['set-cookie'] ?? []].flat().map((cookie) => cookie.split(';')[0] ?? '');
    const session = cookies.find((cookie) => cookie.includes('session=')) ?? '';
    for (const cookie of [login, session]) secrets.push(cookie.slice(cookie.indexOf('=') + 1));
    secrets.push(CLIENT.clientSecret);
    for (const path of ['/api/v1/users/me', '/api/v1/users', '/nothing'])
      await client.send('GET', path, { headers: { cookie: session } });
    await client.send('POST', '/auth/logout', { headers: { cookie: session } });
  };

  /** Everything below a folder of the data folder, as one text whose characters are the bytes. */
  const contentOf = (folder: string, but = ''): string =>
    readdirSync(join(registry.current().dataDir, folder), { withFileTypes: true, recursive: true })
      .filter((entry) => entry.isFile() && join(entry.parentPath, entry.name) !== but)
      .map(({ parentPath, name }) => readFileSync(join(parentPath, name), 'latin1'))
      .join('\n');

  it('were really used', () => {
    expect(secrets.filter((secret) => secret.length > 20)).to.have.length.greaterThan(20);
    for (const kind of [/^ghd_/, /^eyJ/, /^the-first/]) expect(secrets.some((secret) => kind.test(secret))).to.equal(true);
    const answered = new Set(
      registry
        .current()
        .logs()
        .map(({ status }) => status),
    );
    for (const status of [200, 204, 302, 401, 403]) expect(answered.has(status), `some answer was ${status}`).to.equal(true);
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

  it('that the registry makes for itself are nowhere in the clear, but for the key that wraps them in its own file', async () => {
    const at = join(registry.current().dataDir, 'secrets');
    const key = readFileSync(join(at, KEY_FILE), 'utf8').trim();
    const store = sqliteSecrets(join(at, SECRETS_FILE), embeddedKey(at));
    const kept = await store.getMany(await store.list(''));
    await store.close();
    const made = kept
      .filter((bytes) => bytes !== undefined && bytes.length >= 16)
      .map((bytes) => Buffer.from(bytes as Uint8Array));
    expect(made.length, 'a signing key and the keys of people').to.be.greaterThan(2);
    const places = [registry.current().output(), contentOf('.', join(at, KEY_FILE))];
    for (const secret of [...made.map((bytes) => bytes.subarray(-32)), Buffer.from(key, 'base64')])
      for (const form of ['latin1', 'hex', 'base64', 'base64url'] as const)
        for (const place of places) expect(place.includes(secret.toString(form)), `${form} of a key`).to.equal(false);
  });

  for (const when of ['while it runs', 'once it has stopped'] as const) {
    it(`that the event log keeps of people are sealed, ${when}`, async () => {
      if (when !== 'while it runs') await registry.current().stop();
      // Where a provider is, is nothing personal.
      const log = contentOf('log').replaceAll(provider.issuer().url, '');
      expect(log, 'events are there in the clear').to.contain(NAME).and.to.contain('UserRegistered').and.to.contain('sealed:1:');
      for (const personal of [AGENT, '127.0.0.1', '$argon2', '"username":"admin"', 'a-person', '"person"', 'somebody']) {
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
