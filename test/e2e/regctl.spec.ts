import { expect } from 'chai';
import { builtOrInstalled, clientFor, regctl } from '../support/clients.ts';
import { basic, httpClient, pushImage } from '../support/http.ts';
import { randomImage } from '../support/images.ts';
import { ADMIN, PASSWORD, registryFor } from '../support/registryProcess.ts';
import { requires } from '../support/reporter.ts';

describe('regctl', function () {
  requires(this, builtOrInstalled('regctl') !== undefined, 'regctl is neither installed nor built (scripts/installTools.sh)');
  this.timeout(60_000);
  const registry = registryFor();
  const client = clientFor(regctl);
  const remote = (reference: string): string => `${registry.current().host}/regctl/${reference}`;
  const run = (...args: readonly string[]): Promise<string> => client().run(...args);
  const image = randomImage('regctl', { layers: 2 });

  it('logs in and attaches an artifact', async () => {
    const { host, url } = registry.current();
    await run('registry', 'set', '--tls', 'disabled', '--skip-check', host);
    await client().feed(PASSWORD, 'registry', 'login', '--skip-check', '--user', ADMIN, '--pass-stdin', host);
    const http = httpClient(url, { authorization: basic(ADMIN, PASSWORD) });
    await pushImage(http, 'regctl/app', 'v1', image);
    http.close();
    expect(await run('manifest', 'head', remote('app:v1'))).to.equal(image.manifest.digest);
    await client().feed(
      '{}',
      'artifact',
      'put',
      '--artifact-type',
      'application/vnd.example.sbom',
      '--subject',
      remote('app:v1'),
    );
    expect(await run('artifact', 'list', remote('app:v1'))).to.contain('application/vnd.example.sbom');
  });

  it('copies an image with its referrers', async () => {
    await run('image', 'copy', '--referrers', remote('app:v1'), remote('copied:v1'));
    expect(await run('manifest', 'head', remote('copied:v1'))).to.equal(image.manifest.digest);
    expect(await run('artifact', 'list', remote('copied:v1'))).to.contain('application/vnd.example.sbom');
  });

  it('deletes a tag and keeps its image', async () => {
    await run('tag', 'delete', remote('copied:v1'));
    expect(await run('tag', 'ls', remote('copied'))).to.equal('');
    expect(await run('manifest', 'head', `${remote('copied')}@${image.manifest.digest}`)).to.equal(image.manifest.digest);
    expect((await run('repo', 'ls', registry.current().host)).split('\n')).to.deep.equal(['regctl/app', 'regctl/copied']);
  });
});
