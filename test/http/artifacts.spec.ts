import { expect } from 'chai';
import { registryFor } from '../support/app.ts';
import { pushBlob, pushImage } from '../support/http.ts';
import {
  DOCKER_MANIFEST,
  digestOf,
  type Manifest,
  OCI_CONFIG,
  OCI_INDEX,
  OCI_LAYER_GZIP,
  OCI_MANIFEST,
} from '../support/images.ts';
import { errorsOf, exchange, jsonOf } from './exchanges.ts';
import { ABSENT, CONFIG, descriptor, IMAGE, imageManifest, LAYERS, manifestOf, put, stored } from './manifestSamples.ts';

const DOCKER_LIST = 'application/vnd.docker.distribution.manifest.list.v2+json';
const ORAS_ARTIFACT = 'application/vnd.cncf.oras.artifact.manifest.v1+json';
const EMPTY_JSON = Buffer.from('{}');
/** OCI's empty descriptor. */
const EMPTY = { mediaType: 'application/vnd.oci.empty.v1+json', digest: digestOf(EMPTY_JSON), size: 2, data: 'e30=' };
const of = (part: object | undefined, mediaType: string, more: object = {}): object => ({ ...part, mediaType, ...more });
const [FIRST, SECOND, THIRD] = LAYERS;
const CHILD = { mediaType: OCI_MANIFEST, digest: IMAGE.manifest.digest, size: IMAGE.manifest.bytes.length };

/** What well-known tools push, by what is particular about it. */
const PUSHED: Readonly<Record<string, Manifest>> = {
  'a chart of helm, which names no media type of its own': manifestOf({
    schemaVersion: 2,
    config: of(CONFIG, 'application/vnd.cncf.helm.config.v1+json'),
    layers: [
      of(FIRST, 'application/vnd.cncf.helm.chart.content.v1.tar+gzip'),
      of(SECOND, 'application/vnd.cncf.helm.chart.provenance.v1.prov'),
    ],
    annotations: { 'org.opencontainers.image.created': '2026-01-01T00:00:00Z' },
  }),
  'a file of ORAS, whose config is empty': manifestOf(
    imageManifest({ artifactType: 'application/vnd.unknown.artifact.v1', config: EMPTY, layers: [of(FIRST, 'text/plain')] }),
  ),
  'an attachment of ORAS without any file, whose only layer is empty as well': manifestOf(
    imageManifest({ artifactType: 'example/note', config: EMPTY, layers: [EMPTY], subject: CHILD, annotations: { a: 'b' } }),
  ),
  'an artifact of the first ORAS': manifestOf(
    { mediaType: ORAS_ARTIFACT, artifactType: 'example/sbom', blobs: [of(FIRST, 'text/json')], subject: CHILD },
    ORAS_ARTIFACT,
  ),
  'a signature of cosign': manifestOf(
    imageManifest({
      config: of(CONFIG, OCI_CONFIG),
      layers: [
        of(FIRST, 'application/vnd.dev.cosign.simplesigning.v1+json', {
          annotations: { 'dev.cosignproject.cosign/signature': 'MEUCIQ==' },
        }),
      ],
    }),
  ),
  'a signature of cosign as a bundle': manifestOf(
    imageManifest({
      artifactType: 'application/vnd.dev.sigstore.bundle.v0.3+json',
      config: EMPTY,
      layers: [of(FIRST, 'application/vnd.dev.sigstore.bundle.v0.3+json')],
      subject: CHILD,
    }),
  ),
  'a cache of buildkit: an index of layers and a config': manifestOf(
    {
      schemaVersion: 2,
      mediaType: OCI_INDEX,
      manifests: [
        of(FIRST, OCI_LAYER_GZIP, { annotations: { 'containerd.io/uncompressed': ABSENT } }),
        of(SECOND, OCI_LAYER_GZIP),
        of(CONFIG, 'application/vnd.buildkit.cacheconfig.v0'),
      ],
    },
    OCI_INDEX,
  ),
  'a cache of buildkit as a manifest list': manifestOf(
    {
      schemaVersion: 2,
      mediaType: DOCKER_LIST,
      manifests: [
        of(FIRST, 'application/vnd.docker.image.rootfs.diff.tar.gzip'),
        of(CONFIG, 'application/vnd.buildkit.cacheconfig.v0'),
      ],
    },
    DOCKER_LIST,
  ),
  'a cache of buildkit as an image': manifestOf(
    imageManifest({ config: of(CONFIG, 'application/vnd.buildkit.cacheconfig.v0'), layers: [of(FIRST, OCI_LAYER_GZIP)] }),
  ),
  'an index of buildx with the attestation of an unknown platform': manifestOf(
    {
      schemaVersion: 2,
      mediaType: OCI_INDEX,
      manifests: [
        { ...CHILD, platform: { architecture: 'amd64', os: 'linux' } },
        {
          ...CHILD,
          annotations: {
            'vnd.docker.reference.digest': IMAGE.manifest.digest,
            'vnd.docker.reference.type': 'attestation-manifest',
          },
          platform: { architecture: 'unknown', os: 'unknown' },
        },
      ],
    },
    OCI_INDEX,
  ),
  'an attestation of buildkit': manifestOf(
    imageManifest({
      layers: [
        of(FIRST, 'application/vnd.in-toto+json', { annotations: { 'in-toto.io/predicate-type': 'https://spdx.dev/Document' } }),
      ],
    }),
  ),
  'an index without platforms, of an index': manifestOf(
    { schemaVersion: 2, mediaType: OCI_INDEX, manifests: [{ ...CHILD, mediaType: OCI_INDEX }] },
    OCI_INDEX,
  ),
  'layers of estargz and zstd:chunked': manifestOf(
    imageManifest({
      layers: [
        of(FIRST, OCI_LAYER_GZIP, { annotations: { 'containerd.io/snapshot/stargz/toc.digest': ABSENT } }),
        of(SECOND, 'application/vnd.oci.image.layer.v1.tar+zstd', {
          annotations: { 'io.github.containers.zstd-chunked.manifest-position': '1:2:3:1' },
        }),
      ],
    }),
  ),
  'encrypted layers': manifestOf(imageManifest({ layers: [of(FIRST, 'application/vnd.oci.image.layer.v1.tar+gzip+encrypted')] })),
  'a module of WebAssembly': manifestOf(
    imageManifest({ config: of(CONFIG, 'application/vnd.wasm.config.v0+json'), layers: [of(FIRST, 'application/wasm')] }),
  ),
  'the same layer several times': manifestOf(imageManifest({ layers: [FIRST, SECOND, FIRST, FIRST, THIRD] })),
  'a config that is a layer, too': manifestOf(imageManifest({ layers: [CONFIG] })),
  'an image of Go without layers: null': manifestOf(imageManifest({ layers: null })),
  'an index of Go without manifests: null': manifestOf({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: null }, OCI_INDEX),
  'a base layer of Windows, which is elsewhere': manifestOf(
    imageManifest({
      mediaType: DOCKER_MANIFEST,
      layers: [
        of(descriptor(ABSENT), 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip', {
          urls: ['https://example.com/base'],
        }),
        FIRST,
      ],
    }),
    DOCKER_MANIFEST,
  ),
  'a layer that may not be distributed, which nobody has uploaded': manifestOf(
    imageManifest({ layers: [of(descriptor(ABSENT), 'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip')] }),
  ),
};

describe('PUT of what tools push', () => {
  const registry = registryFor();

  before(async () => {
    const { admin } = registry();
    await pushImage(admin, 'm/app', 'before', IMAGE);
    await pushBlob(admin, 'm/app', { digest: EMPTY.digest, bytes: EMPTY_JSON, mediaType: '' });
  });

  for (const [index, [what, manifest]] of Object.entries(PUSHED).entries())
    it(`takes ${what}, and gives it back as it was`, async () => {
      const { admin } = registry();
      await exchange(admin, put('m/app', `tool-${index}`, manifest), stored(manifest));
      await exchange(admin, ['GET', `/v2/m/app/manifests/tool-${index}`], {
        status: 200,
        headers: { 'content-type': manifest.mediaType, 'docker-content-digest': manifest.digest },
        bytes: manifest.bytes,
      });
    });

  it('refuses what is only inlined: without the manifest nobody could have it', async () => {
    const note = { mediaType: 'text/plain', digest: digestOf('hello'), size: 5, data: Buffer.from('hello').toString('base64') };
    for (const [role, fields] of [
      ['config', { config: note }],
      ['layer', { layers: [note] }],
    ] as const)
      await exchange(registry().admin, put('m/app', 'inlined', manifestOf(imageManifest(fields))), {
        status: 400,
        code: 'MANIFEST_BLOB_UNKNOWN',
        detail: { digest: note.digest, role },
      });
  });

  it('names each missing part of a cache', async () => {
    const absent = ['one', 'two'].map((text) => of(descriptor(digestOf(text)), OCI_LAYER_GZIP));
    const cache = manifestOf({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: [absent[0], FIRST, absent[1]] }, OCI_INDEX);
    const refused = await exchange(registry().admin, put('m/app', 'cache', cache), {
      status: 400,
      code: 'MANIFEST_BLOB_UNKNOWN',
    });
    expect(errorsOf(refused).map(({ detail }) => detail.digest)).to.deep.equal(['one', 'two'].map((text) => digestOf(text)));
  });

  it('takes the tags by which clients find referrers where registries do not list them, as any others', async () => {
    const { admin } = registry();
    const list = manifestOf({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: [CHILD] }, OCI_INDEX);
    const tags = [IMAGE.manifest.digest.replace(':', '-'), `${IMAGE.manifest.digest.replace(':', '-')}.sig`];
    for (const tag of tags) {
      await exchange(admin, put('m/app', tag, list), stored(list));
      await exchange(admin, ['GET', `/v2/m/app/manifests/${tag}`], { status: 200, bytes: list.bytes });
    }
    const { tags: listed } = jsonOf(await exchange(admin, ['GET', '/v2/m/app/tags/list'], { status: 200 }));
    expect(listed).to.include.members(tags);
    await exchange(admin, ['DELETE', `/v2/m/app/manifests/${tags[0]}`], { status: 202 });
    await exchange(admin, ['GET', `/v2/m/app/manifests/${tags[1]}`], { status: 200 });
  });
});
