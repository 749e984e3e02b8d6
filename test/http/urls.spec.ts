import { expect } from 'chai';
import { registryFor, type TestApp } from '../support/app.ts';
import { type Answer, basic, pushImage } from '../support/http.ts';
import { randomImage } from '../support/images.ts';
import { ADMIN, PASSWORD } from '../support/registryProcess.ts';
import { errorsOf, expectSound, jsonOf } from './exchanges.ts';
import { head, rawExchange } from './raw.ts';

const IMAGE = randomImage('urls');
const AUTHORIZATION = `Authorization: ${basic(ADMIN, PASSWORD)}`;

/** Just as it stands here: an HTTP client would tidy it up first. */
const get = ({ port }: TestApp, target: string, ...headers: readonly string[]): Promise<Answer> =>
  rawExchange(port, head(`GET ${target}`, AUTHORIZATION, 'Connection: close', ...headers));

describe('a request’s path', () => {
  const registry = registryFor();
  before(() => pushImage(registry().admin, 'a/b', 'latest', IMAGE));

  for (const target of [
    '/v2/a/b/tags/list',
    '/v2/a%2Fb/tags/list',
    '/v2/a%2fb/tags/list',
    '/v2/%61/%62/tags/list',
    '/v2/a/b/tags/list/',
    '/v2/a/b/tags/list?',
    '/v2/a/b/tags/list?&&=&x=y&n',
    '/v2/a/b/tags/list?__proto__=1&constructor=2&toString=3',
    'http://registry.test/v2/a/b/tags/list',
    'HTTPS://other.test:1/v2/a/b/tags/list?n=1',
  ]) {
    it(`names the repository a/b: ${target}`, async () => {
      const answer = await get(registry(), target);
      if (target.endsWith('&n')) return expect(answer.status, 'an empty n is no number').to.equal(400);
      expect(answer.status, answer.body.toString()).to.equal(200);
      return expect(jsonOf(answer)).to.deep.equal({ name: 'a/b', tags: ['latest'] });
    });
  }

  for (const target of [
    '/v2/a%2Fb/manifests/latest',
    '/v2/a/b/manifests/latest/',
    '/v2/a/b/manifests/%6Catest',
    'http://registry.test/v2/a/b/manifests/latest',
  ]) {
    it(`names its manifest: ${target}`, async () => {
      const answer = await get(registry(), target);
      expect(answer.status, answer.body.toString()).to.equal(200);
      expect(answer.body.equals(IMAGE.manifest.bytes)).to.equal(true);
    });
  }

  /** The code of OCI's first error, or of the management API's. */
  const codeOf = (answer: Answer): unknown =>
    jsonOf(answer).errors === undefined ? (jsonOf(answer).error as { code: string }).code : errorsOf(answer)[0]?.code;

  const long = (length: number): string => 'a'.repeat(length);
  const refused: readonly (readonly [what: string, target: string, status: number, code: string])[] = [
    ['a step up', '/v2/a/../b/tags/list', 400, 'NAME_INVALID'],
    ['an encoded step up', '/v2/a/%2e%2e/b/tags/list', 400, 'NAME_INVALID'],
    ['a step up behind an encoded slash', '/v2/a%2F..%2Fb/tags/list', 400, 'NAME_INVALID'],
    ['many steps up', '/v2/../../../../etc/passwd/tags/list', 400, 'NAME_INVALID'],
    ['a step up out of the API', '/v2/../health', 404, 'UNSUPPORTED'],
    ['a step to itself', '/v2/./a/b/tags/list', 400, 'NAME_INVALID'],
    ['a back slash', '/v2/a\\b/tags/list', 400, 'NAME_INVALID'],
    ['an empty name', '/v2//tags/list', 400, 'NAME_INVALID'],
    ['an empty part', '/v2/a//b/tags/list', 400, 'NAME_INVALID'],
    ['slashes alone', '/v2///manifests/latest', 400, 'NAME_INVALID'],
    ['a slash encoded twice', '/v2/a%252Fb/tags/list', 400, 'NAME_INVALID'],
    ['an encoded zero', '/v2/a%00b/tags/list', 400, 'NAME_INVALID'],
    ['an encoded line break', '/v2/a%0d%0aX:%20y/tags/list', 400, 'NAME_INVALID'],
    ['an encoded blank', '/v2/a%20b/tags/list', 400, 'NAME_INVALID'],
    ['a letter beyond ASCII', '/v2/%C3%A9/tags/list', 400, 'NAME_INVALID'],
    ['an upper-case letter', '/v2/a/B/tags/list', 400, 'NAME_INVALID'],
    ['a part that ends with a dot', '/v2/a./b/tags/list', 400, 'NAME_INVALID'],
    ['three underscores', '/v2/a___b/tags/list', 400, 'NAME_INVALID'],
    ['a name of 256 characters', `/v2/${long(256)}/tags/list`, 400, 'NAME_INVALID'],
    ['a name of 15,000 characters', `/v2/${long(15_000)}/tags/list`, 400, 'NAME_INVALID'],
    ['a name of 4,000 parts', `/v2/${'a/'.repeat(4000)}tags/list`, 400, 'NAME_INVALID'],
    ['a name of 15,000 slashes', `/v2/${'/'.repeat(15_000)}tags/list`, 400, 'NAME_INVALID'],
    ['a percent sign without digits', '/v2/a%/tags/list', 400, 'UNSUPPORTED'],
    ['a percent sign with others than digits', '/v2/a%zz/tags/list', 400, 'UNSUPPORTED'],
    ['percent signs that are not UTF-8', '/v2/%C3%28/tags/list', 400, 'UNSUPPORTED'],
    ['half a pair of surrogates', '/v2/%ED%A0%80/tags/list', 400, 'UNSUPPORTED'],
    ['a reference with a bad percent sign', '/v2/a/b/manifests/%zz', 400, 'UNSUPPORTED'],
    ['a session with a bad percent sign', '/v2/a/b/blobs/uploads/%E0', 400, 'UNSUPPORTED'],
    ['a bad percent sign outside of the API', '/health%zz', 400, 'INVALID_REQUEST'],
    ['a bad percent sign in the token service', '/auth/%zz', 400, 'INVALID_REQUEST'],
    ['a bad percent sign in the management API', '/api/v1/users/%zz', 400, 'INVALID_REQUEST'],
    ['a fragment', '/v2/a/b/tags/list#x', 404, 'UNSUPPORTED'],
    ['a path parameter', '/v2/a/b/tags/list;x=y', 404, 'UNSUPPORTED'],
    ['an address without a path', 'http://registry.test', 404, 'NOT_FOUND'],
    ['a star', '*', 404, 'NOT_FOUND'],
    ['a path without a slash', 'v2/', 400, 'UNSUPPORTED'],
    ['a path of a question mark', '?', 400, 'UNSUPPORTED'],
    ['bytes beyond ASCII', '/v2/é/tags/list', 400, 'UNSUPPORTED'],
    ['a path longer than every head', `/v2/${long(20_000)}/tags/list`, 431, 'UNSUPPORTED'],
  ];
  for (const [what, target, status, code] of refused) {
    it(`is refused with ${status} for ${what}`, async () => {
      const answer = await get(registry(), target);
      expect(answer.status, answer.body.toString()).to.equal(status);
      expect(codeOf(answer)).to.equal(code);
      // What Node’s parser refuses never gets to a surface.
      if (answer.headers['docker-distribution-api-version'] !== undefined) expectSound('GET', '/v2/', answer);
    });
  }

  for (const target of ['/api/registry/blobs/%zz', '/api/%E0', '/api/registry/repositories/a%2Fb%'])
    it(`that cannot be decoded is refused as the monitoring API refuses: ${target}`, async () => {
      const answer = await get(registry(), target);
      expect(answer.status).to.equal(400);
      expect(jsonOf(answer)).to.deep.equal({ error: 'Bad Request', message: 'The path is not percent-encoded UTF-8.' });
    });

  it('with a bad percent sign is repeated as it came, and cut', async () => {
    const answer = await get(registry(), `/v2/a/b/manifests/%zz${long(1000)}`);
    expect(errorsOf(answer)[0]?.detail).to.deep.equal({ path: `/v2/a/b/manifests/%zz${long(1000)}`.slice(0, 300) });
  });

  it('of the longest name is fine', async () => {
    const name = `${long(127)}/${long(127)}`;
    await pushImage(registry().admin, name, 'latest', IMAGE);
    const answer = await get(registry(), `/v2/${name}/tags/list`);
    expect(jsonOf(answer)).to.deep.equal({ name, tags: ['latest'] });
  });
});

describe('a request that is no HTTP', () => {
  const registry = registryFor();
  const requests: Readonly<Record<string, readonly [bytes: string, status: number]>> = {
    'words of no language': ['hello\r\n\r\n', 400],
    'a method that nobody knows': [head('FOO /v2/'), 400],
    'HTTP/2 without being asked': ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400],
    'a header without a colon': [head('GET /v2/', 'nonsense'), 400],
    'a header with a zero': [head('GET /v2/', 'X: a\u0000b'), 400],
    'a head without an end': [head('GET /v2/', `X: ${'x'.repeat(20_000)}`), 431],
  };
  for (const [what, [bytes, status]] of Object.entries(requests)) {
    it(`is answered with ${status}, in words that both kinds of client read: ${what}`, async () => {
      const answer = await rawExchange(registry().port, bytes);
      expect(answer.status).to.equal(status);
      const { errors, error } = jsonOf(answer) as { errors: readonly { code: string }[]; error: { code: string } };
      expect(errors[0]?.code).to.equal('UNSUPPORTED');
      expect(error.code).to.equal('INVALID_REQUEST');
    });
  }
});
