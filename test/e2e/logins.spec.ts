import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { type Client, podman, skopeo } from '../support/clients.ts';
import { dockerFor, dockerMissing } from '../support/docker.ts';
import { basic, expectStatus, type HttpClient, httpClient, pushImage } from '../support/http.ts';
import { accessTokenOf, type IssuedAccessToken, revokeAccessToken, robotBy } from '../support/identities.ts';
import { imageOf, noise, tarOf, writeLayout } from '../support/images.ts';
import { type Issuer, startIssuer } from '../support/issuer.ts';
import { attempt, installed, isRoot, type Ran, run, scratchFolder } from '../support/processes.ts';
import { ADMIN, PASSWORD, type RegistryProcess, startRegistry } from '../support/registryProcess.ts';
import { requires } from '../support/reporter.ts';

const AUDIENCE = 'https://registry.example.com';
const JOB = { sub: 'repo:octo-org/app:ref:refs/heads/main', aud: AUDIENCE, repository: 'octo-org/app' };
const RULE = { match: { repository: 'octo-org/*' }, repositories: ['octo-org/*'], actions: ['pull', 'push'] };
const TLS_OFF = '--tls-verify=false';
const IMAGE = imageOf([tarOf({ file: noise(20_000, 'logins') })]);
const REFUSED = /unauthorized|denied|forbidden|invalid username|authentication required|log in|login/i;

/** How a client asks for what a login is needed for. */
type Tool = Readonly<{
  program: string;
  missing: string | undefined;
  start: () => () => Client;
  pull: (client: Client, reference: string) => Promise<Ran>;
}>;

const own = (start: () => Client) => (): (() => Client) => {
  let client: Client | undefined;
  before(() => {
    client = start();
  });
  after(() => client?.dispose());
  return () => client as Client;
};

const TOOLS: readonly Tool[] = [
  {
    program: 'docker',
    missing: dockerMissing(),
    start: dockerFor,
    pull: (client, reference) => client.attempt('pull', reference),
  },
  {
    program: 'podman',
    missing: installed('podman') && isRoot() ? undefined : 'podman is not installed, or would need root',
    start: own(podman),
    pull: (client, reference) => client.attempt('pull', TLS_OFF, reference),
  },
  {
    program: 'skopeo',
    missing: installed('skopeo') ? undefined : 'skopeo is not installed',
    start: own(skopeo),
    pull: (client, reference) => client.attempt('inspect', '--raw', TLS_OFF, `docker://${reference}`),
  },
];

describe('Logins of real clients', function () {
  this.timeout(120_000);
  let issuer: Issuer;
  let registry: RegistryProcess;
  let admin: HttpClient;
  let robotId: number;
  const folder = scratchFolder();

  before(async () => {
    issuer = await startIssuer();
    const file = join(folder.path, 'oidc.json');
    writeFileSync(file, JSON.stringify({ issuers: [{ name: 'ci', issuer: issuer.url, audience: AUDIENCE, workloads: [RULE] }] }));
    registry = await startRegistry({ env: { GHOSTDOCK_OIDC_FILE: file } });
    admin = httpClient(registry.url, { authorization: basic(ADMIN, PASSWORD) });
    robotId = await robotBy(admin, 'robots');
    for (const name of ['robots/app', 'octo-org/app', 'others/app']) await pushImage(admin, name, 'v1', IMAGE);
  });
  after(async () => {
    admin.close();
    await registry.dispose();
    await issuer.close();
    folder.remove();
  });

  const of = (name: string): string => `${registry.host}/${name}:v1`;
  const robotToken = (): Promise<IssuedAccessToken> =>
    accessTokenOf(admin, { permissions: ['pull', 'push'], repositories: ['robots/*'], user_id: robotId });
  const expectDone = ({ command, code, stderr }: Ran): void => {
    expect(code, `${command}\n${stderr}`).to.equal(0);
  };
  const expectRefused = ({ command, code, stdout, stderr }: Ran): void => {
    expect(code, `${command}\n${stdout}`).to.not.equal(0);
    expect(stderr, command).to.match(REFUSED);
  };

  for (const { program, missing, start, pull } of TOOLS)
    describe(`with ${program}`, function () {
      requires(this, missing === undefined, missing ?? '');
      const client = start();
      const login = (username: string, password: string): Promise<Ran> => client().login(registry.host, username, password);
      const logout = (): Promise<string> => client().run('logout', registry.host);

      it('a person logs in, pulls, and pulls no more after logging out', async () => {
        expectRefused(await login(ADMIN, 'a wrong password'));
        expectDone(await login(ADMIN, PASSWORD));
        expectDone(await pull(client(), of('others/app')));
        await logout();
        expectRefused(await pull(client(), of('others/app')));
      });

      it('a robot logs in with its token, gets what that is for, and nothing once it is revoked', async () => {
        const token = await robotToken();
        expectRefused(await login('robots', `${token.value.slice(0, -1)}x`));
        expectDone(await login('robots', token.value));
        expectDone(await pull(client(), of('robots/app')));
        expectRefused(await pull(client(), of('others/app')));
        await revokeAccessToken(admin, token);
        expectRefused(await pull(client(), of('robots/app')));
        expectRefused(await login('robots', token.value));
        await client().attempt('logout', registry.host);
      });

      it('a job logs in with its ID token and gets what its rules say', async () => {
        expectRefused(await login('oidc', await issuer.token({ ...JOB, aud: 'https://elsewhere.example.com' })));
        expectRefused(await login('oidc', await issuer.token({ ...JOB, repository: 'evil/app' })));
        expectDone(await login('oidc', await issuer.token(JOB)));
        expectDone(await pull(client(), of('octo-org/app')));
        expectRefused(await pull(client(), of('others/app')));
        await logout();
        expectRefused(await pull(client(), of('octo-org/app')));
      });
    });

  describe('that push', function () {
    requires(this, installed('skopeo'), 'skopeo is not installed');
    const client = own(skopeo)();
    const copy = (name: string): Promise<Ran> =>
      client().attempt('copy', '--dest-tls-verify=false', `oci:${client().folder}/layout:v1`, `docker://${of(name)}`);
    before(() => writeLayout(join(client().folder, 'layout'), 'v1', IMAGE));

    it('a robot with skopeo, where its token may', async () => {
      expectDone(await client().login(registry.host, 'robots', (await robotToken()).value));
      expectDone(await copy('robots/pushed'));
      expectRefused(await copy('others/pushed'));
    });

    it('a job with skopeo, where its rules say, by what its ID token was exchanged for', async () => {
      const fields = {
        grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
        subject_token_type: 'urn:ietf:params:oauth:token-type:id_token',
        subject_token: await issuer.token(JOB),
      };
      const sent = {
        body: new URLSearchParams(fields).toString(),
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
      };
      const answer = expectStatus('exchange', await admin.as(undefined).send('POST', '/auth/oidc/token', sent), 200);
      const { access_token: token } = JSON.parse(answer.body.toString()) as { access_token: string };
      expectDone(await client().login(registry.host, 'oidc', token));
      expectDone(await copy('octo-org/pushed'));
      expectRefused(await copy('others/pushed'));
    });
  });

  describe('with curl', function () {
    requires(this, installed('curl'), 'curl is not installed');

    it('a job exchanges its ID token as the documentation says, and pulls', async () => {
      const form = [
        'grant_type=urn:ietf:params:oauth:grant-type:token-exchange',
        'subject_token_type=urn:ietf:params:oauth:token-type:id_token',
        `subject_token=${await issuer.token(JOB)}`,
        'scope=repository:octo-org/app:pull',
      ].flatMap((field) => ['--data-urlencode', field]);
      const answer = await run('curl', ['--fail', '--silent', `${registry.url}/auth/oidc/token`, ...form]);
      const { access_token: token, scope } = JSON.parse(answer) as { access_token: string; scope: string };
      expect(scope).to.equal('repository:octo-org/app:pull');
      const pull = (name: string): Promise<Ran> =>
        attempt('curl', [
          '--fail',
          '--silent',
          '--header',
          `Authorization: Bearer ${token}`,
          `${registry.url}/v2/${name}/manifests/v1`,
        ]);
      expect((await pull('octo-org/app')).stdout).to.equal(IMAGE.manifest.bytes.toString());
      expect((await pull('others/app')).code).to.equal(22);
    });
  });
});
