import { registryFor } from '../support/app.ts';
import { pushBlob, pushImage, pushManifest } from '../support/http.ts';
import { DOCKER_MANIFEST, digestOf, noise, OCI_INDEX, OCI_MANIFEST } from '../support/images.ts';
import { exchange, exchanges } from './exchanges.ts';
import { ABSENT, IMAGE, imageManifest, manifestOf } from './manifestSamples.ts';

describe('GET of a manifest', () => {
  const registry = registryFor();
  const { digest, bytes } = IMAGE.manifest;
  const ETAG = `"${digest}"`;

  before(async () => {
    await pushImage(registry().admin, 'm/app', 'latest', IMAGE);
    await pushBlob(registry().admin, 'm/empty', { digest: digestOf('x'), bytes: Buffer.from('x'), mediaType: '' });
  });

  exchanges(registry, [
    ...['application/json', DOCKER_MANIFEST, 'text/html, */*;q=0.1', `${OCI_INDEX}, ${OCI_MANIFEST}`, ''].map((accept) => ({
      it: `never converts: Accept: ${accept === '' ? '(nothing)' : accept}`,
      send: ['GET', '/v2/m/app/manifests/latest', { headers: { accept } }] as const,
      gets: { status: 200, headers: { 'content-type': OCI_MANIFEST }, bytes },
    })),
    ...['GET', 'HEAD'].flatMap((method) => [
      {
        it: `answers ${method} with 304 to those who have it`,
        send: [method, '/v2/m/app/manifests/latest', { headers: { 'if-none-match': `"other", ${ETAG}` } }] as const,
        gets: { status: 304, headers: { etag: ETAG, 'docker-content-digest': digest } } as const,
      },
      {
        it: `answers ${method} in full to those who have another`,
        send: [method, '/v2/m/app/manifests/latest', { headers: { 'if-none-match': '"other"' } }] as const,
        gets: { status: 200, headers: { 'content-length': String(bytes.length) } } as const,
      },
    ]),
    {
      it: 'answers every other range with everything',
      send: ['GET', '/v2/m/app/manifests/latest', { headers: { range: 'bytes=0-9' } }],
      gets: { status: 200, bytes },
    },
    {
      it: 'ignores the namespace that a mirror’s client adds',
      send: ['GET', '/v2/m/app/manifests/latest?ns=docker.io'],
      gets: { status: 200, bytes, headers: { 'oci-namespace': undefined } },
    },
    {
      it: 'does not know a tag that was never pushed',
      send: ['GET', '/v2/m/app/manifests/other'],
      gets: { status: 404, code: 'MANIFEST_UNKNOWN', detail: { reference: 'other' } },
    },
    {
      it: 'does not know a digest that was never pushed',
      send: ['GET', `/v2/m/app/manifests/${ABSENT}`],
      gets: { status: 404, code: 'MANIFEST_UNKNOWN', detail: { reference: ABSENT } },
    },
    {
      it: 'does not take a blob for a manifest',
      send: ['GET', `/v2/m/app/manifests/${IMAGE.config.digest}`],
      gets: { status: 404, code: 'MANIFEST_UNKNOWN' },
    },
    {
      it: 'does not take a manifest for a blob',
      send: ['GET', `/v2/m/app/blobs/${digest}`],
      gets: { status: 404, code: 'BLOB_UNKNOWN' },
    },
    { it: 'does not know a tag in another case', send: ['GET', '/v2/m/app/manifests/LATEST'], gets: { status: 404 } },
    {
      it: 'does not know what another repository has',
      send: ['GET', `/v2/m/empty/manifests/${digest}`],
      gets: { status: 404, code: 'MANIFEST_UNKNOWN' },
    },
    {
      it: 'says so when it is the repository that does not exist',
      send: ['GET', '/v2/m/none/manifests/latest'],
      gets: { status: 404, code: 'NAME_UNKNOWN' },
    },
    ...['.dot', '-dash', 'x'.repeat(129), 'sp%20ace', '%C3%A9', 'x'.repeat(5000)].map((tag) => ({
      it: `does not know what no tag can be called: ${tag.slice(0, 20)} (${tag.length})`,
      send: ['GET', `/v2/m/app/manifests/${tag}`] as const,
      gets: { status: 404, code: 'MANIFEST_UNKNOWN' } as const,
    })),
    ...['sha256:abc', 'a:b', `${digest}00`].map((reference) => ({
      it: `refuses what is neither tag nor digest: ${reference.slice(0, 20)} (${reference.length})`,
      send: ['GET', `/v2/m/app/manifests/${reference}`] as const,
      gets: { status: 400, code: 'DIGEST_INVALID' } as const,
    })),
  ]);

  it('gives the same after the cache of its bytes has been filled with others', async () => {
    const { admin } = registry();
    const path = '/v2/m/app/manifests/latest';
    for (let turn = 0; turn < 3; turn += 1) await exchange(admin, ['GET', path], { status: 200, bytes });
    const padding = noise(1000, 'x').toString('hex');
    const other = manifestOf(imageManifest({ annotations: { padding } }));
    await pushManifest(admin, 'm/app', 'other-one', other);
    await exchange(admin, ['GET', '/v2/m/app/manifests/other-one'], { status: 200, bytes: other.bytes });
    await exchange(admin, ['GET', path], { status: 200, bytes });
  });
});
