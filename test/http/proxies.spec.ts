import { expect } from 'chai';
import { registryFor, type TestApp } from '../support/app.ts';

const FORWARDED = { 'x-forwarded-proto': 'https', 'x-forwarded-host': 'registry.example.com', 'x-forwarded-for': '192.0.2.7' };

const realmFor = async ({ anonymous }: TestApp, headers: Readonly<Record<string, string>>): Promise<string> =>
  String((await anonymous.send('GET', '/v2/', { headers })).headers['www-authenticate']);

describe('a request by way of a proxy that is trusted', () => {
  const registry = registryFor({ GHOSTDOCK_TRUSTED_PROXIES: '127.0.0.1' });

  it('is answered for where the client sees the registry', async () => {
    const challenge = await realmFor(registry(), FORWARDED);
    expect(challenge).to.contain('realm="https://registry.example.com/auth"').and.contain('service="registry.example.com"');
  });

  it('is answered for its own host where the proxy says nothing', async () => {
    expect(await realmFor(registry(), {})).to.contain(`realm="http://${registry().host}/auth"`);
  });

  it('quotes no host that is none', async () => {
    for (const host of ['evil.example/path', 'a"b', 'a b', '', 'x'.repeat(70_000).slice(0, 5000)])
      expect(await realmFor(registry(), { ...FORWARDED, 'x-forwarded-host': host })).to.match(
        /realm="https:\/\/(?:localhost|127\.0\.0\.1:\d+|x+)\/auth"/,
      );
  });
});

for (const [what, env] of [
  ['nobody is trusted', {}],
  ['somebody else is trusted', { GHOSTDOCK_TRUSTED_PROXIES: '10.0.0.0/8' }],
] as const)
  describe(`a request with forwarding headers where ${what}`, () => {
    const registry = registryFor(env);

    it('is answered as if it had none', async () => {
      expect(await realmFor(registry(), FORWARDED)).to.contain(`realm="http://${registry().host}/auth"`);
    });
  });
