import { expect } from 'chai';
import fc from 'fast-check';
import { RegistryError } from '../../src/errors.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { MOST_REFERENCES, type NamedContent, readManifest } from '../../src/oci/manifest.ts';
import { DOCKER_LIST, DOCKER_MANIFEST, OCI_ARTIFACT, OCI_INDEX, OCI_MANIFEST } from '../../src/oci/mediaTypes.ts';

type Json = Readonly<Record<string, unknown>>;

const bytes = (value: unknown): Uint8Array => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value));
const read = (value: unknown, contentType?: string) => readManifest(bytes(value), contentType);

const refusalOf = (value: unknown, contentType?: string): RegistryError => {
  try {
    read(value, contentType);
  } catch (error) {
    if (error instanceof RegistryError) return error;
    throw error;
  }
  throw new Error('It was not refused.');
};

const config = { mediaType: 'application/vnd.oci.image.config.v1+json', digest: digestOf('config'), size: 6 };
const layer = { mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', digest: digestOf('layer'), size: 5 };
const child = { mediaType: OCI_MANIFEST, digest: digestOf('child'), size: 7 };
const image = { schemaVersion: 2, mediaType: OCI_MANIFEST, config, layers: [layer] };
const index = { schemaVersion: 2, mediaType: OCI_INDEX, manifests: [child] };

const named = (
  { digest, size }: Readonly<{ digest: NamedContent['digest']; size: number }>,
  role: NamedContent['role'],
  mayBeMissing = false,
): NamedContent => ({ digest, size, role, mayBeMissing });

describe('an image manifest', () => {
  it('names its config and its layers, in this order', () => {
    expect(read(image)).to.deep.equal({
      mediaType: OCI_MANIFEST,
      artifactType: config.mediaType,
      references: [named(config, 'config'), named(layer, 'layer')],
    });
  });

  it("is read alike in docker's format", () => {
    expect(read({ ...image, mediaType: DOCKER_MANIFEST })).to.deep.include({
      mediaType: DOCKER_MANIFEST,
      references: [named(config, 'config'), named(layer, 'layer')],
    });
  });

  it('may have no layers', () => {
    expect(read({ ...image, layers: [] }).references).to.deep.equal([named(config, 'config')]);
  });

  it('may name content by sha512', () => {
    const long = { ...layer, digest: digestOf('layer', 'sha512') };
    expect(read({ ...image, layers: [long, layer] }).references.slice(1)).to.deep.equal([
      named(long, 'layer'),
      named(layer, 'layer'),
    ]);
  });

  it('names a layer once that stands in it twice', () => {
    expect(read({ ...image, layers: [layer, layer, layer] }).references).to.deep.equal([
      named(config, 'config'),
      named(layer, 'layer'),
    ]);
  });

  it('names content once for each of its roles', () => {
    expect(read({ ...image, layers: [{ ...config }] }).references).to.deep.equal([
      named(config, 'config'),
      named(config, 'layer'),
    ]);
  });

  it('may do without a layer that says where else it can be had', () => {
    const foreign = { ...layer, urls: ['https://example.com/layer'] };
    expect(read({ ...image, layers: [foreign] }).references[1]).to.deep.equal(named(layer, 'layer', true));
  });

  it('may do without a layer of a type that nobody uploads', () => {
    for (const mediaType of [
      'application/vnd.oci.image.layer.nondistributable.v1.tar',
      'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip',
      'application/vnd.oci.image.layer.nondistributable.v1.tar+zstd',
      'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip',
    ]) {
      expect(read({ ...image, layers: [{ ...layer, mediaType }] }).references[1]).to.deep.equal(named(layer, 'layer', true));
      expect(read({ ...image, config: { ...config, mediaType } }).references[0]).to.deep.equal(named(config, 'config'));
    }
  });

  it('needs a layer that says so only once, or with an empty list', () => {
    const foreign = { ...layer, urls: ['https://example.com/layer'] };
    for (const layers of [[foreign, layer], [layer, foreign], [{ ...layer, urls: [] }]])
      expect(read({ ...image, layers }).references[1]).to.deep.equal(named(layer, 'layer'));
  });

  it('may be attached to a subject, which need not be there', () => {
    expect(read({ ...image, subject: child })).to.deep.include({
      subject: child.digest,
      references: [named(config, 'config'), named(layer, 'layer'), named(child, 'subject', true)],
    });
  });

  it('has the type of its config where it has none of its own, or an empty one', () => {
    expect(read(image).artifactType).to.equal(config.mediaType);
    expect(read({ ...image, artifactType: '' }).artifactType).to.equal(config.mediaType);
    expect(read({ ...image, artifactType: 'application/vnd.example' }).artifactType).to.equal('application/vnd.example');
    expect(read({ ...image, config: { ...config, mediaType: undefined } })).not.to.have.property('artifactType');
  });

  it('may have fields that nobody here knows', () => {
    const strange = { ...image, annotations: { a: 'b' }, __proto__: 1, constructor: { name: 'x' }, platform: [[]] };
    expect(read(strange).references).to.have.lengthOf(2);
  });
});

describe('an index', () => {
  it('names its manifests', () => {
    expect(read(index)).to.deep.equal({ mediaType: OCI_INDEX, references: [named(child, 'manifest')] });
    expect(read({ ...index, mediaType: DOCKER_LIST })).to.deep.include({ references: [named(child, 'manifest')] });
  });

  it('may be empty, have a subject and a type of its own', () => {
    expect(read({ ...index, manifests: [], subject: child, artifactType: 'application/vnd.example' })).to.deep.equal({
      mediaType: OCI_INDEX,
      artifactType: 'application/vnd.example',
      subject: child.digest,
      references: [named(child, 'subject', true)],
    });
  });
});

describe('an artifact manifest', () => {
  const artifact = { mediaType: OCI_ARTIFACT, artifactType: 'application/vnd.example', blobs: [layer], subject: child };

  it('names its blobs, and needs no schema version', () => {
    expect(read(artifact)).to.deep.equal({
      mediaType: OCI_ARTIFACT,
      artifactType: 'application/vnd.example',
      subject: child.digest,
      references: [named(layer, 'layer'), named(child, 'subject', true)],
    });
  });

  it('may have none', () => {
    expect(read({ mediaType: OCI_ARTIFACT }).references).to.deep.equal([]);
  });
});

describe('a manifest of a type that nobody here knows', () => {
  it('is kept as it is, whatever its fields mean', () => {
    const opaque = { schemaVersion: 2, layers: 'several', config: 7, manifests: null, subject: 'Hello', artifactType: [1] };
    expect(read(opaque, 'application/vnd.example+json')).to.deep.equal({
      mediaType: 'application/vnd.example+json',
      references: [],
    });
  });

  it('is found by its subject and type like any other', () => {
    const opaque = { schemaVersion: 2, subject: child, artifactType: 'application/vnd.example' };
    expect(read(opaque, 'application/vnd.example+json')).to.deep.include({
      subject: child.digest,
      artifactType: 'application/vnd.example',
      references: [named(child, 'subject', true)],
    });
  });
});

describe('a field that is null', () => {
  it('is one that is not there, as it is for programs in Go, and a list that is null is empty', () => {
    const absent = { mediaType: null, artifactType: null, subject: null, annotations: null };
    expect(read({ ...image, ...absent, layers: null }, OCI_MANIFEST)).to.deep.equal(read({ ...image, layers: [] }));
    expect(read({ ...index, ...absent, manifests: null }, OCI_INDEX)).to.deep.equal(read({ ...index, manifests: [] }));
    expect(read({ blobs: null, ...absent }, OCI_ARTIFACT)).to.deep.equal(read({ mediaType: OCI_ARTIFACT }));
    const bare = { ...layer, urls: null, mediaType: null, annotations: null };
    expect(read({ ...image, layers: [bare] })).to.deep.equal(read({ ...image, layers: [layer] }));
  });
});

describe('the media type of a manifest', () => {
  const bare = { schemaVersion: 2, config, layers: [layer] };

  it('is its own', () => expect(read(image).mediaType).to.equal(OCI_MANIFEST));
  it('is the one that it was sent as, where it has none of its own', () => {
    expect(read(bare, `${OCI_MANIFEST}; charset=utf-8`).mediaType).to.equal(OCI_MANIFEST);
    expect(read({ ...bare, mediaType: '' }, OCI_MANIFEST).mediaType).to.equal(OCI_MANIFEST);
  });
  it('is the same in capital letters', () => {
    expect(read({ ...image, mediaType: OCI_MANIFEST.toUpperCase() }, OCI_MANIFEST).mediaType).to.equal(OCI_MANIFEST);
    expect(read(image, OCI_MANIFEST.toUpperCase()).mediaType).to.equal(OCI_MANIFEST);
  });
  it('counts where what it was sent as is no media type', () => expect(read(image, 'nonsense').mediaType).to.equal(OCI_MANIFEST));

  it('must be the one that it was sent as', () => {
    const refusal = refusalOf(image, DOCKER_MANIFEST);
    expect(refusal.detail).to.deep.equal({ at: 'mediaType' });
    expect(refusal.message).to.contain(OCI_MANIFEST).and.contain(DOCKER_MANIFEST);
  });
  it('must be one', () => {
    expect(refusalOf(bare).code).to.equal('MANIFEST_INVALID');
    expect(refusalOf(bare, 'nonsense').code).to.equal('MANIFEST_INVALID');
    expect(refusalOf({ ...bare, mediaType: 'nonsense' }).code).to.equal('MANIFEST_INVALID');
  });
});

describe('an invalid manifest', () => {
  const without = (manifest: Json, field: string): Json => ({ ...manifest, [field]: undefined });
  const invalid: readonly (readonly [what: string, manifest: unknown, at: string | undefined, contentType?: string])[] = [
    ['a list', [], undefined],
    ['null', null, undefined],
    ['a number', 2, undefined],
    ['a text', '"image"', undefined],
    ['an image without a schema version', without(image, 'schemaVersion'), 'schemaVersion'],
    ['an image of schema version 3', { ...image, schemaVersion: 3 }, 'schemaVersion'],
    ['an image whose schema version is a text', { ...image, schemaVersion: '2' }, 'schemaVersion'],
    ['an index without a schema version', without(index, 'schemaVersion'), 'schemaVersion'],
    ['an image whose media type is a number', { ...image, mediaType: 7 }, 'mediaType'],
    ['an image without a config', without(image, 'config'), 'config'],
    ['an image whose config is null', { ...image, config: null }, 'config'],
    ['an image whose config is a list', { ...image, config: [config] }, 'config'],
    ['an image whose config is a digest', { ...image, config: config.digest }, 'config'],
    ['a config without a digest', { ...image, config: without(config, 'digest') }, 'config.digest'],
    [
      'a config with a digest in capital letters',
      { ...image, config: { ...config, digest: config.digest.toUpperCase() } },
      'config.digest',
    ],
    ['a config with a number for a digest', { ...image, config: { ...config, digest: 7 } }, 'config.digest'],
    ['a config whose digest climbs', { ...image, config: { ...config, digest: 'sha256:../../etc/passwd' } }, 'config.digest'],
    ['a config without a size', { ...image, config: without(config, 'size') }, 'config.size'],
    ['a config of a negative size', { ...image, config: { ...config, size: -1 } }, 'config.size'],
    ['a config of half a byte', { ...image, config: { ...config, size: 0.5 } }, 'config.size'],
    ['a config of an unsafe size', { ...image, config: { ...config, size: 2 ** 53 } }, 'config.size'],
    ['a config whose size is a text', { ...image, config: { ...config, size: '6' } }, 'config.size'],
    ['a config whose media type is a number', { ...image, config: { ...config, mediaType: 7 } }, 'config.mediaType'],
    ['an image without layers', without(image, 'layers'), 'layers'],
    ['an image whose layers are an object', { ...image, layers: { 0: layer } }, 'layers'],
    ['an image with a hole among its layers', { ...image, layers: [layer, null] }, 'layers[1]'],
    ['an image whose config is null', { ...image, config: null }, 'config'],
    ['a layer without a digest', { ...image, layers: [layer, layer, {}] }, 'layers[2].digest'],
    ['a layer of no size', { ...image, layers: [layer, { digest: layer.digest }] }, 'layers[1].size'],
    ['a layer whose urls are a text', { ...image, layers: [{ ...layer, urls: 'https://example.com' }] }, 'layers[0].urls'],
    ['an index without manifests', without(index, 'manifests'), 'manifests'],
    ['an index with a digest for a manifest', { ...index, manifests: [child.digest] }, 'manifests[0]'],
    ['an index with a manifest of no size', { ...index, manifests: [child, { digest: child.digest }] }, 'manifests[1].size'],
    ['an artifact whose blobs are a text', { mediaType: OCI_ARTIFACT, blobs: 'none' }, 'blobs'],
    ['an artifact with a blob without a digest', { mediaType: OCI_ARTIFACT, blobs: [{}] }, 'blobs[0].digest'],
    ['a subject that is a digest', { ...image, subject: child.digest }, 'subject'],
    ['a subject without a size', { ...image, subject: { digest: child.digest } }, 'subject.size'],
    ['a subject of an index of no digest', { ...index, subject: {} }, 'subject.digest'],
    ['a type that is a number', { ...image, artifactType: 7 }, 'artifactType'],
    ['one of a type that nobody here knows, and no schema version', { a: 1 }, 'schemaVersion', 'application/vnd.example+json'],
    ['one of schema 1 by no type', { schemaVersion: 1, fsLayers: [] }, 'schemaVersion', 'application/json'],
    // Two readers of such a document see two different things: docker an image, another client a list of images.
    ['an image that is an index as well', { ...image, manifests: [child] }, 'manifests'],
    ['an index that is an image as well', { ...index, layers: [layer] }, 'layers'],
    ['an index with a config', { ...index, config }, 'config'],
    [
      'one of schema 1',
      { schemaVersion: 1, name: 'a', fsLayers: [] },
      'mediaType',
      'application/vnd.docker.distribution.manifest.v1+json',
    ],
    [
      'a signed one of schema 1',
      { schemaVersion: 1, fsLayers: [] },
      'mediaType',
      'application/vnd.docker.distribution.manifest.v1+prettyjws',
    ],
  ];
  for (const [what, manifest, at, contentType] of invalid) {
    it(`is ${what}, and the refusal says where`, () => {
      const refusal = refusalOf(manifest, contentType);
      expect(refusal.code).to.equal('MANIFEST_INVALID');
      expect(refusal.detail).to.deep.equal(at === undefined ? {} : { at });
      if (at !== undefined) expect(refusal.message).to.contain(at);
    });
  }

  it('of schema 1 is told apart from a wrong number', () => {
    const refusal = refusalOf({ schemaVersion: 1 }, 'application/vnd.docker.distribution.manifest.v1+prettyjws');
    expect(refusal.message).to.contain('schema 1');
  });
});

describe('bytes that are no manifest', () => {
  const texts: readonly (readonly [what: string, bytes: Uint8Array])[] = [
    ['nothing', bytes('')],
    ['white space', bytes(' \n')],
    ['half a document', bytes('{"schemaVersion":2')],
    ['two documents', bytes('{}{}')],
    ['a document in single quotes', bytes("{'schemaVersion':2}")],
    ['a document with a comment', bytes('{/* */}')],
    ['a document with a comma too many', bytes('{"a":1,}')],
    ['NaN', bytes('{"schemaVersion":NaN}')],
    ['a byte order mark before it, which other readers refuse', Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), bytes(image)])],
    ['UTF-16', Buffer.from(JSON.stringify(image), 'utf16le')],
    ['Latin-1', Buffer.from('{"a":"\xe4"}', 'latin1')],
    ['half a character', bytes('{"a":"ä"}').subarray(0, 7)],
    ['an overlong slash', Buffer.from([0x22, 0xc0, 0xaf, 0x22])],
    ['a surrogate in UTF-8', Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22])],
    ['a compressed document', Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0])],
  ];
  for (const [what, text] of texts) {
    it(`are ${what}`, () => {
      expect(() => readManifest(text, OCI_MANIFEST))
        .to.throw(RegistryError)
        .with.property('code', 'MANIFEST_INVALID');
    });
  }

  it('do not trouble the next ones', () => {
    expect(() => readManifest(Buffer.from([0xe4, 0xbd]), OCI_MANIFEST)).to.throw(RegistryError);
    expect(read(image).references).to.have.lengthOf(2);
  });
});

describe('a manifest that is large', () => {
  const layers = (count: number): readonly unknown[] =>
    Array.from({ length: count }, (_, n) => ({ ...layer, digest: digestOf(`layer ${n}`) }));
  const children = (count: number): readonly unknown[] =>
    Array.from({ length: count }, (_, n) => ({ ...child, digest: digestOf(`child ${n}`) }));

  it(`names up to ${MOST_REFERENCES} things`, () => {
    expect(read({ ...image, layers: layers(MOST_REFERENCES - 1) }).references).to.have.lengthOf(MOST_REFERENCES);
    expect(read({ ...index, manifests: children(MOST_REFERENCES) }).references).to.have.lengthOf(MOST_REFERENCES);
  });

  it('names no more', () => {
    const tooMany: readonly unknown[] = [
      { ...image, layers: layers(MOST_REFERENCES) },
      { ...index, manifests: children(MOST_REFERENCES), subject: child },
      { ...index, manifests: children(MOST_REFERENCES + 1) },
      { mediaType: OCI_ARTIFACT, blobs: layers(MOST_REFERENCES + 1) },
    ];
    for (const manifest of tooMany) expect(refusalOf(manifest).message).to.contain(`more than ${MOST_REFERENCES}`);
  });

  it('is refused early when it names the same thing without end', () => {
    expect(refusalOf({ ...image, layers: Array(100_000).fill(layer) }).detail).to.deep.equal({ at: 'layers' });
  });

  it('may be nested deeply where nobody looks', () => {
    const depth = 1_000_000;
    const nested = `{"schemaVersion":2,"mediaType":"${OCI_INDEX}","manifests":[],"annotations":${'['.repeat(depth)}${']'.repeat(depth)}}`;
    expect(read(nested).references).to.deep.equal([]);
  });

  it('is refused when it is nested deeply where something is expected', () => {
    const depth = 1_000_000;
    const nested = `{"schemaVersion":2,"mediaType":"${OCI_INDEX}","manifests":${'['.repeat(depth)}${']'.repeat(depth)}}`;
    expect(refusalOf(nested).detail).to.deep.equal({ at: 'manifests[0]' });
    expect(refusalOf('['.repeat(depth)).code).to.equal('MANIFEST_INVALID');
  });

  it('is refused with a short message, however long its texts are', () => {
    const long = 'x'.repeat(1_000_000);
    for (const manifest of [{ ...image, mediaType: `a/${long}` }, { ...image, layers: [{ ...layer, digest: long }] }, long]) {
      const refusal = refusalOf(manifest, OCI_MANIFEST);
      expect(refusal.message.length + JSON.stringify(refusal.detail).length).to.be.below(1000);
    }
  });

  it('has a type of at most 255 characters', () => {
    expect(read({ ...index, artifactType: 'x'.repeat(300) }).artifactType).to.equal('x'.repeat(255));
  });

  it('has a type that an event can hold, even where it is cut in the middle of a character', () => {
    expect(read({ ...index, artifactType: `${'x'.repeat(254)}😀` }).artifactType).to.equal(`${'x'.repeat(254)}\ufffd`);
    expect(read({ ...index, artifactType: 'a\ud800b' }).artifactType).to.equal('a\ufffdb');
    expect(read({ ...image, config: { ...config, mediaType: 'a\udfff' } }).artifactType).to.equal('a\ufffd');
  });
});

describe('reading anything', () => {
  const contentType = fc.option(
    fc.oneof(fc.constantFrom(OCI_MANIFEST, OCI_INDEX, OCI_ARTIFACT, DOCKER_LIST, 'application/json'), fc.string()),
    { nil: undefined },
  );
  const descriptor = fc.oneof(
    fc.constantFrom<unknown>(config, layer, child, { ...layer, urls: ['x'] }),
    fc.record({ digest: fc.oneof(fc.constant(layer.digest), fc.string()), size: fc.oneof(fc.nat(), fc.double()) }),
    fc.jsonValue(),
  );
  /** Nearly a manifest: fields of the right names, each of a right or a wrong value. */
  const nearly = fc.record(
    {
      schemaVersion: fc.constantFrom<unknown>(2, 2, 2, 1, '2', null),
      mediaType: fc.oneof(fc.constantFrom<unknown>(OCI_MANIFEST, OCI_INDEX, OCI_ARTIFACT), fc.jsonValue()),
      artifactType: fc.oneof(fc.string({ unit: 'binary' }), fc.jsonValue()),
      config: descriptor,
      layers: fc.oneof(fc.array(descriptor), fc.jsonValue()),
      manifests: fc.oneof(fc.array(descriptor), fc.jsonValue()),
      blobs: fc.oneof(fc.array(descriptor), fc.jsonValue()),
      subject: descriptor,
    },
    { requiredKeys: [] },
  );

  const isRead = (text: Uint8Array, type: string | undefined): void => {
    let content: ReturnType<typeof readManifest>;
    try {
      content = readManifest(text, type);
    } catch (error) {
      if (error instanceof RegistryError && error.code === 'MANIFEST_INVALID') return;
      throw error;
    }
    const keys = content.references.map(({ role, digest }) => `${role} ${digest}`);
    expect(new Set(keys).size).to.equal(keys.length);
    expect(JSON.stringify(content).isWellFormed()).to.equal(true);
    expect((content.artifactType ?? 'x').isWellFormed()).to.equal(true);
    expect(content.artifactType?.length ?? 1).to.be.within(1, 255);
    expect(content.mediaType.length).to.be.within(3, 255);
  };

  it('ends in a manifest or in a refusal', () => {
    fc.assert(fc.property(fc.uint8Array(), contentType, isRead));
    fc.assert(fc.property(fc.json(), contentType, (text, type) => isRead(bytes(text), type)));
  });

  it('ends in a manifest or in a refusal, too, when it is nearly one', () => {
    fc.assert(
      fc.property(nearly, contentType, (value, type) => isRead(bytes(JSON.stringify(value)), type)),
      { numRuns: 2000 },
    );
  });
});
