import { type Manifest, OCI_INDEX } from '../../support/images.ts';
import { absent, blob, descriptor, image, index, manifest } from '../content.ts';
import { isList, pushBlob, pushed, put, remove, removeTag } from '../pushing.ts';
import { type Exchange, gets, type Row, refused, row, type Step, send } from '../row.ts';

const IMAGE = image('listed');
const TAGS = ['b', 'A', 'a', 'B', '_', '0', 'a.b', 'a-b', 'ab'];
const IN_ORDER = ['0', 'A', 'B', '_', 'a', 'a-b', 'a.b', 'ab', 'b'];

const taggedAll = (tags: readonly string[]): readonly Step[] => [
  ...IMAGE.blobs.flatMap((one) => pushBlob(one)),
  ...tags.map((tag) => put(IMAGE.manifest, gets(201), { reference: tag })),
];

const listing = (query: string, tags: readonly string[], headers: Readonly<Record<string, RegExp | null>> = {}): Exchange =>
  send(
    `GET /v2/{repo}/tags/list${query}`,
    gets(200, headers, {
      json: ({ name, tags: found }, { repo }) => (name === repo ? isList(found ?? [], tags) : `the name is ${name}`),
    }),
  );

const NEXT = { link: /<.*>;\s*rel="?next"?/ };
const NO_NEXT = { link: null };

const tags: readonly Row[] = [
  row('Discovery: tags, byte-wise order', '1.1', 'capitals before small letters', [taggedAll(TAGS), listing('', IN_ORDER)]),
  row('Discovery: tags, n and Link', '1.1', 'n caps a page', [taggedAll(TAGS), listing('?n=2', ['0', 'A'], NEXT)]),
  row('Discovery: tags, n and Link', '1.1', 'no Link where no more remain', [
    taggedAll(TAGS),
    listing('?n=9', IN_ORDER, NO_NEXT),
    listing('?n=100', IN_ORDER, NO_NEXT),
    listing('?n=4&last=_', IN_ORDER.slice(4, 8), NEXT),
    listing('?n=5&last=_', IN_ORDER.slice(4), NO_NEXT),
  ]),
  ...[1, 2, 4].map((page) =>
    row('Discovery: tags, n and Link', '1.1', `the Links lead through all, ${page} at a time`, [
      taggedAll(TAGS),
      { walk: `/v2/{repo}/tags/list?n=${page}`, field: 'tags', finds: IN_ORDER, page },
    ]),
  ),
  row('Discovery: tags, n=0', '1.1', 'an empty list and no Link', [taggedAll(TAGS), listing('?n=0', [], NO_NEXT)]),
  row('Discovery: tags, last need not exist', '1.1', 'goes on behind where it would stand', [
    taggedAll(TAGS),
    listing('?last=C', IN_ORDER.slice(3)),
    listing('?last=aa', ['ab', 'b']),
    listing('?last=zz', []),
    listing('?n=1&last=aa', ['ab'], NEXT),
  ]),
  ...['-1', 'many', '1.5', ''].map((n) =>
    row('Discovery: tags, a bad n → 400', 'clients', n === '' ? 'nothing' : n, [
      taggedAll(['a']),
      send(`GET /v2/{repo}/tags/list?n=${n}`, gets(400)),
    ]),
  ),
  row('Discovery: tags, an existing repository without any', '1.1', 'where only a blob was pushed', [
    pushBlob(blob('alone')),
    send(
      'GET /v2/{repo}/tags/list',
      gets(200, {}, { json: ({ tags: found }) => isList(found ?? [], []) }),
      {},
      { unless: { 404: 'a repository without manifests is none to it' } },
    ),
  ]),
  row('Discovery: tags, an existing repository without any', '1.1', 'where a manifest is pushed by its digest', [
    pushed(IMAGE),
    listing('', []),
  ]),
  row('Discovery: tags, an existing repository without any', '1.1', 'where the last tag was deleted', [
    pushed(IMAGE, 'v1'),
    removeTag('v1'),
    listing('', []),
  ]),
  row('Discovery: tags, unknown repository → NAME_UNKNOWN', '1.1', '404', [
    send('GET /v2/{repo}/tags/list', refused(404, 'NAME_UNKNOWN')),
  ]),
];

const REPOSITORIES = ['{repo}', '{repo}-b', '{repo}/a', '{repo}/a-b', '{repo}/a/b', '{repo}/ab', '{repo}/b'];

const catalog: readonly Row[] = [
  ...[1, 3].map((page) =>
    row('Discovery: catalog, paging', 'clients', `the Links lead through all in byte-wise order, ${page} at a time`, [
      [...REPOSITORIES].reverse().flatMap((repository) => pushed(IMAGE, 'v1', repository)),
      // What stands right behind `last`, up to the first that is not of this row: a registry may hold many more.
      {
        walk: `/v2/_catalog?n=${page}&last={repo}`,
        field: 'repositories',
        finds: REPOSITORIES.slice(1),
        page,
        within: '{repo}',
        unless: { 404: 'it has no catalog', 405: 'it has no catalog' },
      },
    ]),
  ),
  row('Discovery: catalog, paging', 'clients', 'n=0: an empty list and no Link', [
    pushed(IMAGE, 'v1'),
    send(
      'GET /v2/_catalog?n=0',
      gets(200, NO_NEXT, { json: ({ repositories }) => isList(repositories ?? [], []) }),
      {},
      { unless: { 404: 'it has no catalog' } },
    ),
  ]),
  row('Discovery: catalog, paging', 'clients', 'a bad n: 400', [send('GET /v2/_catalog?n=many', gets(400))]),
  row(
    'Discovery: catalog, only what the caller may read',
    'clients',
    'another account does not see what is not for it',
    [
      pushed(IMAGE, 'v1'),
      send(
        'GET /v2/_catalog',
        gets(200, {}, { json: ({ repositories }, { repo = '' }) => repositories.includes(repo) && `it sees ${repo}` }),
        { by: 'stranger' },
      ),
      send('GET /v2/{repo}/tags/list', refused([401, 403, 404], ['UNAUTHORIZED', 'DENIED', 'NAME_UNKNOWN']), { by: 'stranger' }),
    ],
    'stranger',
  ),
];

const SBOM = 'application/vnd.example.sbom';
const SUBJECT = image('subject');
const refers = (name: string, fields: object = {}) =>
  image(name, { fields: { subject: descriptor(SUBJECT.manifest), ...fields } });
const TYPED = refers('typed', { artifactType: SBOM, annotations: { 'org.example.kind': 'sbom' } });
const UNTYPED = refers('untyped', { annotations: { 'org.example.kind': 'plain' } });
const OF_INDEX = index('refers', [descriptor(IMAGE.manifest)], { subject: descriptor(SUBJECT.manifest) });
const TYPED_INDEX = index('typed index', [], { subject: descriptor(SUBJECT.manifest), artifactType: SBOM });

type Listed = Readonly<{
  digest: string;
  mediaType: string;
  size: number;
  artifactType?: string;
  annotations?: Record<string, string>;
}>;
type Found = Readonly<{ schemaVersion: number; mediaType: string; manifests: readonly Listed[] }>;

const LIST = `/v2/{repo}/referrers/${SUBJECT.manifest.digest}`;
const INDEX = { 'content-type': OCI_INDEX };

/** The digests listed, in any order. */
const lists = (...manifests: readonly Manifest[]) =>
  gets(200, INDEX, {
    json: (found: Found) => {
      if (found.schemaVersion !== 2 || found.mediaType !== OCI_INDEX) return 'it is no image index';
      return isList(found.manifests.map(({ digest }) => digest).toSorted(), manifests.map(({ digest }) => digest).toSorted());
    },
  });

/** The whole entry of one manifest. */
const describes = (one: Manifest, artifactType: string | undefined, annotations: object | undefined) =>
  gets(200, INDEX, {
    json: ({ manifests }: Found) => {
      const entry = manifests.find(({ digest }) => digest === one.digest);
      if (entry === undefined) return `${one.digest} is not listed`;
      const wanted = [one.mediaType, one.bytes.length, artifactType, annotations];
      const actual = [entry.mediaType, entry.size, entry.artifactType, entry.annotations];
      return JSON.stringify(actual) === JSON.stringify(wanted)
        ? undefined
        : `${JSON.stringify(actual)} is not ${JSON.stringify(wanted)}`;
    },
  });

const OTHER = 'application/vnd.example.other.v1+json';
const OTHER_TYPE = manifest({ schemaVersion: 2, mediaType: OTHER, subject: descriptor(SUBJECT.manifest) }, OTHER);
const PAGED = Array.from({ length: 5 }, (_, number) => refers(`paged ${number}`));
const PAGED_DIGESTS = PAGED.map(({ manifest: one }) => one.digest).toSorted((one, other) => (one < other ? -1 : 1));
const LARGE = refers('large annotations', { annotations: { large: 'x'.repeat(1_000_000) } });
const FILTER = 'Discovery: referrers, artifactType filter';
const DESCRIPTORS = 'Discovery: referrers, descriptors';
const ALWAYS = 'Discovery: referrers, 200 always';

const referrers: readonly Row[] = [
  row(ALWAYS, '1.1', 'an empty list of a manifest that nothing refers to', [
    pushed(IMAGE),
    send(`GET /v2/{repo}/referrers/${IMAGE.manifest.digest}`, lists()),
  ]),
  row(ALWAYS, '1.1', 'an empty list of a digest that the repository does not have', [
    pushed(IMAGE),
    send(`GET /v2/{repo}/referrers/${absent('subject')}`, lists()),
    send(`GET /v2/{repo}/referrers/${absent('subject', 'sha512')}`, lists()),
  ]),
  row(ALWAYS, '1.1', 'what refers to it, and nothing else', [
    pushed(SUBJECT),
    pushed(IMAGE),
    pushed(TYPED),
    pushed(UNTYPED),
    send(`GET ${LIST}`, lists(TYPED.manifest, UNTYPED.manifest)),
  ]),
  row(ALWAYS, '1.1', 'HEAD', [pushed(SUBJECT), send(`HEAD ${LIST}`, gets(200, INDEX))]),
  row(ALWAYS, '1.1', 'of this repository alone', [pushed(SUBJECT), pushed(TYPED, 'v1', '{other}'), send(`GET ${LIST}`, lists())]),
  row(DESCRIPTORS, '1.1', 'the artifactType and the annotations of the manifest', [
    pushed(SUBJECT),
    pushed(TYPED),
    send(`GET ${LIST}`, describes(TYPED.manifest, SBOM, { 'org.example.kind': 'sbom' })),
  ]),
  row(DESCRIPTORS, '1.1', "without an artifactType, the mediaType of an image's config", [
    pushed(SUBJECT),
    pushed(UNTYPED),
    send(`GET ${LIST}`, describes(UNTYPED.manifest, UNTYPED.blobs[0]?.mediaType, { 'org.example.kind': 'plain' })),
  ]),
  row(DESCRIPTORS, '1.1', 'an index with an artifactType, and one without: omitted', [
    pushed(SUBJECT),
    pushed(IMAGE),
    put(OF_INDEX),
    put(TYPED_INDEX),
    send(`GET ${LIST}`, describes(OF_INDEX, undefined, JSON.parse(OF_INDEX.bytes.toString()).annotations)),
    send(`GET ${LIST}`, describes(TYPED_INDEX, SBOM, JSON.parse(TYPED_INDEX.bytes.toString()).annotations)),
  ]),
  row(DESCRIPTORS, '1.1', 'a referrer may itself be a subject', [
    pushed(SUBJECT),
    pushed(TYPED),
    pushed(image('signs', { fields: { subject: descriptor(TYPED.manifest) } })),
    send(`GET ${LIST}`, lists(TYPED.manifest)),
    send(
      `GET /v2/{repo}/referrers/${TYPED.manifest.digest}`,
      lists(image('signs', { fields: { subject: descriptor(TYPED.manifest) } }).manifest),
    ),
  ]),
  row(DESCRIPTORS, '1.1', 'the subject may be a nested index', [
    pushed(IMAGE),
    put(index('inner', [descriptor(IMAGE.manifest)])),
    put(index('outer', [descriptor(index('inner', [descriptor(IMAGE.manifest)]))])),
    put(index('of the inner', [], { subject: descriptor(index('inner', [descriptor(IMAGE.manifest)])) })),
    send(
      `GET /v2/{repo}/referrers/${index('inner', [descriptor(IMAGE.manifest)]).digest}`,
      lists(index('of the inner', [], { subject: descriptor(index('inner', [descriptor(IMAGE.manifest)])) })),
    ),
  ]),
  row(DESCRIPTORS, '1.1', 'annotations in full, however large', [
    pushed(SUBJECT),
    pushed(LARGE),
    send(`GET ${LIST}`, describes(LARGE.manifest, LARGE.blobs[0]?.mediaType, { large: 'x'.repeat(1_000_000) })),
  ]),
  row(FILTER, '1.1', 'only those of the type, and OCI-Filters-Applied says so', [
    pushed(SUBJECT),
    pushed(TYPED),
    pushed(UNTYPED),
    send(
      `GET ${LIST}`,
      { ...lists(TYPED.manifest), headers: { ...INDEX, 'oci-filters-applied': 'artifactType' } },
      { query: { artifactType: SBOM } },
    ),
    send(
      `GET ${LIST}`,
      { ...lists(UNTYPED.manifest), headers: { 'oci-filters-applied': 'artifactType' } },
      {
        query: { artifactType: UNTYPED.blobs[0]?.mediaType ?? '' },
      },
    ),
    send(
      `GET ${LIST}`,
      { ...lists(), headers: { 'oci-filters-applied': 'artifactType' } },
      { query: { artifactType: 'application/vnd.example.none' } },
    ),
  ]),
  row(FILTER, '1.1', 'no filter asked for, no header', [
    pushed(SUBJECT),
    send(`GET ${LIST}`, gets(200, { 'oci-filters-applied': null })),
  ]),
  row('Discovery: referrers, paging', '1.1', 'the Links, where there are any, lead through all', [
    pushed(SUBJECT),
    PAGED.flatMap((one) => pushed(one)),
    {
      walk: `${LIST}?n=2`,
      field: 'manifests',
      finds: PAGED_DIGESTS,
      page: 5,
    },
  ]),
  ...['sha256:none', 'md5:0', 'latest'].map((digest) =>
    row('Discovery: referrers, bad digest → 400', '1.1', digest, [
      pushed(IMAGE),
      send(`GET /v2/{repo}/referrers/${digest}`, refused(400, 'DIGEST_INVALID')),
    ]),
  ),
  row('Discovery: referrers, deleted ones disappear', '1.1', 'and come back when they are pushed again', [
    pushed(SUBJECT),
    pushed(TYPED),
    pushed(UNTYPED),
    remove(`/v2/{repo}/manifests/${TYPED.manifest.digest}`),
    send(`GET ${LIST}`, lists(UNTYPED.manifest)),
    put(TYPED.manifest),
    send(`GET ${LIST}`, lists(TYPED.manifest, UNTYPED.manifest)),
  ]),
  row('Discovery: referrers, pushed before their subject', '1.1', 'are there before it, after it, and when it is deleted', [
    pushed(TYPED),
    send(`GET ${LIST}`, lists(TYPED.manifest)),
    pushed(SUBJECT),
    send(`GET ${LIST}`, lists(TYPED.manifest)),
    remove(`/v2/{repo}/manifests/${SUBJECT.manifest.digest}`),
    send(`GET ${LIST}`, lists(TYPED.manifest)),
  ]),
  row(DESCRIPTORS, '1.1', 'a manifest of an unknown type, too', [
    pushed(SUBJECT),
    put(OTHER_TYPE),
    send(`GET ${LIST}`, lists(OTHER_TYPE)),
  ]),
];

export const DISCOVERY: readonly Row[] = [...tags, ...catalog, ...referrers];
