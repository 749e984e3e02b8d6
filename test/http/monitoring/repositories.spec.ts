import { expect } from 'chai';
import { registryFor } from '../../support/app.ts';
import { pushImage, pushManifest } from '../../support/http.ts';
import { indexOf, randomImage } from '../../support/images.ts';
import { head, rawExchange } from '../raw.ts';
import { get, monitored } from './calls.ts';

const [ONE, TWO] = [randomImage('details-1'), randomImage('details-2')];
const INDEX = indexOf([ONE, TWO]);

type Details = Readonly<{
  name: string;
  tagCount: number;
  tags: readonly Readonly<Record<string, unknown>>[];
  timestamp: number;
}>;
type Listed = readonly Readonly<{ name: string; lastUploaded: number }>[];

const sizeOf = ({ config, layers }: typeof ONE): number => [config, ...layers].reduce((sum, { bytes }) => sum + bytes.length, 0);

describe('GET /api/registry/repositories/{name}', () => {
  const registry = registryFor();
  const details = async (name: string): Promise<Details> =>
    (await get(registry().admin, `/api/registry/repositories/${name}`)) as unknown as Details;

  before(async () => {
    const { admin } = registry();
    await pushImage(admin, 'nginx', 'latest', ONE);
    await pushImage(admin, 'nginx', '1.21', TWO);
    await pushImage(admin, 'team/sub/app', 'v1', ONE);
  });

  it('“returns detailed information about a specific repository, including tag details and manifest information”', async () => {
    const { timestamp, ...rest } = await details('nginx');
    expect(rest).to.deep.equal({
      name: 'nginx',
      tagCount: 2,
      tags: [
        { tag: '1.21', hasManifest: true, digest: TWO.manifest.digest, sizeBytes: sizeOf(TWO) },
        { tag: 'latest', hasManifest: true, digest: ONE.manifest.digest, sizeBytes: sizeOf(ONE) },
      ],
    });
    expect(timestamp).to.be.closeTo(Date.now(), 60_000);
  });

  it('per tag `sizeBytes` (sum of the known sizes of every digest named in the manifest): of an index what it lists as well', async () => {
    await pushImage(registry().admin, 'multi', 'one', ONE);
    await pushImage(registry().admin, 'multi', 'two', TWO);
    await pushManifest(registry().admin, 'multi', 'all', INDEX.manifest);
    const { tags } = await details('multi');
    const manifestBytes = ONE.manifest.bytes.length + TWO.manifest.bytes.length;
    expect(tags[0]).to.include({ tag: 'all', sizeBytes: sizeOf(ONE) + sizeOf(TWO) + manifestBytes });
  });

  it('repository names may contain `/`; they are sent as `a%2Fb` too, with a slash at the end or not', async () => {
    const { port } = registry();
    for (const name of ['team/sub/app', 'team%2Fsub%2Fapp', 'team%2fsub/app', '%74eam/sub/app', 'team/sub/app/'])
      expect(await details(name), name).to.include({ name: 'team/sub/app', tagCount: 1 });
    const answer = await rawExchange(port, head('GET /api/registry/repositories/team%2Fsub%2Fapp', 'Connection: close'));
    expect(answer.status).to.equal(401);
  });

  it('404 in both: an unknown repository, and one that holds nothing any more', async () => {
    const { admin } = registry();
    await pushImage(admin, 'gone', 'latest', ONE);
    await pushImage(admin, 'emptied', 'latest', ONE);
    await admin.send('DELETE', '/v2/gone');
    await admin.send('DELETE', `/v2/emptied/manifests/${ONE.manifest.digest}`);
    for (const name of ['unknown', 'gone', 'emptied', 'team/sub', 'team/sub/app/x']) {
      const path = `/api/registry/repositories/${name}`;
      const { error, message } = await get(admin, path, 404);
      expect(error).to.equal('Not Found');
      expect(message).to.equal(`There is no repository ${name}.`);
    }
  });

  it('says so where a name can be none', async () => {
    const { error } = await get(registry().admin, '/api/registry/repositories/No/Name', 400);
    expect(error).to.equal('Bad Request');
  });

  it('shows a repository that was deleted and pushed to again without what it had before', async () => {
    const { admin } = registry();
    await pushImage(admin, 'again', 'old', ONE);
    await admin.send('DELETE', '/v2/again');
    await pushImage(admin, 'again', 'new', TWO);
    expect((await details('again')).tags.map(({ tag }) => tag)).to.deep.equal(['new']);
  });

  it('has a moved tag once, where it is now', async () => {
    const { admin } = registry();
    await pushImage(admin, 'moved', 'v', ONE);
    await pushImage(admin, 'moved', 'v', TWO);
    expect((await details('moved')).tags).to.deep.equal([
      { tag: 'v', hasManifest: true, digest: TWO.manifest.digest, sizeBytes: sizeOf(TWO) },
    ]);
  });
});

describe('GET /api/registry/repositories', () => {
  const registry = registryFor();
  const list = async (query = ''): Promise<Listed> =>
    (await get(registry().admin, `/api/registry/repositories${query}`)).repositories as Listed;
  const times = new Map<string, readonly [before: number, after: number]>();

  before(async () => {
    for (const name of ['old', 'b/middle', 'a', 'none', 'new']) {
      const begun = Date.now();
      await pushImage(registry().admin, name, 'latest', ONE);
      times.set(name, [begun, Date.now()]);
    }
    await registry().admin.send('DELETE', '/v2/none');
  });

  it('`repositories[]{name,lastUploaded ms}`, newest upload first', async () => {
    const listed = await list();
    expect(listed.map(({ name }) => name)).to.deep.equal(['new', 'a', 'b/middle', 'old']);
    for (const { name, lastUploaded } of listed) {
      const [before, after] = times.get(name) ?? [0, 0];
      expect(lastUploaded, name).to.be.within(before, after);
    }
  });

  it('newest upload first: a push brings a repository to the front', async () => {
    await pushImage(registry().admin, 'b/middle', 'next', TWO);
    expect((await list())[0]).to.have.property('name', 'b/middle');
  });

  it('gives the first ones to who asks with `limit`', async () => {
    expect((await list('?limit=2')).map(({ name }) => name)).to.deep.equal((await list()).slice(0, 2).map(({ name }) => name));
    expect(await list('?limit=0')).to.deep.equal([]);
    const answer = await registry().admin.send('GET', '/api/registry/repositories?limit=all');
    expect(monitored('GET', '/api/registry/repositories', answer).message).to.contain('limit');
  });
});
