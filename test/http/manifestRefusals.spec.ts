import { Readable } from 'node:stream';
import { expect } from 'chai';
import { registryFor } from '../support/app.ts';
import { pushImage } from '../support/http.ts';
import { DOCKER_MANIFEST, digestOf, type Manifest, OCI_INDEX, OCI_MANIFEST } from '../support/images.ts';
import { type Exchange, exchange, exchanges } from './exchanges.ts';
import { ABSENT, CONFIG, descriptor, IMAGE, imageManifest, LAYERS, put, stored, written } from './manifestSamples.ts';

const MIB = 1024 * 1024;

describe('PUT of a manifest', () => {
  const registry = registryFor();

  before(() => pushImage(registry().admin, 'm/app', 'before', IMAGE));

  describe('refuses what is no manifest, and says where', () => {
    const bad = (manifest: Manifest, contentType: string | undefined): Exchange['send'] =>
      contentType === ''
        ? ['PUT', '/v2/m/app/manifests/bad', { body: manifest.bytes }]
        : put('m/app', 'bad', manifest, contentType ?? manifest.mediaType);
    const json = (value: unknown): Manifest => written(JSON.stringify(value), OCI_MANIFEST);
    const invalid: readonly (readonly [what: string, manifest: Manifest, message: string | RegExp, contentType?: string])[] = [
      ['nothing', written('', OCI_MANIFEST), 'is not JSON'],
      ['text', written('hello', OCI_MANIFEST), 'is not JSON'],
      ['JSON behind a byte order mark', written(`\ufeff${JSON.stringify(imageManifest())}`, OCI_MANIFEST), 'is not JSON'],
      ['JSON that is cut off', written('{"schemaVersion":2', OCI_MANIFEST), 'is not JSON'],
      [
        'bytes that are not UTF-8',
        { ...json({}), bytes: Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]) },
        'is not JSON',
      ],
      ['a list', json([]), 'is not a JSON object'],
      ['null', json(null), 'is not a JSON object'],
      ['no version', json({ config: CONFIG, layers: [] }), 'schemaVersion is not 2'],
      ['a version as text', json(imageManifest({ schemaVersion: '2' })), 'schemaVersion is not 2'],
      ['schema 1', json({ schemaVersion: 1 }), 'schemaVersion is not 2'],
      [
        'docker’s schema 1 by its type',
        written('{"schemaVersion":2}', 'application/vnd.docker.distribution.manifest.v1+prettyjws'),
        'mediaType is of schema 1',
      ],
      [
        'another type than it was sent as',
        json(imageManifest()),
        /mediaType is .*image\.manifest.*sent as .*docker/,
        DOCKER_MANIFEST,
      ],
      ['a type that is no text', json(imageManifest({ mediaType: 5 })), 'mediaType is not a text'],
      ['no type at all', json({ schemaVersion: 2, config: CONFIG, layers: [] }), 'has no media type', ''],
      ['no config', json({ schemaVersion: 2, layers: [] }), 'config is not a descriptor'],
      ['no layers', json({ schemaVersion: 2, config: CONFIG }), 'layers is not a list'],
      ['layers that are no list', json(imageManifest({ layers: {} })), 'layers is not a list'],
      ['a layer that is no descriptor', json(imageManifest({ layers: [LAYERS[0], 'x'] })), 'layers[1] is not a descriptor'],
      ['a layer without a digest', json(imageManifest({ layers: [{ size: 1 }] })), 'layers[0].digest'],
      ['a digest that is none', json(imageManifest({ config: descriptor('sha256:abc') })), 'config.digest'],
      ['a digest of another algorithm', json(imageManifest({ config: descriptor(`md5:${'a'.repeat(32)}`) })), 'config.digest'],
      ['a layer without a size', json(imageManifest({ layers: [{ digest: ABSENT }] })), 'layers[0].size'],
      ['a negative size', json(imageManifest({ layers: [descriptor(ABSENT, -1)] })), 'layers[0].size'],
      ['a size with a fraction', json(imageManifest({ layers: [descriptor(ABSENT, 1.5)] })), 'layers[0].size'],
      [
        'a size beyond every number',
        written(JSON.stringify(imageManifest()).replace(/"size":\d+/, '"size":1e99'), OCI_MANIFEST),
        'config.size',
      ],
      ['a subject that is no descriptor', json(imageManifest({ subject: ABSENT })), 'subject is not a descriptor'],
      ['urls that are no list', json(imageManifest({ layers: [{ ...descriptor(ABSENT), urls: 'x' }] })), 'layers[0].urls'],
      ['an artifact type that is no text', json(imageManifest({ artifactType: {} })), 'artifactType is not a text'],
      [
        'an index without manifests',
        { ...json({ schemaVersion: 2, mediaType: OCI_INDEX }), mediaType: OCI_INDEX },
        'manifests is not a list',
      ],
      [
        'more references than an event holds',
        json(imageManifest({ layers: Array.from({ length: 4001 }, (_, index) => descriptor(digestOf(String(index)))) })),
        'more than 4000',
      ],
    ];
    exchanges(
      registry,
      invalid.map(([what, manifest, message, contentType]) => ({
        it: what,
        send: bad(manifest, contentType),
        gets: { status: 400, code: 'MANIFEST_INVALID', message },
      })),
    );

    it('and stores nothing of it', async () => {
      const before = await registry().head();
      for (const [, manifest, , contentType] of invalid) await registry().admin.send(...bad(manifest, contentType));
      expect(await registry().head()).to.equal(before);
      await exchange(registry().admin, ['GET', '/v2/m/app/manifests/bad'], { status: 404 });
    });
  });

  describe('refuses what it cannot be called', () => {
    const longTag = 'x'.repeat(129);
    exchanges(registry, [
      ...['.dot', '-dash', longTag, 'sp%20ace', '%C3%A9', 'x'.repeat(5000)].map((tag) => ({
        it: `the tag ${tag.slice(0, 20)} (${tag.length})`,
        send: put('m/app', tag, IMAGE.manifest),
        gets: { status: 400, code: 'MANIFEST_INVALID' } as const,
      })),
      ...['sha256:abc', 'sha257:abc', 'a:b', ':', IMAGE.manifest.digest.toUpperCase()].map((digest) => ({
        it: `the digest ${digest.slice(0, 20)} (${digest.length})`,
        send: put('m/app', digest, IMAGE.manifest),
        gets: { status: 400, code: 'DIGEST_INVALID' } as const,
      })),
      {
        it: 'a digest that its bytes do not hash to',
        send: put('m/app', ABSENT, IMAGE.manifest),
        gets: { status: 400, code: 'DIGEST_INVALID', detail: { digest: ABSENT, actual: IMAGE.manifest.digest } },
      },
      {
        it: 'a tag in the query that is none',
        send: put('m/app', `${IMAGE.manifest.digest}?tag=ok&tag=-not`, IMAGE.manifest),
        gets: { status: 400, code: 'MANIFEST_INVALID' },
      },
      {
        it: 'more tags at once than are allowed',
        send: put(
          'm/app',
          `${IMAGE.manifest.digest}?${Array.from({ length: 101 }, (_, n) => `tag=t${n}`).join('&')}`,
          IMAGE.manifest,
        ),
        gets: { status: 414, code: 'MANIFEST_INVALID', detail: { tags: 101, most: 100 } },
      },
      {
        it: 'a type that is none',
        send: put('m/app', 'latest', IMAGE.manifest, 'nonsense'),
        gets: { status: 400 },
      },
      {
        it: 'a repository that cannot be called so',
        send: put('M/App', 'latest', IMAGE.manifest),
        gets: { status: 400, code: 'NAME_INVALID' },
      },
    ]);
    it('takes the longest tag, and every kind of character', async () => {
      for (const tag of ['x'.repeat(128), '_', '0', 'A.b-C_d', 'list', 'uploads', 'latest..', 'V1.0-rc.1'])
        await exchange(registry().admin, put('m/app', tag, IMAGE.manifest), { status: 201 });
    });
  });

  describe('of 4 MiB', () => {
    const sized = (size: number): Manifest => {
      const empty = JSON.stringify(imageManifest({ annotations: { padding: '' } }));
      const padding = 'x'.repeat(size - empty.length);
      return written(empty.replace('"padding":""', `"padding":"${padding}"`), OCI_MANIFEST);
    };
    const TOO_LARGE = { status: 413, code: 'MANIFEST_INVALID', detail: { largest: 4 * MIB } } as const;

    it('is stored and given back', async () => {
      const manifest = sized(4 * MIB);
      await exchange(registry().admin, put('m/app', 'large', manifest), stored(manifest));
      await exchange(registry().admin, ['GET', '/v2/m/app/manifests/large'], { status: 200, bytes: manifest.bytes });
    });

    it('and one byte more is refused, announced or not', async () => {
      const manifest = sized(4 * MIB + 1);
      await exchange(registry().admin, put('m/app', 'larger', manifest), TOO_LARGE);
      const pieces = Array.from({ length: 65 }, (_, index) => manifest.bytes.subarray(index * 65536, (index + 1) * 65536));
      const streamed = { body: Readable.from(pieces), headers: { 'content-type': OCI_MANIFEST } };
      await exchange(registry().admin, ['PUT', '/v2/m/app/manifests/larger', streamed], TOO_LARGE);
      await exchange(registry().admin, ['GET', '/v2/m/app/manifests/larger'], { status: 404 });
    });

    it('is taken in chunks as well', async () => {
      const { bytes, digest } = sized(MIB);
      const body = Readable.from([bytes.subarray(0, 1000), bytes.subarray(1000)]);
      const sending = { body, headers: { 'content-type': OCI_MANIFEST } };
      await exchange(registry().admin, ['PUT', '/v2/m/app/manifests/chunks', sending], stored({ digest, bytes, mediaType: '' }));
    });
  });
});
