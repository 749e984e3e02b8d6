import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { builtOrInstalled, clientFor, oras, PLAIN_ORAS } from '../support/clients.ts';
import { noise } from '../support/images.ts';
import { ADMIN, PASSWORD, registryFor } from '../support/registryProcess.ts';
import { requires } from '../support/reporter.ts';

type Found = Readonly<{
  digest: string;
  artifactType?: string;
  annotations?: Readonly<Record<string, string>>;
  referrers?: readonly Found[];
}>;
type Manifest = Readonly<{
  artifactType?: string;
  config: Readonly<{ mediaType: string }>;
  layers: readonly Readonly<{ mediaType: string }>[];
}>;

const SBOM = 'application/vnd.example.sbom';
const SIGNATURE = 'application/vnd.example.signature';

describe('ORAS', function () {
  requires(this, builtOrInstalled('oras') !== undefined, 'oras is neither installed nor built (scripts/installTools.sh)');
  this.timeout(60_000);
  const registry = registryFor();
  const client = clientFor(oras);
  const host = (): string => registry.current().host;
  const remote = (reference: string): string => `${host()}/oras/${reference}`;
  const run = (...args: readonly string[]): Promise<string> => client().run(...args, ...PLAIN_ORAS);
  const json = async <T>(...args: readonly string[]): Promise<T> => JSON.parse(await run(...args, '--format', 'json')) as T;
  const discover = async (reference: string, ...options: readonly string[]): Promise<readonly Found[]> =>
    (await json<Found>('discover', remote(reference), ...options)).referrers ?? [];
  const typesOf = (found: readonly Found[]): readonly (string | undefined)[] =>
    found.map(({ artifactType }) => artifactType).sort();
  const tags = async (name: string): Promise<readonly string[]> => (await run('repo', 'tags', remote(name))).split('\n');

  before(() => {
    writeFileSync(join(client().folder, 'note.txt'), 'hello');
    writeFileSync(join(client().folder, 'large.bin'), noise(3_000_000, 'oras'));
    writeFileSync(join(client().folder, 'sbom.json'), '{"packages":[]}');
  });

  it('is refused with a wrong password', async () => {
    const { code, stderr } = await client().attempt(
      ...['login', ...PLAIN_ORAS, '--username', ADMIN, '--password', 'a wrong password', host()],
    );
    expect(code).to.not.equal(0);
    expect(stderr).to.match(/unauthorized|401/i);
  });

  it('logs in', async () => {
    const { code, stderr } = await client().login(host(), ADMIN, PASSWORD);
    expect(code, stderr).to.equal(0);
  });

  it('pushes an artifact of several files under two tags, and pulls it back', async () => {
    const files = ['note.txt:text/plain', 'large.bin:application/octet-stream'];
    await run('push', '--artifact-type', 'application/vnd.example.bundle', remote('bundle:v1,latest'), ...files);
    expect(await tags('bundle')).to.deep.equal(['latest', 'v1']);
    await run('pull', '--output', 'out', remote('bundle:latest'));
    for (const file of ['note.txt', 'large.bin'])
      expect(readFileSync(join(client().folder, 'out', file)).equals(readFileSync(join(client().folder, file))), file).to.equal(
        true,
      );
    const manifest = JSON.parse(await run('manifest', 'fetch', remote('bundle:v1'))) as Manifest;
    expect(manifest.artifactType).to.equal('application/vnd.example.bundle');
    expect(manifest.config.mediaType).to.equal('application/vnd.oci.empty.v1+json');
    expect(manifest.layers.map(({ mediaType }) => mediaType)).to.deep.equal(['text/plain', 'application/octet-stream']);
  });

  it('pushes an artifact with a config of its own', async () => {
    await run('push', '--config', 'sbom.json:application/vnd.example.config+json', remote('configured:v1'), 'note.txt');
    const manifest = JSON.parse(await run('manifest', 'fetch', remote('configured:v1'))) as Manifest;
    expect(manifest.config.mediaType).to.equal('application/vnd.example.config+json');
  });

  it('attaches files and annotations, and discovers them', async () => {
    await run('attach', '--artifact-type', SBOM, '--annotation', 'made=today', remote('bundle:v1'), 'sbom.json:application/json');
    await run('attach', '--artifact-type', SIGNATURE, '--annotation', 'signed=yes', remote('bundle:v1'));
    const found = await discover('bundle:v1');
    expect(typesOf(found)).to.deep.equal([SBOM, SIGNATURE]);
    expect(found.map(({ annotations }) => annotations?.made ?? annotations?.signed).sort()).to.deep.equal(['today', 'yes']);
    expect(await tags('bundle'), 'by the API, not by a tag').to.deep.equal(['latest', 'v1']);
  });

  it('discovers those of one type, which the registry has filtered', async () => {
    const found = await discover('bundle:v1', '--artifact-type', SBOM);
    expect(typesOf(found)).to.deep.equal([SBOM]);
    await run('pull', '--output', 'sbom', `${remote('bundle')}@${found[0]?.digest}`);
    expect(readFileSync(join(client().folder, 'sbom', 'sbom.json'), 'utf8')).to.equal('{"packages":[]}');
  });

  it('attaches to what is attached, and discovers the whole tree', async () => {
    const [sbom] = await discover('bundle:v1', '--artifact-type', SBOM);
    await run('attach', '--artifact-type', SIGNATURE, '--annotation', 'of=sbom', `${remote('bundle')}@${sbom?.digest}`);
    const again = (await discover('bundle:v1')).find(({ digest }) => digest === sbom?.digest);
    expect(typesOf(again?.referrers ?? [])).to.deep.equal([SIGNATURE]);
  });

  it('copies an artifact with everything that is attached to it', async () => {
    const registryConfigs = ['--from-registry-config', 'auth.json', '--to-registry-config', 'auth.json'];
    await client().run(
      ...['copy', '--recursive', '--from-plain-http', '--to-plain-http', ...registryConfigs],
      ...[remote('bundle:v1'), remote('copied:v1')],
    );
    expect(await run('resolve', remote('copied:v1'))).to.equal(await run('resolve', remote('bundle:v1')));
    expect(await discover('copied:v1')).to.have.length(2);
  });

  it('makes an index, attaches to it, and tags it anew', async () => {
    await run('manifest', 'index', 'create', '--artifact-type', 'application/vnd.example.set', remote('bundle:all'), 'v1');
    await run('attach', '--artifact-type', SIGNATURE, '--annotation', 'of=index', remote('bundle:all'));
    expect(typesOf(await discover('bundle:all'))).to.deep.equal([SIGNATURE]);
    await run('tag', remote('bundle:all'), 'every', 'each');
    expect(await tags('bundle')).to.deep.equal(['all', 'each', 'every', 'latest', 'v1']);
  });

  it('can attach by a tag instead, as it does where a registry knows no referrers', async () => {
    await run('push', remote('tagged:v1'), 'note.txt');
    const byTag = ['--distribution-spec', 'v1.1-referrers-tag'];
    for (const type of [SBOM, SIGNATURE])
      await run('attach', ...byTag, '--artifact-type', type, remote('tagged:v1'), 'sbom.json');
    const digest = await run('resolve', remote('tagged:v1'));
    expect(await tags('tagged')).to.deep.equal([digest.replace(':', '-'), 'v1']);
    expect(typesOf(await discover('tagged:v1', ...byTag))).to.deep.equal([SBOM, SIGNATURE]);
    expect(typesOf(await discover('tagged:v1')), 'the registry has them all the same').to.deep.equal([SBOM, SIGNATURE]);
  });

  it('lists the repositories', async () => {
    const repositories = (await run('repo', 'ls', host())).split('\n');
    expect(repositories).to.deep.equal(['bundle', 'configured', 'copied', 'tagged'].map((name) => `oras/${name}`));
  });

  it('deletes what was attached, and then the artifact itself', async () => {
    const [sbom] = await discover('copied:v1', '--artifact-type', SBOM);
    await run('manifest', 'delete', '--force', `${remote('copied')}@${sbom?.digest}`);
    expect(typesOf(await discover('copied:v1'))).to.deep.equal([SIGNATURE]);
    await run('manifest', 'delete', '--force', remote('copied:v1'));
    const { code, stderr } = await client().attempt('manifest', 'fetch', remote('copied:v1'), ...PLAIN_ORAS);
    expect(code).to.not.equal(0);
    expect(stderr).to.match(/not found/i);
    expect(await discover('bundle:v1'), 'those of others stay').to.have.length(2);
  });
});
