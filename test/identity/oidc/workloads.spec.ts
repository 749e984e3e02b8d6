import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { exportJWK, generateKeyPair, UnsecuredJWT } from 'jose';
import { keysOf } from '../../../src/identity/oidc/keys.ts';
import type { Provider, WorkloadRule } from '../../../src/identity/oidc/provider.ts';
import { type Workloads, workloadsOf } from '../../../src/identity/oidc/workloads.ts';
import { type Issuer, startIssuer } from '../../support/issuer.ts';
import { scratchFolder } from '../../support/processes.ts';
import { refusalOf } from '../refusals.ts';

const AUDIENCE = 'https://registry.example.com';
const RULE: WorkloadRule = {
  match: { repository: ['octo-org/*'] },
  repositories: ['octo-org/*'],
  actions: ['pull', 'push'],
  maxSeconds: 600,
};
const CLAIMS = { sub: 'repo:octo-org/app:ref:refs/heads/main', aud: AUDIENCE, repository: 'octo-org/app' };

describe('workload identity', () => {
  let issuer: Issuer;
  let other: Issuer;
  let clock: number;

  before(async () => {
    [issuer, other] = [await startIssuer(), await startIssuer()];
  });
  after(async () => {
    await issuer.close();
    await other.close();
  });
  beforeEach(() => {
    issuer.behave('well');
    clock = 0;
  });

  const provider = (change: Partial<Provider> = {}): Provider => ({
    name: 'ci',
    issuer: issuer.url,
    audiences: [AUDIENCE],
    maxAgeSeconds: 3600,
    workloads: [RULE],
    ...change,
  });
  const workloads = (...providers: readonly Provider[]): Workloads =>
    workloadsOf(providers.length === 0 ? [provider()] : providers, { keys: (one) => keysOf(one, () => clock) });

  const refused = async (token: string, code = 'UNAUTHENTICATED', by = workloads()): Promise<void> => {
    expect((await refusalOf(() => by.authenticate(token))).code).to.equal(code);
  };

  it('is who the provider says, with what the rules grant, for as long as they allow', async () => {
    const before = Date.now();
    const { until, ...workload } = await workloads().authenticate(await issuer.token(CLAIMS));
    expect(workload).to.deep.equal({
      kind: 'workload',
      id: 'ci:repo:octo-org/app:ref:refs/heads/main',
      grants: [{ type: 'repository', name: 'octo-org/*', actions: ['pull', 'push'] }],
    });
    expect(until).to.be.within(before + 600_000, Date.now() + 600_000);
  });

  it('has what all rules grant that are about it, for as long as the strictest allows', async () => {
    const more: WorkloadRule = {
      match: { ref: ['refs/heads/**'] },
      repositories: ['library/go'],
      actions: ['pull'],
      maxSeconds: 60,
    };
    const unrelated: WorkloadRule = { ...more, match: { ref: ['refs/tags/*'] }, repositories: ['secret/*'], maxSeconds: 1 };
    const by = workloads(provider({ workloads: [RULE, more, unrelated] }));
    const { grants, until } = await by.authenticate(await issuer.token({ ...CLAIMS, ref: 'refs/heads/a/b' }));
    expect(grants.map(({ name }) => name)).to.deep.equal(['octo-org/*', 'library/go']);
    expect(until - Date.now()).to.be.within(55_000, 60_000);
  });

  it('is none where no rule is about it', async () => {
    await refused(await issuer.token({ ...CLAIMS, repository: 'octo-org-evil/app' }), 'DENIED');
    await refused(await issuer.token({ ...CLAIMS, repository: undefined }), 'DENIED');
  });

  it('takes of a claim that lists values each, and nothing of one that is no value', async () => {
    await workloads().authenticate(await issuer.token({ ...CLAIMS, repository: ['x', 'octo-org/app'] }));
    for (const repository of [null, { toString: 'octo-org/app' }, [['octo-org/app']], true])
      await refused(await issuer.token({ ...CLAIMS, repository }), 'DENIED');
    const inherited = workloads(provider({ workloads: [{ ...RULE, match: { constructor: ['**'] } }] }));
    await refused(await issuer.token(CLAIMS), 'DENIED', inherited);
  });

  describe('refuses', () => {
    const seconds = (): number => Math.floor(Date.now() / 1000);
    const rows: readonly (readonly [what: string, token: () => string | Promise<string>])[] = [
      [
        'a token that nobody signed',
        () => new UnsecuredJWT({ ...CLAIMS, iss: issuer.url }).setIssuedAt().setExpirationTime('5m').encode(),
      ],
      [
        'the public key in the place of a secret',
        async () => issuer.token(CLAIMS, { alg: 'HS256', key: new TextEncoder().encode(await issuer.publicKey()) }),
      ],
      [
        'another key under the name of the right one',
        async () => issuer.token(CLAIMS, { key: (await generateKeyPair('RS256')).privateKey }),
      ],
      [
        'another kind of key',
        async () => issuer.token(CLAIMS, { alg: 'ES256', key: (await generateKeyPair('ES256')).privateKey }),
      ],
      ['another audience', () => issuer.token({ ...CLAIMS, aud: 'https://elsewhere.example.com' })],
      ['no audience', () => issuer.token({ ...CLAIMS, aud: undefined })],
      ['an issuer that is not configured', () => other.token(CLAIMS)],
      ['an issuer that another one names', () => other.token({ ...CLAIMS, iss: issuer.url })],
      ['an issuer but for a slash', () => issuer.token({ ...CLAIMS, iss: `${issuer.url}/` })],
      ['a token that has expired', () => issuer.token({ ...CLAIMS, iat: seconds() - 400, exp: seconds() - 100 })],
      ['a token without an end', () => issuer.token({ ...CLAIMS, exp: undefined })],
      ['a token that is not good yet', () => issuer.token({ ...CLAIMS, nbf: seconds() + 120 })],
      ['a token of the future', () => issuer.token({ ...CLAIMS, iat: seconds() + 120, exp: seconds() + 300 })],
      [
        'a token that is too old, however long it is good',
        () => issuer.token({ ...CLAIMS, iat: seconds() - 4000, exp: seconds() + 4000 }),
      ],
      ['a token of no known age', () => issuer.token({ ...CLAIMS, iat: undefined })],
      ['a token of a key that there is not', () => issuer.token(CLAIMS, { kid: 'made-up' })],
      ['a token of nobody', () => issuer.token({ ...CLAIMS, sub: undefined })],
      ['a subject that could break lines', () => issuer.token({ ...CLAIMS, sub: 'a\nb' })],
      ['a subject without end', () => issuer.token({ ...CLAIMS, sub: 'a'.repeat(256) })],
      ['a token without end', () => issuer.token({ ...CLAIMS, padding: 'a'.repeat(9000) })],
      ['what is none', () => 'eyJhbGciOiJSUzI1NiJ9.e30.AAAA'],
      ['nothing', () => ''],
    ];
    for (const [what, token] of rows)
      it(what, async () => {
        await refused(await token());
      });

    it('a token of another configured issuer, whose key it is not', async () => {
      const both = workloads(
        provider(),
        provider({ name: 'other', issuer: other.url, workloads: [{ ...RULE, match: { x: ['y'] } }] }),
      );
      await both.authenticate(await issuer.token(CLAIMS));
      await refused(await other.token({ ...CLAIMS, iss: issuer.url }), 'UNAUTHENTICATED', both);
      await refused(await other.token(CLAIMS), 'DENIED', both);
    });

    it('clocks that are apart, but not by half a minute', async () => {
      await workloads().authenticate(await issuer.token({ ...CLAIMS, nbf: seconds() + 15 }));
      await workloads().authenticate(await issuer.token({ ...CLAIMS, iat: seconds() - 320, exp: seconds() - 15 }));
    });
  });

  describe('with keys that', () => {
    const asked = (): number => issuer.asked('/keys');

    it('rotate, knows the new one and no longer the old', async () => {
      // jose's own clock tells when keys may be looked for again.
      const realNow = Date.now;
      try {
        const by = workloads();
        const old = await issuer.token(CLAIMS);
        await by.authenticate(old);
        await issuer.rotate();
        const fresh = await issuer.token(CLAIMS);
        await refused(fresh, 'UNAUTHENTICATED', by);
        const later = realNow() + 31_000;
        Date.now = () => later;
        await by.authenticate(fresh);
        await refused(old, 'UNAUTHENTICATED', by);
      } finally {
        Date.now = realNow;
      }
    });

    it('nobody has are looked for once in a while, however many ask', async () => {
      const by = workloads();
      await by.authenticate(await issuer.token(CLAIMS));
      const before = asked();
      for (let count = 0; count < 20; count += 1)
        await refused(await issuer.token(CLAIMS, { kid: `made-up-${count}` }), 'UNAUTHENTICATED', by);
      expect(asked() - before).to.equal(0);
    });

    it('are asked for once by many at the same time', async () => {
      const by = workloads(provider({ keys: { url: `${issuer.url}/keys` } }));
      const before = asked();
      const token = await issuer.token(CLAIMS);
      await Promise.all(Array.from({ length: 20 }, () => by.authenticate(token)));
      expect(asked() - before).to.equal(1);
    });

    it('cannot be had, says so, asks again only after a while, and lets others go on', async () => {
      const by = workloads(provider(), provider({ name: 'other', issuer: other.url }));
      const token = await issuer.token(CLAIMS);
      issuer.behave('failing');
      const before = issuer.asked('/.well-known/openid-configuration');
      for (let count = 0; count < 5; count += 1) await refused(token, 'UNAVAILABLE', by);
      expect(issuer.asked('/.well-known/openid-configuration') - before).to.equal(1);
      await by.authenticate(await other.token(CLAIMS));
      issuer.behave('well');
      await refused(token, 'UNAVAILABLE', by);
      clock = 5000;
      await by.authenticate(token);
    });

    it('were had before are good while the provider is away', async () => {
      const by = workloads();
      await by.authenticate(await issuer.token(CLAIMS));
      issuer.behave('failing');
      await by.authenticate(await issuer.token(CLAIMS));
    });

    it('are elsewhere by a redirect are not followed', async () => {
      const by = workloads();
      const before = issuer.asked('/elsewhere');
      issuer.behave('redirecting');
      await refused(await issuer.token(CLAIMS), 'UNAVAILABLE', by);
      expect(issuer.asked('/elsewhere')).to.equal(before);
    });

    it('are in a file are read again for one that it did not have', async () => {
      const folder = scratchFolder();
      try {
        const file = join(folder.path, 'keys.json');
        const pairs = await Promise.all(['a', 'b'].map(async (kid) => ({ kid, ...(await generateKeyPair('ES256')) })));
        const write = async (kid: string): Promise<void> => {
          const found = pairs.find((pair) => pair.kid === kid);
          if (found !== undefined)
            writeFileSync(file, JSON.stringify({ keys: [{ ...(await exportJWK(found.publicKey)), kid }] }));
        };
        const [first, second] = await Promise.all(
          pairs.map(({ kid, privateKey }) =>
            issuer.token({ ...CLAIMS, iss: 'https://cluster.local' }, { alg: 'ES256', kid, key: privateKey }),
          ),
        );
        const by = workloads(provider({ issuer: 'https://cluster.local', keys: { file } }));
        await refused(first ?? '', 'UNAVAILABLE', by);
        await write('a');
        await by.authenticate(first ?? '');
        await write('b');
        await refused(second ?? '', 'UNAUTHENTICATED', by);
        clock = 30_000;
        await by.authenticate(second ?? '');
      } finally {
        folder.remove();
      }
    });
  });

  it('asks nobody whom a token names', async () => {
    const before = other.asked('/.well-known/openid-configuration');
    await refused(await other.token(CLAIMS));
    expect(other.asked('/.well-known/openid-configuration')).to.equal(before);
  });

  it('knows its own by the form and the issuer that they name', async () => {
    const by = workloads();
    expect(by.seemsOurs(await issuer.token(CLAIMS))).to.equal(true);
    for (const text of [await other.token(CLAIMS), 'eyJ.eyJ.x', 'correct-horse', '', `${await issuer.token(CLAIMS)}!`])
      expect(by.seemsOurs(text)).to.equal(false);
    expect([by.knows('ci:a:b'), by.knows('other:a'), by.knows('ci')]).to.deep.equal([true, false, false]);
  });
});
