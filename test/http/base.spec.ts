import { expect } from 'chai';
import { UnsecuredJWT } from 'jose';
import { registryFor } from '../support/app.ts';
import { basic } from '../support/http.ts';
import { ADMIN, PASSWORD } from '../support/registryProcess.ts';
import { exchange, exchanges, expectAnswer, expectSound, jsonOf } from './exchanges.ts';
import { head, rawExchange } from './raw.ts';

const b64 = (text: string): string => Buffer.from(text).toString('base64');

const UNSIGNED = new UnsecuredJWT({ sv: 1, use: 'session' })
  .setSubject('1')
  .setIssuer('ghostdock')
  .setAudience('ghostdock')
  .setJti('1')
  .setIssuedAt()
  .setNotBefore(0)
  .setExpirationTime('1h')
  .encode();

/** Whatever is wrong with credentials, the answer is the same. */
const BAD_CREDENTIALS: Readonly<Record<string, string>> = {
  'a wrong password': basic(ADMIN, 'not-the-password'),
  'an unknown user': basic('nobody', PASSWORD),
  'an empty password': basic(ADMIN, ''),
  'an empty username': basic('', PASSWORD),
  'a password of 100 KB': basic(ADMIN, 'x'.repeat(5000)),
  'Basic without credentials': 'Basic',
  'Basic with a blank': 'Basic ',
  'Basic that is not base64': 'Basic ?!?!',
  'Basic that is not UTF-8': `Basic ${Buffer.from([0xff, 0xfe, 0x3a, 0x41]).toString('base64')}`,
  'Basic without a colon': `Basic ${b64('admin')}`,
  'Basic with a line break': `Basic ${b64('admin:a\nb')}`,
  'Basic with two values': `${basic(ADMIN, PASSWORD)} ${b64('more')}`,
  'Bearer without a token': 'Bearer',
  'Bearer with rubbish': 'Bearer rubbish',
  'Bearer with three empty parts': 'Bearer ..',
  'Bearer with an unsigned token': `Bearer ${UNSIGNED}`,
  'a scheme of another kind': 'Digest username="admin", realm="x"',
  'the password alone': PASSWORD,
  'a very long header': `Bearer ${'x'.repeat(9000)}`,
};

describe('GET /v2/', () => {
  const registry = registryFor();
  const challenge = (scope?: string): string =>
    `Bearer realm="${registry().url}/auth",service="${registry().host}"${scope === undefined ? '' : `,scope="${scope}"`}`;

  it('challenges a caller without credentials, because that makes clients log in', async () => {
    await exchange(registry().anonymous, ['GET', '/v2/'], {
      status: 401,
      code: 'UNAUTHORIZED',
      headers: { 'www-authenticate': challenge() },
    });
  });

  it('answers docker’s other spellings of the same path', async () => {
    for (const path of ['/v2', '/v2/?ns=docker.io'])
      await exchange(registry().anonymous, ['GET', path], { status: 401, headers: { 'www-authenticate': challenge() } });
    await exchange(registry().anonymous, ['HEAD', '/v2/'], { status: 401, headers: { 'www-authenticate': challenge() } });
  });

  it('tells those who are logged in what this registry is', async () => {
    const answer = await exchange(registry().admin, ['GET', '/v2/'], {
      status: 200,
      headers: { 'content-type': /^application\/json/, 'www-authenticate': undefined },
    });
    expect(jsonOf(answer)).to.deep.equal({ registry: 'GhostDock Registry', version: '0.0.0-test', features: ['oauth'] });
    await exchange(registry().admin, ['HEAD', '/v2/'], { status: 200 });
  });

  it('takes a token without any scope: every client tries its token here', async () => {
    await exchange(await registry().withToken(ADMIN, ''), ['GET', '/v2/'], { status: 200 });
  });

  it('reads the scheme in any case, with any number of spaces', async () => {
    const credentials = b64(`${ADMIN}:${PASSWORD}`);
    for (const header of [`basic ${credentials}`, `BASIC    ${credentials}`])
      await exchange(registry().admin.as(header), ['GET', '/v2/'], { status: 200 });
  });

  it('takes a user’s name in any case', async () => {
    await exchange(registry().admin.as(basic('Admin', PASSWORD)), ['GET', '/v2/'], { status: 200 });
  });

  describe('refuses with the same words', () => {
    for (const [what, authorization] of Object.entries(BAD_CREDENTIALS)) {
      it(what, async () => {
        const answer = await exchange(registry().admin.as(authorization), ['GET', '/v2/'], {
          status: 401,
          code: 'UNAUTHORIZED',
          message: 'The credentials are not valid.',
          detail: {},
        });
        expect(answer.headers['www-authenticate']).to.satisfy((text: string) => text.startsWith(challenge()));
      });
    }
  });

  describe('where the realm is', () => {
    const realmFor = async (host: string): Promise<string | undefined> => {
      const request = head('GET /v2/', 'Connection: close').replace('registry.test', host);
      const answer = await rawExchange(registry().port, request);
      expectSound('GET', '/v2/', answer);
      expectAnswer(answer, { status: 401 });
      return /realm="([^"]*)"/.exec(String(answer.headers['www-authenticate']))?.[1];
    };

    it('is the host that the client called', async () => {
      expect(await realmFor('registry.test:5000')).to.equal('http://registry.test:5000/auth');
      expect(await realmFor('[::1]:5000')).to.equal('http://[::1]:5000/auth');
    });

    it('is never text that a client smuggled into its Host', async () => {
      const smuggled = ['a"b', 'a,b', 'a/b', 'user@evil.test', 'a b', '', 'host:99999', '1.2.3.999', '[::::]', '%41'];
      for (const host of smuggled) expect(await realmFor(host), host).to.equal('http://localhost/auth');
    });
  });
});

describe('the challenge of a route names what a token must be asked for', () => {
  const registry = registryFor();
  const DIGEST = `sha256:${'a'.repeat(64)}`;
  const rows = [
    ['GET', '/v2/team/app/manifests/latest', 'repository:team/app:pull'],
    ['HEAD', '/v2/team/app/manifests/latest', 'repository:team/app:pull'],
    ['GET', `/v2/team/app/blobs/${DIGEST}`, 'repository:team/app:pull'],
    ['GET', '/v2/team/app/tags/list', 'repository:team/app:pull'],
    ['PUT', '/v2/team/app/manifests/latest', 'repository:team/app:pull,push'],
    ['POST', '/v2/team/app/blobs/uploads/', 'repository:team/app:pull,push'],
    ['PATCH', '/v2/team/app/blobs/uploads/some-session', 'repository:team/app:pull,push'],
    ['PUT', `/v2/team/app/blobs/uploads/some-session?digest=${DIGEST}`, 'repository:team/app:pull,push'],
    ['GET', '/v2/team/app/blobs/uploads/some-session', 'repository:team/app:pull,push'],
    ['DELETE', '/v2/team/app/blobs/uploads/some-session', 'repository:team/app:pull,push'],
    ['DELETE', '/v2/team/app/manifests/latest', 'repository:team/app:delete'],
    ['DELETE', `/v2/team/app/blobs/${DIGEST}`, 'repository:team/app:delete'],
    ['GET', '/v2/_catalog', 'registry:catalog:*'],
  ] as const;

  for (const [method, path, scope] of rows) {
    it(`${method} ${path.replace(DIGEST, '<digest>')}: ${scope}`, async () => {
      const { anonymous, admin, url, host } = registry();
      const service = `Bearer realm="${url}/auth",service="${host}",scope="${scope}"`;
      await exchange(anonymous, [method, path], { status: 401, headers: { 'www-authenticate': service } });
      const expired = await exchange(admin.as('Bearer expired'), [method, path], { status: 401 });
      expect(expired.headers['www-authenticate'], 'a token that has ended').to.equal(`${service},error="invalid_token"`);
      const other = await exchange(await registry().withToken(ADMIN, 'repository:other:pull'), [method, path], { status: 401 });
      expect(other.headers['www-authenticate'], 'a token for something else').to.equal(`${service},error="insufficient_scope"`);
    });
  }
});

describe('GET /v2/ of a registry with a public URL', () => {
  const registry = registryFor({ GHOSTDOCK_PUBLIC_URL: 'https://registry.example.com:8443' });

  exchanges(registry, [
    {
      it: 'sends clients there, whatever host they called',
      by: ({ anonymous }) => anonymous,
      send: ['GET', '/v2/', { headers: { host: 'internal.test' } }],
      gets: {
        status: 401,
        headers: {
          'www-authenticate': 'Bearer realm="https://registry.example.com:8443/auth",service="registry.example.com:8443"',
        },
      },
    },
  ]);
});
