import { join } from 'node:path';
import { expect } from 'chai';
import { clientFor, skopeo } from '../support/clients.ts';
import { basic, httpClient, pushImage } from '../support/http.ts';
import { accessTokenOf, revokeAccessToken, robotBy } from '../support/identities.ts';
import { digestOf, imageOf, indexOf, noise, randomImage, tarOf, writeLayout } from '../support/images.ts';
import { installed } from '../support/processes.ts';
import { ADMIN, PASSWORD, registryFor, startRegistry } from '../support/registryProcess.ts';
import { requires } from '../support/reporter.ts';
import { factsIn } from './stopped.ts';

describe('skopeo', function () {
  requires(this, installed('skopeo'), 'skopeo is not installed');
  this.timeout(60_000);
  const registry = registryFor();
  const client = clientFor(skopeo);
  const host = (): string => registry.current().host;

  const TLS = { here: '--tls-verify=false', from: '--src-tls-verify=false', to: '--dest-tls-verify=false' };
  const remote = (reference: string): string => `docker://${host()}/${reference}`;
  const layout = (name: string): string => join(client().folder, name);
  const push = (name: string, reference: string, ...options: readonly string[]): Promise<string> =>
    client().run('copy', ...options, TLS.to, `oci:${layout(name)}:v1`, remote(reference));
  const rawOf = (reference: string): Promise<string> => client().run('inspect', '--raw', TLS.here, remote(reference));
  const inspect = async (
    reference: string,
  ): Promise<Readonly<{ Digest: string; Layers: readonly string[]; RepoTags: string[] }>> =>
    JSON.parse(await client().run('inspect', TLS.here, remote(reference)));

  const single = randomImage('single', { layers: 2, size: 30_000 });
  const multi = indexOf(
    ['amd64', 'arm64'].map((architecture) => randomImage(architecture, { platform: { architecture, os: 'linux' } })),
  );

  it('is refused with a wrong password', async () => {
    const { code, stderr } = await client().login(host(), ADMIN, 'a wrong password');
    expect(code).to.not.equal(0);
    expect(stderr).to.match(/invalid username\/password/i);
  });

  it('logs in', async () => {
    const { code, stderr } = await client().login(host(), ADMIN, PASSWORD);
    expect(code, stderr).to.equal(0);
  });

  it('copies an image in, byte by byte', async () => {
    writeLayout(layout('single'), 'v1', single);
    await push('single', 'skopeo/single:v1', '--preserve-digests');
    expect(await rawOf('skopeo/single:v1')).to.equal(single.manifest.bytes.toString());
  });

  it('inspects it', async () => {
    const { Digest, Layers, RepoTags } = await inspect('skopeo/single:v1');
    expect(Digest).to.equal(single.manifest.digest);
    expect(Layers).to.deep.equal(single.layers.map(({ digest }) => digest));
    expect(RepoTags).to.deep.equal(['v1']);
  });

  it('copies it out again, the same', async () => {
    await client().run('copy', '--preserve-digests', TLS.from, remote('skopeo/single:v1'), `oci:${layout('back')}:v1`);
    const raw = await client().run('inspect', '--raw', `oci:${layout('back')}:v1`);
    expect(digestOf(raw)).to.equal(single.manifest.digest);
  });

  it('copies an index with all its images in and out, the same', async () => {
    writeLayout(layout('multi'), 'v1', multi);
    await push('multi', 'skopeo/multi:v1', '--all', '--preserve-digests');
    expect(await rawOf('skopeo/multi:v1')).to.equal(multi.manifest.bytes.toString());
    await client().run(
      'copy',
      '--all',
      '--preserve-digests',
      TLS.from,
      remote('skopeo/multi:v1'),
      `oci:${layout('multiBack')}:v1`,
    );
    const raw = await client().run('inspect', '--raw', `oci:${layout('multiBack')}:v1`);
    expect(digestOf(raw)).to.equal(multi.manifest.digest);
  });

  it('takes the image of one platform out of an index', async () => {
    const arm = multi.images[1];
    await client().run(
      '--override-arch',
      'arm64',
      'copy',
      '--preserve-digests',
      TLS.from,
      remote('skopeo/multi:v1'),
      `oci:${layout('arm')}:v1`,
    );
    const raw = await client().run('inspect', '--raw', `oci:${layout('arm')}:v1`);
    expect(digestOf(raw)).to.equal(arm?.manifest.digest);
  });

  // What it uploads or writes itself, it names by sha256: the image comes by plain HTTP, and leaves with its layers compressed anew.
  it('reads layers with sha512 digests, and checks their bytes', async () => {
    const image = imageOf([tarOf({ file: noise(40_000, 'sha512') })], { algorithm: 'sha512' });
    const http = httpClient(registry.current().url, { authorization: basic(ADMIN, PASSWORD) });
    await pushImage(http, 'skopeo/sha512', 'v1', image);
    http.close();
    expect((await inspect('skopeo/sha512:v1')).Layers[0]).to.match(/^sha512:/);
    await client().run('copy', TLS.from, remote('skopeo/sha512:v1'), `oci:${layout('sha512')}:v1`);
    expect(await client().run('inspect', '--raw', `oci:${layout('sha512')}:v1`)).to.contain(image.config.digest);
  });

  it('copies layers with sha512 digests to another repository, unchanged', async () => {
    await client().run(
      ...['copy', '--preserve-digests', TLS.from, TLS.to],
      ...[remote('skopeo/sha512:v1'), remote('elsewhere/sha512:v1')],
    );
    expect(await rawOf('elsewhere/sha512:v1')).to.equal(await rawOf('skopeo/sha512:v1'));
  });

  it('lists the tags', async () => {
    await push('single', 'skopeo/single:v2');
    const { Tags } = JSON.parse(await client().run('list-tags', TLS.here, remote('skopeo/single'))) as { Tags: string[] };
    expect(Tags).to.deep.equal(['v1', 'v2']);
  });

  it('copies from one repository to another', async () => {
    await client().run('copy', '--preserve-digests', TLS.from, TLS.to, remote('skopeo/single:v1'), remote('elsewhere/single:v1'));
    expect((await inspect('elsewhere/single:v1')).Digest).to.equal(single.manifest.digest);
  });

  it('deletes an image with all its tags', async () => {
    await client().run('delete', TLS.here, remote('skopeo/multi:v1'));
    const { code, stderr } = await client().attempt('inspect', TLS.here, remote('skopeo/multi:v1'));
    expect(code).to.not.equal(0);
    expect(stderr).to.match(/manifest unknown|does not have this manifest/);
    expect((await inspect('skopeo/single:v1')).RepoTags, 'others stay').to.deep.equal(['v1', 'v2']);
  });

  it('copies an index alone only where that is allowed, and then the one image of it that is wanted', async () => {
    const alone = ['copy', '--multi-arch', 'index-only', '--preserve-digests', TLS.to, `oci:${layout('multi')}:v1`];
    const { code } = await client().attempt(...alone, remote('skopeo/alone:v1'));
    expect(code).to.not.equal(0);

    const sparse = await startRegistry({ env: { GHOSTDOCK_SPARSE_INDEXES: 'on' } });
    try {
      await client().login(sparse.host, ADMIN, PASSWORD);
      const target = `docker://${sparse.host}/skopeo/alone`;
      await client().run(...alone, `${target}:v1`);
      const wanted = ['--override-arch', 'arm64', 'copy', '--preserve-digests', TLS.to, `oci:${layout('multi')}:v1`];
      await client().run(...wanted, `${target}:arm64`);
      expect(await client().run('inspect', '--raw', TLS.here, `${target}:v1`)).to.equal(multi.manifest.bytes.toString());
      await client().run('--override-arch', 'arm64', 'copy', TLS.from, `${target}:v1`, `oci:${layout('sparse')}:v1`);
      const missing = ['--override-arch', 'amd64', 'copy', TLS.from, `${target}:v1`, `oci:${layout('none')}:v1`];
      expect((await client().attempt(...missing)).stderr).to.match(/does not have|manifest unknown/i);
    } finally {
      await sparse.dispose();
    }
  });

  it("copies with a robot's token, where the token may, until it is revoked", async () => {
    const admin = httpClient(registry.current().url, { authorization: basic(ADMIN, PASSWORD) });
    const limits = { permissions: ['pull', 'push'], repositories: ['robot/app'], user_id: await robotBy(admin, 'robot') };
    const token = await accessTokenOf(admin, limits);
    expect((await client().login(host(), 'robot', token.value)).code).to.equal(0);
    await push('single', 'robot/app:v1', '--preserve-digests');
    expect(await rawOf('robot/app:v1')).to.equal(single.manifest.bytes.toString());
    const elsewhere = ['copy', TLS.to, `oci:${layout('single')}:v1`, remote('robot/other:v1')];
    const refused = await client().attempt(...elsewhere);
    expect(refused.code).to.not.equal(0);
    expect(refused.stderr).to.match(/denied|unauthorized|forbidden|403/i);

    await revokeAccessToken(admin, token);
    admin.close();
    const { code, stderr } = await client().attempt('inspect', '--raw', TLS.here, remote('robot/app:v1'));
    expect(code).to.not.equal(0);
    expect(stderr).to.match(/unauthorized|invalid username/i);
  });

  it('has mounted the layers in the other repository instead of sending them again', async () => {
    await registry.current().stop();
    const linked = (await factsIn(registry.current().dataDir))
      .filter(({ type, stream }) => type === 'BlobLinked' && stream.endsWith('-elsewhere/single'))
      .map(({ data }) => data as { digest: string; mountedFrom?: string });
    const layers = linked.filter(({ digest }) => single.layers.some((layer) => layer.digest === digest));
    expect(layers).to.have.length(single.layers.length);
    expect(layers.map(({ mountedFrom }) => mountedFrom)).to.deep.equal(single.layers.map(() => 'skopeo/single'));
  });
});
