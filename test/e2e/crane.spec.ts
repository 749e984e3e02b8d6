import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { builtOrInstalled, clientFor, crane } from '../support/clients.ts';
import { basic, httpClient, pushImage, pushManifest } from '../support/http.ts';
import { imageOf, indexOf, noise, tarOf } from '../support/images.ts';
import { ADMIN, PASSWORD, registryFor } from '../support/registryProcess.ts';
import { requires } from '../support/reporter.ts';

describe('crane', function () {
  requires(this, builtOrInstalled('crane') !== undefined, 'crane is neither installed nor built (scripts/installTools.sh)');
  this.timeout(60_000);
  const registry = registryFor();
  const client = clientFor(crane);
  const remote = (reference: string): string => `${registry.current().host}/crane/${reference}`;
  const run = (...args: readonly string[]): Promise<string> => client().run(...args);
  const linesOf = async (...args: readonly string[]): Promise<readonly string[]> => (await run(...args)).split('\n');

  const multi = indexOf(
    ['amd64', 'arm64'].map((architecture) =>
      imageOf([tarOf({ file: noise(1000, architecture) })], { platform: { architecture, os: 'linux' }, gzip: true }),
    ),
  );

  it('logs in, and reads what is there', async () => {
    const { code, stderr } = await client().login(registry.current().host, ADMIN, PASSWORD);
    expect(code, stderr).to.equal(0);
    const http = httpClient(registry.current().url, { authorization: basic(ADMIN, PASSWORD) });
    for (const image of multi.images) await pushImage(http, 'crane/multi', image.manifest.digest, image);
    await pushManifest(http, 'crane/multi', 'v1', multi.manifest);
    http.close();
    expect(await run('digest', remote('multi:v1'))).to.equal(multi.manifest.digest);
    expect(await run('digest', '--platform', 'linux/arm64', remote('multi:v1'))).to.equal(multi.images[1]?.manifest.digest);
    expect(await run('manifest', remote('multi:v1'))).to.equal(multi.manifest.bytes.toString());
  });

  it('copies an index with its images', async () => {
    await run('copy', remote('multi:v1'), remote('copied:v1'));
    expect(await run('digest', remote('copied:v1'))).to.equal(multi.manifest.digest);
    await run('validate', '--remote', remote('copied:v1'));
  });

  it('appends a layer, and lists tags and repositories', async () => {
    writeFileSync(join(client().folder, 'layer.tar'), tarOf({ 'hello.txt': 'hello' }));
    await run('append', '--oci-empty-base', '--new_layer', 'layer.tar', '--new_tag', remote('appended:v1'));
    await run('tag', remote('appended:v1'), 'V2');
    expect(await linesOf('ls', remote('appended'))).to.deep.equal(['V2', 'v1']);
    expect(await linesOf('catalog', registry.current().host)).to.deep.equal(['crane/appended', 'crane/copied', 'crane/multi']);
  });

  it('deletes a tag, and an image by its digest', async () => {
    const digest = await run('digest', remote('appended:v1'));
    await run('delete', remote('appended:V2'));
    expect(await linesOf('ls', remote('appended'))).to.deep.equal(['v1']);
    await run('delete', `${remote('appended')}@${digest}`);
    const { code, stderr } = await client().attempt('digest', remote('appended:v1'));
    expect(code).to.not.equal(0);
    expect(stderr).to.match(/404|MANIFEST_UNKNOWN/);
  });
});
