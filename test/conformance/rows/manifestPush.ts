import { DOCKER_MANIFEST, digestOf, type Manifest, OCI_INDEX, OCI_LAYER, OCI_MANIFEST } from '../../support/images.ts';
import { absent, alsoAs, blob, descriptor, image, index, manifest, missing, written } from '../content.ts';
import { isList, pushBlob, pushed, put, putting } from '../pushing.ts';
import { type Exchange, gets, type Row, refused, row, type Step, send } from '../row.ts';

const IMAGE = image('a manifest', { layers: 2 });
const MANIFEST = IMAGE.manifest;
const BLOBS: readonly Step[] = IMAGE.blobs.flatMap((one) => pushBlob(one));
const [CONFIG, LAYER] = IMAGE.blobs.map((one) => descriptor(one));

const found = ({ bytes, mediaType, digest }: Manifest, reference = digest): Exchange =>
  send(`GET /v2/{repo}/manifests/${reference}`, gets(200, { 'content-type': mediaType }, { body: bytes }));

const imageWith = (fields: object, mediaType?: string): Manifest =>
  manifest({ schemaVersion: 2, mediaType: OCI_MANIFEST, config: CONFIG, layers: [LAYER], ...fields }, mediaType);

const PUT = 'Push: manifests, PUT by tag or digest → 201';

const puts: readonly Row[] = [
  ...[
    ['by tag', 'v1', MANIFEST] as const,
    ['by its sha256 digest', MANIFEST.digest, MANIFEST] as const,
    ['by its sha512 digest', alsoAs(MANIFEST, 'sha512').digest, alsoAs(MANIFEST, 'sha512')] as const,
  ].map(([what, reference, one]) =>
    row(PUT, '1.1', `${what}: with a Location that leads to it`, [
      BLOBS,
      put(one, gets(201, { location: /./ }), { reference }),
      send('GET {location}', gets(200, {}, { body: one.bytes })),
      found(one, reference),
    ]),
  ),
  row(PUT, 'dev', 'Docker-Content-Digest', [
    BLOBS,
    put(MANIFEST, gets(201, { 'docker-content-digest': MANIFEST.digest }), { reference: 'v1' }),
    put(MANIFEST, gets(201, { 'docker-content-digest': MANIFEST.digest })),
  ]),
  row(PUT, '1.1', 'a tag moves to what was pushed last', [
    pushed(IMAGE, 'v1'),
    pushed(image('pushed later'), 'v1'),
    found(image('pushed later').manifest, 'v1'),
    found(MANIFEST),
  ]),
  row(PUT, '1.1', 'the same once more', [
    pushed(IMAGE, 'v1'),
    put(MANIFEST, gets(201), { reference: 'v1' }),
    found(MANIFEST, 'v1'),
  ]),
  row(PUT, '1.1', 'the exact bytes are kept, whatever their spelling', [
    BLOBS,
    put(written(`  ${JSON.stringify(JSON.parse(MANIFEST.bytes.toString()), undefined, 3)}\n\n`, OCI_MANIFEST), gets(201), {
      reference: 'v1',
    }),
    found(written(`  ${JSON.stringify(JSON.parse(MANIFEST.bytes.toString()), undefined, 3)}\n\n`, OCI_MANIFEST), 'v1'),
  ]),
  ...(['sha256', 'sha512'] as const).map((algorithm) =>
    row(
      'Push: manifests, PUT by a digest that does not match → DIGEST_INVALID',
      '1.1',
      `of ${algorithm}, and nothing is stored`,
      [
        BLOBS,
        put(MANIFEST, refused(400, 'DIGEST_INVALID'), { reference: absent('manifest', algorithm) }),
        send(`GET /v2/{repo}/manifests/${absent('manifest', algorithm)}`, refused(404, ['MANIFEST_UNKNOWN', 'NAME_UNKNOWN'])),
        send(`GET /v2/{repo}/manifests/${MANIFEST.digest}`, refused(404, ['MANIFEST_UNKNOWN', 'NAME_UNKNOWN'])),
      ],
    ),
  ),
];

const SUBJECT = 'Push: manifests, subject → OCI-Subject';
const ofSubject = (name: string, subject: object) => image(name, { fields: { subject } });
const subjects: readonly Row[] = [
  row(SUBJECT, '1.1', 'that exists', [
    pushed(IMAGE),
    ofSubject('refers', descriptor(MANIFEST)).blobs.flatMap((one) => pushBlob(one)),
    put(ofSubject('refers', descriptor(MANIFEST)).manifest, gets(201, { 'oci-subject': MANIFEST.digest })),
  ]),
  ...(['sha256', 'sha512'] as const).map((algorithm) => {
    const { manifest: one, blobs } = ofSubject(`refers to nothing ${algorithm}`, missing('subject', algorithm));
    return row(SUBJECT, '1.1', `that does not exist (${algorithm})`, [
      blobs.flatMap((layer) => pushBlob(layer)),
      put(one, gets(201, { 'oci-subject': absent('subject', algorithm) })),
      put(one, gets(201, { 'oci-subject': absent('subject', algorithm) }), { reference: 'v1' }),
    ]);
  }),
  row(SUBJECT, '1.1', 'of an index', [
    pushed(IMAGE),
    put(
      index('refers', [descriptor(MANIFEST)], { subject: missing('subject') }),
      gets(201, { 'oci-subject': absent('subject') }),
    ),
  ]),
  row(SUBJECT, '1.1', 'no subject, no header', [BLOBS, put(MANIFEST, gets(201, { 'oci-subject': null }))]),
];

const listOf = (count: number): readonly string[] =>
  Array.from({ length: count }, (_, number) => `t${String(number).padStart(2, '0')}`);

const tagged = (one: Manifest, tags: readonly string[], expected: Exchange['expected'], reference = one.digest): Exchange => ({
  ...send(`PUT /v2/{repo}/manifests/${reference}`, expected, { ...putting(one), query: { tag: tags } }),
});

/** A header for each, or all in one: what Node joins and what was joined already read the same. */
const allTags = (tags: readonly string[]) =>
  gets(
    201,
    {},
    {
      check: ({ headers }) =>
        isList(
          String(headers['oci-tag'] ?? '')
            .split(',')
            .map((tag) => tag.trim())
            .toSorted(),
          tags.toSorted(),
        ),
    },
  );
const WITHOUT: Exchange['unless'] = { 405: 'it does not take tags with a digest' };

const TAGS = 'Push: manifests, ?tag=&tag= → OCI-Tag';
const tags: readonly Row[] = [
  ...[1, 2, 10].map((count) =>
    row(TAGS, 'dev', `${count} with a digest`, [
      BLOBS,
      { ...tagged(MANIFEST, listOf(count), [allTags(listOf(count))]), unless: WITHOUT as never },
      listOf(count).map((tag) => found(MANIFEST, tag)),
      found(MANIFEST),
    ]),
  ),
  row(TAGS, 'dev', 'with a sha512 digest', [
    BLOBS,
    tagged(alsoAs(MANIFEST, 'sha512'), ['a', 'b'], [allTags(['a', 'b'])]),
    found(alsoAs(MANIFEST, 'sha512'), 'b'),
  ]),
  row(TAGS, 'dev', 'one that is no tag: 400, and none is set', [
    BLOBS,
    tagged(MANIFEST, ['good', '.bad'], [gets(400)]),
    send('GET /v2/{repo}/manifests/good', refused(404, ['MANIFEST_UNKNOWN', 'NAME_UNKNOWN'])),
  ]),
  row(TAGS, 'dev', 'move what they pointed at', [
    pushed(image('before'), 'a'),
    BLOBS,
    tagged(MANIFEST, ['a', 'b'], [allTags(['a', 'b'])]),
    found(MANIFEST, 'a'),
  ]),
  row('Push: manifests, ?tag= over the limit → 414', 'dev', '1,000 tags, taken or refused, and none is set if refused', [
    BLOBS,
    {
      does: 'sets a thousand tags at once',
      run: async (ask) => {
        const { status } = await ask(tagged(MANIFEST, listOf(1000), [gets(201), { status: [414, 431] }]));
        const tag = status === 201 ? gets(200) : { status: 404 };
        await ask(send('GET /v2/{repo}/manifests/t00', tag));
      },
    },
  ]),
];

const MISSING = 'Push: manifests, what the repository does not have → MANIFEST_BLOB_UNKNOWN';
const UNKNOWN = ['MANIFEST_BLOB_UNKNOWN'] as const;

/** One error a missing digest, each with its digest in `detail`. */
const lacks = (...digests: readonly string[]) => ({
  ...refused([400, 404], UNKNOWN),
  // biome-ignore lint/suspicious/noExplicitAny: whatever the registry sent
  json: ({ errors }: any) =>
    isList(
      errors.map(({ detail }: { detail: unknown }) => /sha(256|512):[0-9a-f]+/.exec(JSON.stringify(detail))?.[0]).toSorted(),
      digests.toSorted(),
    ),
});

const missings: readonly Row[] = [
  row(MISSING, '1.1', 'a layer', [BLOBS, put(imageWith({ layers: [LAYER, missing('layer')] }), lacks(absent('layer')))]),
  row(MISSING, '1.1', 'a config', [BLOBS, put(imageWith({ config: missing('config') }), lacks(absent('config')))]),
  row(MISSING, '1.1', 'several, of both algorithms: an error each', [
    BLOBS,
    put(
      imageWith({ config: missing('config'), layers: [missing('one'), LAYER, missing('two', 'sha512'), missing('one')] }),
      lacks(absent('config'), absent('one'), absent('two', 'sha512')),
    ),
  ]),
  row(MISSING, '1.1', 'a blob of another repository', [
    IMAGE.blobs.flatMap((one) => pushBlob(one, '{other}')),
    pushBlob(blob('only this')),
    put(MANIFEST, lacks(...IMAGE.blobs.map(({ digest }) => digest))),
  ]),
  row(MISSING, '1.1', 'and the tag is not set', [
    BLOBS,
    put(imageWith({ layers: [missing('layer')] }), refused([400, 404], UNKNOWN), { reference: 'v1' }),
    send('GET /v2/{repo}/manifests/v1', refused(404, ['MANIFEST_UNKNOWN', 'NAME_UNKNOWN'])),
  ]),
  row('Push: manifests, descriptors with urls need not exist', '1.1', 'foreign layers of docker and OCI', [
    BLOBS,
    [
      'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip',
      'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip',
    ].map((mediaType) =>
      put(imageWith({ layers: [LAYER, { ...missing('foreign'), mediaType, urls: ['https://example.com/layer'] }] })),
    ),
  ]),
  row('Push: manifests, an index with children missing', '1.1', 'is refused, or taken where a setting says so', [
    pushed(IMAGE),
    put(index('sparse', [descriptor(MANIFEST), { ...missing('child'), mediaType: OCI_MANIFEST }]), [
      lacks(absent('child')),
      gets(201),
    ]),
  ]),
  row('Push: manifests, an index with children missing', '1.1', 'one whose children are there is taken', [
    pushed(IMAGE),
    put(index('whole', [descriptor(MANIFEST)])),
    put(index('nested', [descriptor(index('whole', [descriptor(MANIFEST)]))])),
  ]),
  row('Push: manifests, data in a descriptor does not excuse a missing blob', '1.1', 'of a config', [
    pushBlob(blob('a layer', 50)),
    put(
      manifest({
        schemaVersion: 2,
        mediaType: OCI_MANIFEST,
        config: { mediaType: 'application/vnd.oci.empty.v1+json', digest: digestOf('{} '), size: 3, data: 'e30g' },
        layers: [descriptor(blob('a layer', 50))],
      }),
      lacks(digestOf('{} ')),
    ),
  ]),
];

const INVALID = refused(400, 'MANIFEST_INVALID');
const withMessage = {
  ...INVALID,
  // biome-ignore lint/suspicious/noExplicitAny: whatever the registry sent
  json: ({ errors }: any) => !(errors[0].message?.length > 0) && 'the error has no message',
};

const MALFORMED: readonly (readonly [what: string, one: Manifest])[] = [
  ['no JSON', written('{"schemaVersion": 2,', OCI_MANIFEST)],
  ['nothing', written('', OCI_MANIFEST)],
  ['a list', written('[]', OCI_MANIFEST)],
  ['text', written('"manifest"', OCI_MANIFEST)],
  ['bytes that are no UTF-8', { ...written('', OCI_MANIFEST), bytes: Buffer.from([0x7b, 0xff, 0xfe, 0x7d]) }],
  ['no schemaVersion', imageWith({ schemaVersion: undefined })],
  ['schemaVersion as text', imageWith({ schemaVersion: '2' })],
  ['mediaType other than Content-Type', imageWith({ mediaType: OCI_INDEX }, OCI_MANIFEST)],
  ['Content-Type other than mediaType', imageWith({}, OCI_INDEX)],
  ['layers that are no list', imageWith({ layers: {} })],
  ['a layer without a digest', imageWith({ layers: [{ ...LAYER, digest: undefined }] })],
  ['a layer whose digest is none', imageWith({ layers: [{ ...LAYER, digest: 'sha256:none' }] })],
  ['a layer without a size', imageWith({ layers: [{ ...LAYER, size: undefined }] })],
  ['a layer with a negative size', imageWith({ layers: [{ ...LAYER, size: -1 }] })],
  ['no config', imageWith({ config: undefined })],
  ['a subject that is no descriptor', imageWith({ subject: 'sha256:none' })],
  ['an index whose manifests are no list', manifest({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: 'none' }, OCI_INDEX)],
];

const malformed: readonly Row[] = MALFORMED.map(([what, one]) =>
  row('Push: manifests, malformed → MANIFEST_INVALID', '1.1', what, [
    BLOBS,
    send('PUT /v2/{repo}/manifests/v1', withMessage, putting(one)),
    send('GET /v2/{repo}/manifests/v1', refused(404, ['MANIFEST_UNKNOWN', 'NAME_UNKNOWN'])),
  ]),
);

const MIB4 = 4 * 1024 * 1024;
/** Of exactly so many bytes, by an annotation. */
const sized = (size: number): Manifest => {
  const bare = imageWith({ annotations: { filler: '' } });
  return imageWith({ annotations: { filler: 'x'.repeat(size - bare.bytes.length) } });
};

const FULL = sized(MIB4);

const V2_LIST = 'application/vnd.docker.distribution.manifest.list.v2+json';
const ARTIFACT = 'application/vnd.oci.artifact.manifest.v1+json';
const TYPES = 'Push: manifests, the media types of docker and OCI';
const UNUSUAL = 'application/vnd.example.unheard-of.v7+json';
const SCHEMA1 = 'application/vnd.docker.distribution.manifest.v1';

const types: readonly Row[] = [
  row(TYPES, '1.1', 'OCI image manifest', [pushed(IMAGE, 'v1'), found(MANIFEST, 'v1')]),
  row(TYPES, '1.1', 'OCI image manifest without mediaType in its body', [
    BLOBS,
    put(imageWith({ mediaType: undefined })),
    found(imageWith({ mediaType: undefined })),
  ]),
  row(TYPES, '1.1', 'OCI image index, nested and empty', [
    pushed(IMAGE),
    [
      index('inner', [descriptor(MANIFEST)]),
      index('outer', [descriptor(index('inner', [descriptor(MANIFEST)]))]),
      index('empty', []),
    ].flatMap((one) => [put(one), found(one)]),
  ]),
  row(TYPES, 'clients', 'docker manifest v2 and manifest list v2', [
    pushed(image('docker', { mediaType: DOCKER_MANIFEST })),
    put(
      manifest(
        {
          schemaVersion: 2,
          mediaType: V2_LIST,
          manifests: [descriptor(image('docker', { mediaType: DOCKER_MANIFEST }).manifest)],
        },
        V2_LIST,
      ),
      gets(201),
      { reference: 'v1' },
    ),
    found(
      manifest(
        {
          schemaVersion: 2,
          mediaType: V2_LIST,
          manifests: [descriptor(image('docker', { mediaType: DOCKER_MANIFEST }).manifest)],
        },
        V2_LIST,
      ),
      'v1',
    ),
  ]),
  row(TYPES, 'clients', 'OCI artifact manifest of older ORAS', [
    pushBlob(blob('artifact', 80)),
    put(
      manifest(
        { mediaType: ARTIFACT, artifactType: 'application/vnd.example', blobs: [descriptor(blob('artifact', 80))] },
        ARTIFACT,
      ),
      gets(201),
      { reference: 'v1' },
    ),
    send('GET /v2/{repo}/manifests/v1', gets(200, { 'content-type': ARTIFACT })),
  ]),
  row('Push: manifests, an unknown media type is stored as it is', 'clients', 'JSON with schemaVersion 2', [
    pushBlob(blob('so that the repository is there')),
    put(manifest({ schemaVersion: 2, mediaType: UNUSUAL, payload: [1, 2] }, UNUSUAL)),
    found(manifest({ schemaVersion: 2, mediaType: UNUSUAL, payload: [1, 2] }, UNUSUAL)),
  ]),
  row('Push: manifests, an unknown media type is stored as it is', 'clients', 'other JSON is refused', [
    put(manifest({ mediaType: UNUSUAL, payload: [1, 2] }, UNUSUAL), INVALID),
    put(written('[]', UNUSUAL), INVALID),
  ]),
  ...[`${SCHEMA1}+json`, `${SCHEMA1}+prettyjws`].map((type) =>
    row('Push: manifests, schema 1 → MANIFEST_INVALID', 'clients', type, [
      put(manifest({ schemaVersion: 1, name: 'a', tag: 'v1', architecture: 'amd64', fsLayers: [], history: [] }, type), INVALID),
    ]),
  ),
  row(TYPES, '1.1', 'annotations and fields that nobody knows are kept', [
    BLOBS,
    put(imageWith({ annotations: { a: 'b' }, 'org.example.custom': { deep: [1] } })),
    found(imageWith({ annotations: { a: 'b' }, 'org.example.custom': { deep: [1] } })),
  ]),
  row(TYPES, '1.1', 'an artifact with the empty config and no layers', [
    pushBlob({ bytes: Buffer.from('{}'), digest: digestOf('{}'), mediaType: OCI_LAYER }),
    put(
      imageWith({
        artifactType: 'application/vnd.example',
        config: { mediaType: 'application/vnd.oci.empty.v1+json', digest: digestOf('{}'), size: 2, data: 'e30=' },
        layers: [],
      }),
    ),
  ]),
  row('Push: manifests, 4 MiB accepted', '1.1', 'to the byte, and given back whole', [BLOBS, put(FULL), found(FULL)]),
  row('Push: manifests, over the limit → 413', '1.1', 'at some size above 4 MiB', [
    BLOBS,
    {
      does: 'pushes ever larger manifests until one is refused',
      run: async (ask) => {
        const sizes = [MIB4 + 1, 2 * MIB4, 8 * MIB4, 16 * MIB4];
        for (const size of sizes) {
          const last = size === sizes.at(-1);
          const taken = { unless: last ? { 201: 'it takes manifests of any size' } : {} };
          const { status } = await ask({ ...put(sized(size), [{ status: 413 }, ...(last ? [] : [gets(201)])]), ...taken });
          if (status === 413) return;
        }
      },
    },
  ]),
];

export const MANIFEST_PUSH: readonly Row[] = [...puts, ...subjects, ...tags, ...missings, ...malformed, ...types];
