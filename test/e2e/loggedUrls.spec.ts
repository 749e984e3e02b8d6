import { expect } from 'chai';
import { basic, httpClient } from '../support/http.ts';
import { waitUntil } from '../support/processes.ts';
import { ADMIN, PASSWORD, registryFor } from '../support/registryProcess.ts';

const SECRET = 'a-code-that-logs-somebody-in';

describe('The log of every request', () => {
  const registry = registryFor({ env: { GHOSTDOCK_LOG_LEVEL: 'debug' } });

  it('has no query of logins, whether there is such a path or not, and that of the registry protocol', async () => {
    const client = httpClient(registry.current().url, { authorization: basic(ADMIN, PASSWORD) });
    const query = `?code=${SECRET}&state=${SECRET}&token=${SECRET}`;
    const secretive = [
      '/auth/oidc/corp/callback',
      '/auth/oidc/v2/callback',
      '/auth/oidc/corp/callback/',
      '/registry/auth/oidc/corp/callback',
      '/auth/oidc/corp%zz/callback',
      '/auth/login',
      '/auth',
      '/api/v1/users',
      '/health',
      '/',
    ];
    for (const path of secretive) await client.send('GET', `${path}${query}`);
    await client.send('DELETE', `/auth/oidc/corp/callback${query}`, { headers: { origin: 'https://evil.example' } });
    await client.send('GET', '/v2/_catalog?n=7');
    const lines = () => registry.current().logs();
    await waitUntil('the last request is in the log', () => lines().some(({ url }) => url === '/v2/_catalog?n=7'));
    for (const path of secretive)
      expect(
        lines().filter(({ url }) => url === path),
        path,
      ).to.not.deep.equal([]);
    expect(registry.current().output()).to.not.contain(SECRET);
  });
});
