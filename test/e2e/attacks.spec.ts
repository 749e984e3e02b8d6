import { join } from 'node:path';
import { expect } from 'chai';
import { decodeJwt, decodeProtectedHeader, type JWTPayload, SignJWT } from 'jose';
import { embeddedKey, SECRETS_FILE } from '../../src/secrets/keyEncryptionKey.ts';
import { sqliteSecrets } from '../../src/secrets/sqlite.ts';
import { type Answer, basic, bearer, expectStatus, type HttpClient, httpClient, pushImage } from '../support/http.ts';
import { randomImage } from '../support/images.ts';
import { ADMIN, PASSWORD, registryFor } from '../support/registryProcess.ts';

const MEGABYTE = 1024 * 1024;
const IMAGE = randomImage('attacks', { layers: 1 });
const MANIFEST = '/v2/a/image/manifests/latest';
const SCOPE = 'repository:a/image:pull';

describe('A registry under attack', function () {
  this.timeout(60_000);
  // Without limits to logins: what stands behind them has to hold by itself.
  const registry = registryFor({
    env: {
      GHOSTDOCK_FAILED_LOGINS: '0',
      GHOSTDOCK_FAILED_LOGINS_PER_ADDRESS: '0',
      GHOSTDOCK_FAILED_LOGINS_PER_USER: '0',
    },
  });
  let client: HttpClient;
  let token: string;

  before(async () => {
    client = httpClient(registry.current().url, { authorization: basic(ADMIN, PASSWORD), connections: 600 });
    await pushImage(client, 'a/image', 'latest', IMAGE);
    token = String(await bearer(client, basic(ADMIN, PASSWORD), SCOPE));
  });
  after(() => client.close());

  describe('by a flood of logins', () => {
    const FLOOD = 500;
    let answers: readonly Answer[];
    let meanwhile: readonly number[];
    let before_: number;

    before(async () => {
      before_ = registry.current().memory().now;
      let over = false;
      const flood = Promise.all(
        Array.from({ length: FLOOD }, (_, index) => client.as(basic(ADMIN, `wrong ${index}`)).send('GET', '/v2/')),
      ).finally(() => {
        over = true;
      });
      const statuses: number[] = [];
      const good = httpClient(registry.current().url, { authorization: token, connections: 1 });
      while (!over) statuses.push((await good.send('GET', MANIFEST)).status);
      good.close();
      meanwhile = statuses;
      answers = await flood;
    });

    it('checks as many passwords as may wait, and tells the others to come back', () => {
      const [checked, turnedAway] = [401, 503].map((wanted) => answers.filter(({ status }) => status === wanted)) as [
        Answer[],
        Answer[],
      ];
      expect(checked.length + turnedAway.length).to.equal(FLOOD);
      expect(checked.length).to.be.at.least(100);
      expect(turnedAway.length).to.be.at.least(100);
      for (const { headers, body } of turnedAway) {
        expect(headers['retry-after']).to.equal('1');
        expect(body.toString()).to.contain('UNAVAILABLE');
      }
    });

    it('goes on to serve those who have a token', () => {
      expect(new Set(meanwhile)).to.deep.equal(new Set([200]));
      expect(meanwhile.length).to.be.at.least(20);
    });

    it('takes no memory for what waits', () => {
      // A hash takes 19 MiB, of which no more than three are computed at once.
      expect((registry.current().memory().peak - before_) / MEGABYTE).to.be.below(250);
    });

    it('lets people in as soon as it is over', async () => {
      expectStatus('login', await client.as(basic(ADMIN, PASSWORD)).send('GET', '/v2/'), 200);
    });
  });

  describe('by somebody who has its signing key', () => {
    let sign: (claims: JWTPayload, header?: Readonly<Record<string, unknown>>) => Promise<string>;
    let claims: JWTPayload;
    const now = Math.floor(Date.now() / 1000);

    before(async () => {
      const folder = join(registry.current().dataDir, 'secrets');
      const secrets = sqliteSecrets(join(folder, SECRETS_FILE), embeddedKey(folder));
      const { kid } = decodeProtectedHeader(token.slice(7));
      const key = Buffer.from((await secrets.get(`signing:${kid}`)) ?? []).subarray(8);
      await secrets.close();
      claims = decodeJwt(token.slice(7));
      sign = (wanted, header = {}) =>
        new SignJWT(wanted).setProtectedHeader({ alg: 'HS256', kid: String(kid), typ: 'JWT', ...header }).sign(key);
    });

    const status = async (wanted: JWTPayload, header?: Readonly<Record<string, unknown>>): Promise<number> =>
      (await client.as(`Bearer ${await sign(wanted, header)}`).send('GET', MANIFEST)).status;

    it('would take what he signs', async () => {
      expect(await status(claims)).to.equal(200);
    });

    const WRONG: readonly (readonly [what: string, change: () => JWTPayload])[] = [
      ['for another audience', () => ({ aud: 'another-registry' })],
      ['for no audience', () => ({ aud: undefined }) as unknown as JWTPayload],
      ['from another issuer', () => ({ iss: 'another-registry' })],
      ['that has expired', () => ({ iat: now - 4000, nbf: now - 4000, exp: now - 60 })],
      ['that is not valid yet', () => ({ nbf: now + 3600, exp: now + 7200 })],
      ['that never expires', () => ({ exp: undefined }) as unknown as JWTPayload],
      ['without a beginning', () => ({ nbf: undefined }) as unknown as JWTPayload],
      ['without a time of issue', () => ({ iat: undefined }) as unknown as JWTPayload],
      ['without a user', () => ({ sub: undefined }) as unknown as JWTPayload],
      ['of a user that there is not', () => ({ sub: '999999' })],
      ['of a user by name', () => ({ sub: ADMIN })],
      ['of nobody', () => ({ sub: 'anonymous' })],
      ['without an id', () => ({ jti: undefined }) as unknown as JWTPayload],
      ['of an older security version', () => ({ sv: Number(claims.sv) - 1 })],
      ['of a newer one', () => ({ sv: Number(claims.sv) + 1 })],
      ['without one', () => ({ sv: undefined })],
      ['for another use', () => ({ use: 'refresh', access: undefined })],
      ['for a use that there is not', () => ({ use: 'everything' })],
      ['without a scope', () => ({ access: undefined })],
      ['with a scope that is none', () => ({ access: 'repository:a/image:pull' })],
      ['of an access token that there is not', () => ({ pat: 999_999 })],
      ['of a workload that is a user, too', () => ({ wl: { id: 'ci:x', grants: [] } })],
      ['of a workload that nobody vouches for', () => ({ sub: 'anonymous', wl: { id: 'ci:x', grants: claims.access } })],
    ];
    for (const [what, change] of WRONG)
      it(`takes no token ${what}`, async () => {
        expect(await status({ ...claims, ...change() })).to.equal(401);
      });

    const HEADERS: readonly (readonly [what: string, header: Readonly<Record<string, unknown>>])[] = [
      ['of another type', { typ: 'at+jwt' }],
      ['with another hash', { alg: 'HS512' }],
      ['of a key that there is not', { kid: 'another' }],
      ['with something critical that nobody knows', { crit: ['urn:x'], 'urn:x': true }],
    ];
    for (const [what, header] of HEADERS)
      it(`takes no token ${what}`, async () => {
        const signed = await sign(claims, header).catch(() => undefined);
        // What the library does not sign, it does not verify either: the header is then put in by hand.
        const [, payload, signature] = (await sign(claims)).split('.');
        const byHand = [
          Buffer.from(JSON.stringify({ ...decodeProtectedHeader(token.slice(7)), ...header })).toString('base64url'),
          payload,
          signature,
        ];
        for (const one of [signed, byHand.join('.')].filter((text) => text !== undefined))
          expect((await client.as(`Bearer ${one}`).send('GET', MANIFEST)).status).to.equal(401);
      });
  });
});
