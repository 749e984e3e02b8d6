import { expect } from 'chai';
import { registryFor } from '../support/app.ts';
import { pushImage, pushManifest } from '../support/http.ts';
import { DOCKER_MANIFEST, digestOf, imageOf, indexOf, type Manifest, OCI_INDEX, OCI_MANIFEST, tarOf } from '../support/images.ts';
import { errorsOf, exchange } from './exchanges.ts';
import { ABSENT, CONFIG, descriptor, IMAGE, imageManifest, LAYERS, manifestOf, put, stored, written } from './manifestSamples.ts';

const DOCKER_LIST = 'application/vnd.docker.distribution.manifest.list.v2+json';
const OCI_ARTIFACT = 'application/vnd.oci.artifact.manifest.v1+json';

describe('PUT of a manifest', () => {
  const registry = registryFor();

  before(() => pushImage(registry().admin, 'm/app', 'before', IMAGE));

  const kinds: Readonly<Record<string, Manifest>> = {
    'an OCI image': manifestOf(imageManifest()),
    'an OCI image that does not name its own type': manifestOf({ schemaVersion: 2, config: CONFIG, layers: LAYERS }),
    'an OCI image without layers': manifestOf(imageManifest({ layers: [] })),
    'a docker image': manifestOf(imageManifest({ mediaType: DOCKER_MANIFEST }), DOCKER_MANIFEST),
    'an OCI index': manifestOf(
      { schemaVersion: 2, mediaType: OCI_INDEX, manifests: [descriptor(IMAGE.manifest.digest)] },
      OCI_INDEX,
    ),
    'an empty OCI index': manifestOf({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: [] }, OCI_INDEX),
    'a docker manifest list': manifestOf(
      { schemaVersion: 2, mediaType: DOCKER_LIST, manifests: [descriptor(IMAGE.manifest.digest)] },
      DOCKER_LIST,
    ),
    'an artifact of older ORAS': manifestOf({ mediaType: OCI_ARTIFACT, artifactType: 'text/x', blobs: LAYERS }, OCI_ARTIFACT),
    'something that nobody here knows': manifestOf(
      { schemaVersion: 2, anything: [1, { at: 'all' }] },
      'application/vnd.example+json',
    ),
    'JSON with blanks, line breaks and a field twice': written(
      `\n {"schemaVersion" : 2,\r\n "config":${JSON.stringify(CONFIG)}, "layers":[],\t"x":1,"x":2}\n\n`,
      OCI_MANIFEST,
    ),
    'JSON beyond ASCII': written(
      `{"schemaVersion":2,"config":${JSON.stringify(CONFIG)},"layers":[],"annotations":{"é":"🐳\\u0000"}}`,
      OCI_MANIFEST,
    ),
    'a foreign layer that is elsewhere': manifestOf(
      imageManifest({ layers: [{ ...descriptor(ABSENT), urls: ['https://example.com/layer'] }] }),
    ),
    'a layer that is inlined too': manifestOf(imageManifest({ layers: [{ ...LAYERS[0], data: 'aGVsbG8=' }] })),
  };
  for (const [index, [what, manifest]] of Object.entries(kinds).entries()) {
    it(`stores ${what}, and gives back the very bytes and type`, async () => {
      const { admin } = registry();
      await exchange(admin, put('m/app', `kind-${index}`, manifest), stored(manifest));
      const headers = {
        'content-type': manifest.mediaType,
        'content-length': String(manifest.bytes.length),
        'docker-content-digest': manifest.digest,
        etag: `"${manifest.digest}"`,
      };
      for (const reference of [`kind-${index}`, manifest.digest]) {
        const path = `/v2/m/app/manifests/${reference}`;
        await exchange(admin, ['GET', path], { status: 200, headers, bytes: manifest.bytes });
        await exchange(admin, ['HEAD', path], { status: 200, headers });
      }
    });
  }

  it('keeps the type without its parameters and in lower case, or takes the manifest’s own', async () => {
    for (const [index, [sent, kept]] of [
      [`${OCI_MANIFEST}; charset=utf-8`, OCI_MANIFEST],
      ['Application/Vnd.OCI.Image.Manifest.V1+JSON', OCI_MANIFEST],
      [undefined, OCI_MANIFEST],
    ].entries()) {
      const manifest = manifestOf(imageManifest({ annotations: { index: String(index) } }));
      const headers: Record<string, string> = sent === undefined ? {} : { 'content-type': sent };
      await exchange(registry().admin, ['PUT', '/v2/m/app/manifests/typed', { body: manifest.bytes, headers }], stored(manifest));
      await exchange(registry().admin, ['HEAD', '/v2/m/app/manifests/typed'], { status: 200, headers: { 'content-type': kept } });
    }
  });

  it('stores by digest, without a tag, when the bytes hash to it: sha256 and sha512', async () => {
    const { admin } = registry();
    const manifest = manifestOf(imageManifest({ annotations: { by: 'digest' } }));
    for (const digest of [manifest.digest, digestOf(manifest.bytes, 'sha512')]) {
      await exchange(admin, put('m/app', digest, manifest), stored({ ...manifest, digest }));
      const headers = { 'docker-content-digest': digest };
      await exchange(admin, ['GET', `/v2/m/app/manifests/${digest}`], { status: 200, headers, bytes: manifest.bytes });
    }
  });

  it('moves a tag, and keeps what it pointed at', async () => {
    const { admin } = registry();
    const [first, second] = ['1', '2'].map((n) => manifestOf(imageManifest({ annotations: { n } }))) as [Manifest, Manifest];
    await exchange(admin, put('m/app', 'moving', first), stored(first));
    await exchange(admin, put('m/app', 'moving', second), stored(second));
    await exchange(admin, ['GET', '/v2/m/app/manifests/moving'], { status: 200, bytes: second.bytes });
    await exchange(admin, ['GET', `/v2/m/app/manifests/${first.digest}`], { status: 200, bytes: first.bytes });
  });

  it('of what is there already records nothing', async () => {
    const manifest = manifestOf(imageManifest());
    await exchange(registry().admin, put('m/app', 'same', manifest), stored(manifest));
    const before = await registry().head();
    await exchange(registry().admin, put('m/app', 'same', manifest), stored(manifest));
    await exchange(registry().admin, put('m/app', manifest.digest, manifest), stored(manifest));
    expect(await registry().head()).to.equal(before);
  });

  it('says that it has seen the subject, which need not exist', async () => {
    const manifest = manifestOf(imageManifest({ subject: descriptor(ABSENT), artifactType: 'application/x-signature' }));
    const expected = stored(manifest);
    await exchange(registry().admin, put('m/app', manifest.digest, manifest), {
      ...expected,
      headers: { ...expected.headers, 'oci-subject': ABSENT },
    });
    await exchange(registry().admin, put('m/app', 'plain', IMAGE.manifest), {
      status: 201,
      headers: { 'oci-subject': undefined },
    });
  });

  it('by digest sets all tags that the query names', async () => {
    const { admin } = registry();
    const manifest = manifestOf(imageManifest({ annotations: { many: 'tags' } }));
    const tags = Array.from({ length: 12 }, (_, index) => `many-${index}`);
    const query = tags.map((tag) => `tag=${tag}`).join('&');
    await exchange(admin, put('m/app', `${manifest.digest}?${query}`, manifest), {
      status: 201,
      headers: { 'oci-tag': tags.join(', '), 'docker-content-digest': manifest.digest },
    });
    for (const tag of tags) await exchange(admin, ['GET', `/v2/m/app/manifests/${tag}`], { status: 200, bytes: manifest.bytes });
    await exchange(admin, put('m/app', `${manifest.digest}?tag=one`, manifest), { status: 201, headers: { 'oci-tag': 'one' } });
    await exchange(admin, put('m/app', manifest.digest, manifest), { status: 201, headers: { 'oci-tag': undefined } });
  });

  it('lists every missing blob and child in an error of its own', async () => {
    const manifest = manifestOf(
      imageManifest({ config: descriptor(digestOf('no config')), layers: [LAYERS[0], descriptor(ABSENT), descriptor(ABSENT)] }),
    );
    const refused = await exchange(registry().admin, put('m/app', 'missing', manifest), {
      status: 400,
      code: 'MANIFEST_BLOB_UNKNOWN',
    });
    expect(errorsOf(refused).map(({ code, detail }) => [code, detail])).to.deep.equal([
      ['MANIFEST_BLOB_UNKNOWN', { digest: digestOf('no config'), role: 'config' }],
      ['MANIFEST_BLOB_UNKNOWN', { digest: ABSENT, role: 'layer' }],
    ]);
    const index = manifestOf(
      { schemaVersion: 2, mediaType: OCI_INDEX, manifests: [descriptor(ABSENT), descriptor(IMAGE.manifest.digest)] },
      OCI_INDEX,
    );
    await exchange(registry().admin, put('m/app', 'missing', index), {
      status: 400,
      code: 'MANIFEST_BLOB_UNKNOWN',
      detail: { digest: ABSENT, role: 'manifest' },
    });
    await exchange(registry().admin, ['GET', '/v2/m/app/manifests/missing'], { status: 404, code: 'MANIFEST_UNKNOWN' });
  });

  it('does not take what another repository has', async () => {
    const before = await registry().head();
    await exchange(registry().admin, put('m/other', 'latest', IMAGE.manifest), { status: 400, code: 'MANIFEST_BLOB_UNKNOWN' });
    expect(await registry().head()).to.equal(before);
    await exchange(registry().admin, ['GET', '/v2/m/other/tags/list'], { status: 404, code: 'NAME_UNKNOWN' });
  });

  it('takes an index and its images in the order in which clients push them', async () => {
    const images = ['amd64', 'arm64'].map((architecture) =>
      imageOf([tarOf({ a: architecture })], { platform: { architecture, os: 'linux' } }),
    );
    const index = indexOf(images);
    await exchange(registry().admin, put('m/multi', 'latest', index.manifest), { status: 400, code: 'MANIFEST_BLOB_UNKNOWN' });
    for (const image of images) await pushImage(registry().admin, 'm/multi', image.manifest.digest, image);
    await pushManifest(registry().admin, 'm/multi', 'latest', index.manifest);
    await exchange(registry().admin, ['GET', '/v2/m/multi/manifests/latest'], {
      status: 200,
      headers: { 'content-type': OCI_INDEX },
      bytes: index.manifest.bytes,
    });
  });

  it('is durable for those who pushed at once: different tags, the same tag, the same manifest', async () => {
    const { admin } = registry();
    const manifests = Array.from({ length: 20 }, (_, n) =>
      manifestOf(imageManifest({ annotations: { n: `at once ${n % 10}` } })),
    );
    const pushes = manifests.flatMap((manifest, n) => [
      put('m/app', `once-${n}`, manifest),
      put('m/app', 'fought-over', manifest),
    ]);
    await Promise.all(pushes.map((push) => exchange(admin, push, { status: 201 })));
    for (const [n, { bytes }] of manifests.entries())
      await exchange(admin, ['GET', `/v2/m/app/manifests/once-${n}`], { status: 200, bytes });
    const { headers } = await exchange(admin, ['HEAD', '/v2/m/app/manifests/fought-over'], { status: 200 });
    expect(manifests.map(({ digest }) => digest)).to.contain(headers['docker-content-digest']);
  });

  it('takes any artifact type that a client writes, also one that is no well-formed text', async () => {
    for (const artifactType of ['x'.repeat(254), `${'x'.repeat(254)}🐳`, 'é', '\u0000', '\ud800']) {
      const manifest = manifestOf(imageManifest({ artifactType }));
      await exchange(registry().admin, put('m/app', 'typed-artifact', manifest), stored(manifest));
    }
  });
});
