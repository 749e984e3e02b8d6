import { METHODS } from 'node:http';
import { expect } from 'chai';
import fc from 'fast-check';
import { registryFor } from '../support/app.ts';
import { basic, pushImage } from '../support/http.ts';
import { randomImage } from '../support/images.ts';
import { ADMIN, PASSWORD } from '../support/registryProcess.ts';
import { anyBody, anyHeaders, anyTarget } from './arbitraries.ts';
import { expectSound } from './exchanges.ts';
import { head, rawExchange } from './raw.ts';

const anyMethod = fc.oneof(
  { weight: 9, arbitrary: fc.constantFrom('GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE') },
  fc.constantFrom(...METHODS.filter((method) => method !== 'CONNECT')),
);

describe('any request at all', () => {
  const registry = registryFor();
  const CREDENTIALS = basic(ADMIN, PASSWORD);

  before(() => pushImage(registry().admin, 'a/b', 'latest', randomImage('anything')));

  it('gets a sound answer, and is never a failure of the registry', async () => {
    await fc.assert(
      fc.asyncProperty(anyMethod, anyTarget, anyHeaders, anyBody, async (method, target, headers, body) => {
        const { host, ...others } = headers;
        const lines = Object.entries({ authorization: CREDENTIALS, ...others }).map(([name, value]) => `${name}: ${value}`);
        const bytes = Buffer.from(body ?? '');
        const start = head(`${method} ${target}`, ...lines, 'Connection: close', `Content-Length: ${bytes.length}`);
        const answer = await rawExchange(registry().port, start.replace('registry.test', host ?? 'registry.test'), bytes);
        expect(answer.status, answer.body.toString()).to.be.within(200, 499);
        const local = target.replace(/^https?:\/\/[^/?#]*/, '');
        // What Node's parser refuses never gets to a surface.
        if (answer.headers['docker-distribution-api-version'] !== undefined) expectSound(method, local, answer);
      }),
      { numRuns: 600 },
    );
  });
});
