import { OCI_INDEX, OCI_MANIFEST } from '../../support/images.ts';
import { absent, alsoAs, blob, EMPTY, image } from '../content.ts';
import { OCTETS, pushBlob, pushed, put } from '../pushing.ts';
import { type Exchange, gets, type Row, refused, row, send } from '../row.ts';

const VERSION = { 'docker-distribution-api-version': 'registry/2.0' };

const version: readonly Row[] = [
  row('Pull: GET /v2/', '1.1', 'answers 200 to those who may', [send('GET /v2/', gets(200, VERSION))]),
  row('Pull: GET /v2/', '1.1', 'answers 200, or 401 with a challenge, to those without credentials', [
    send('GET /v2/', [gets(200, VERSION), refused(401, 'UNAUTHORIZED', { ...VERSION, 'www-authenticate': /^(Bearer|Basic) / })], {
      by: 'nobody',
    }),
  ]),
  row(
    'Pull: GET /v2/',
    '1.1',
    'answers 401 to a wrong password',
    [
      send('GET /v2/', refused(401, 'UNAUTHORIZED', { ...VERSION, 'www-authenticate': /^(Bearer|Basic) / }), {
        by: 'nobody',
        headers: { authorization: `Basic ${Buffer.from('nobody-at-all:wrong').toString('base64')}` },
      }),
    ],
    'login',
  ),
];

const IMAGE = image('pulled', { layers: 2 });
const MANIFEST = IMAGE.manifest;
const ETAG = { etag: `"${MANIFEST.digest}"` };
const KNOWN = { 'content-type': MANIFEST.mediaType, 'content-length': String(MANIFEST.bytes.length) };
const DIGEST = { 'docker-content-digest': MANIFEST.digest };
const GET_MANIFESTS = 'Pull: manifests, GET and HEAD';

const eachWay = (headers: Readonly<Record<string, string>>): readonly Exchange[] =>
  ['v1', MANIFEST.digest].flatMap((reference) => [
    send(`GET /v2/{repo}/manifests/${reference}`, gets(200, headers, { body: MANIFEST.bytes })),
    send(`HEAD /v2/{repo}/manifests/${reference}`, gets(200, headers)),
  ]);

const manifests: readonly Row[] = [
  row(GET_MANIFESTS, '1.1', 'the exact bytes, their type and length, by tag and by digest', [
    pushed(IMAGE, 'v1'),
    eachWay(KNOWN),
  ]),
  row(GET_MANIFESTS, 'dev', 'Docker-Content-Digest, on GET and HEAD', [pushed(IMAGE, 'v1'), eachWay(DIGEST)]),
  row(GET_MANIFESTS, 'clients', 'ETag', [pushed(IMAGE, 'v1'), eachWay(ETAG)]),
  row(GET_MANIFESTS, '1.1', 'the type without the parameters that came with it', [
    IMAGE.blobs.flatMap((one) => pushBlob(one)),
    put(MANIFEST, gets(201), { reference: 'v1', headers: { 'content-type': `${OCI_MANIFEST}; charset=utf-8` } }),
    eachWay(KNOWN),
  ]),
  row('Pull: manifests, 404 MANIFEST_UNKNOWN or NAME_UNKNOWN', '1.1', 'a tag and a digest that the repository does not have', [
    pushed(IMAGE, 'v1'),
    ['v2', absent('manifest'), absent('manifest', 'sha512')].flatMap((reference) => [
      send(`GET /v2/{repo}/manifests/${reference}`, refused(404, 'MANIFEST_UNKNOWN')),
      send(`HEAD /v2/{repo}/manifests/${reference}`, gets(404)),
    ]),
  ]),
  row('Pull: manifests, 404 MANIFEST_UNKNOWN or NAME_UNKNOWN', '1.1', 'a repository that does not exist', [
    send('GET /v2/{repo}/manifests/v1', refused(404, ['NAME_UNKNOWN', 'MANIFEST_UNKNOWN'])),
    send('HEAD /v2/{repo}/manifests/v1', gets(404)),
  ]),
  row('Pull: manifests, 404 MANIFEST_UNKNOWN or NAME_UNKNOWN', '1.1', 'a blob is no manifest', [
    pushed(IMAGE, 'v1'),
    send(`GET /v2/{repo}/manifests/${IMAGE.blobs[0]?.digest}`, refused(404, 'MANIFEST_UNKNOWN')),
  ]),
  row('Pull: Accept without the stored type', 'clients', 'gives what is stored, whatever Accept says', [
    pushed(IMAGE, 'v1'),
    [OCI_INDEX, 'application/vnd.docker.distribution.manifest.v2+json', 'text/html', '*/*'].map((accept) =>
      send('GET /v2/{repo}/manifests/v1', gets(200, KNOWN, { body: MANIFEST.bytes }), { headers: { accept } }),
    ),
  ]),
  ...(['sha256', 'sha512'] as const).map((algorithm) => {
    const one = alsoAs(MANIFEST, algorithm);
    return row(
      'Pull: a manifest asked for by a digest of either algorithm',
      'dev',
      `pushed by a ${algorithm} digest, found under it`,
      [
        IMAGE.blobs.flatMap((layer) => pushBlob(layer)),
        put(one),
        send(`GET /v2/{repo}/manifests/${one.digest}`, gets(200, { 'docker-content-digest': one.digest }, { body: one.bytes })),
      ],
    );
  }),
  row('Pull: a manifest asked for by a digest of either algorithm', 'dev', 'pushed under both, each is found under its own', [
    IMAGE.blobs.flatMap((layer) => pushBlob(layer)),
    put(MANIFEST),
    put(alsoAs(MANIFEST, 'sha512')),
    [MANIFEST, alsoAs(MANIFEST, 'sha512')].map(({ digest, bytes }) =>
      send(`GET /v2/{repo}/manifests/${digest}`, gets(200, { 'docker-content-digest': digest }, { body: bytes })),
    ),
  ]),
];

const BLOB = blob('ranges', 2048);
const PATH = `/v2/{repo}/blobs/${BLOB.digest}`;
const whole = { 'content-length': '2048' };

const blobs: readonly Row[] = [
  row('Pull: blobs, GET and HEAD', '1.1', 'the bytes and their length', [
    pushBlob(BLOB),
    send(`GET ${PATH}`, gets(200, whole, { body: BLOB.bytes })),
    send(`HEAD ${PATH}`, gets(200, whole)),
  ]),
  row('Pull: blobs, GET and HEAD', 'dev', 'Docker-Content-Digest, on GET and HEAD', [
    pushBlob(BLOB),
    send(`GET ${PATH}`, gets(200, { 'docker-content-digest': BLOB.digest }, { body: BLOB.bytes })),
    send(`HEAD ${PATH}`, gets(200, { 'docker-content-digest': BLOB.digest })),
  ]),
  row('Pull: blobs, GET and HEAD', 'clients', 'Accept-Ranges, on GET and HEAD', [
    pushBlob(BLOB),
    send(`GET ${PATH}`, gets(200, { 'accept-ranges': 'bytes' })),
    send(`HEAD ${PATH}`, gets(200, { 'accept-ranges': 'bytes' })),
  ]),
  row('Pull: blobs, 404 BLOB_UNKNOWN', '1.1', 'in a repository that has others', [
    pushBlob(BLOB),
    send(`GET /v2/{repo}/blobs/${absent('blob')}`, refused(404, 'BLOB_UNKNOWN')),
    send(`HEAD /v2/{repo}/blobs/${absent('blob')}`, gets(404)),
  ]),
  row('Pull: blobs, 404 BLOB_UNKNOWN', '1.1', 'in a repository that does not exist', [
    send(`GET /v2/{repo}/blobs/${absent('blob')}`, refused(404, ['BLOB_UNKNOWN', 'NAME_UNKNOWN'])),
    send(`HEAD /v2/{repo}/blobs/${absent('blob')}`, gets(404)),
  ]),
  row('Pull: blobs are visible only where they were pushed or mounted', '1.1', 'not in another repository', [
    pushBlob(BLOB),
    pushBlob(blob('of another', 50), '{other}'),
    send(`GET /v2/{other}/blobs/${BLOB.digest}`, refused(404, 'BLOB_UNKNOWN')),
    send(`HEAD /v2/{other}/blobs/${BLOB.digest}`, gets(404)),
  ]),
];

const ranged = (header: string, from: number, to: number): Exchange =>
  send(
    `GET ${PATH}`,
    gets(
      206,
      { 'content-range': new RegExp(`^bytes ${from}-${to}/(2048|\\*)$`), 'content-length': String(to - from + 1) },
      { body: BLOB.bytes.subarray(from, to + 1) },
    ),
    { headers: { range: header } },
  );

const all = (headers: Readonly<Record<string, string>>): Exchange =>
  send(`GET ${PATH}`, gets(200, whole, { body: BLOB.bytes }), { headers });

const outside = (header: string): Exchange =>
  send(`GET ${PATH}`, { status: 416, headers: { 'content-range': 'bytes */2048' } }, { headers: { range: header } });

const RANGES: readonly (readonly [header: string, from: number, to: number])[] = [
  ['bytes=0-0', 0, 0],
  ['bytes=500-1499', 500, 1499],
  ['bytes=500-', 500, 2047],
  ['bytes=-500', 1548, 2047],
  ['bytes=2000-5000', 2000, 2047],
  ['bytes=-5000', 0, 2047],
  ['bytes=2047-2047', 2047, 2047],
];

const ranges: readonly Row[] = [
  ...RANGES.map(([header, from, to]) =>
    row('Pull: blobs, Range a-b, a-, -n → 206', '1.1', header, [pushBlob(BLOB), ranged(header, from, to)]),
  ),
  row('Pull: blobs, Range a-b, a-, -n → 206', '1.1', 'of a sha512 blob', [
    pushBlob(blob('ranges 512', 300, 'sha512')),
    send(
      `GET /v2/{repo}/blobs/${blob('ranges 512', 300, 'sha512').digest}`,
      gets(206, {}, { body: blob('ranges 512', 300, 'sha512').bytes.subarray(100, 200) }),
      { headers: { range: 'bytes=100-199' } },
    ),
  ]),
  row('Pull: blobs, several ranges', '1.1', 'are answered in parts, or with all of it', [
    pushBlob(BLOB),
    send(`GET ${PATH}`, [gets(200, whole, { body: BLOB.bytes }), gets(206, { 'content-type': /^multipart\/byteranges/ })], {
      headers: { range: 'bytes=0-99,500-599' },
    }),
  ]),
  ...['bytes=2048-', 'bytes=5000-10000', 'bytes=-0'].map((header) =>
    row('Pull: blobs, a range outside → 416', '1.1', header, [pushBlob(BLOB), outside(header)]),
  ),
  ...['bytes=a-b', 'bytes=', 'bytes', 'lines=0-10', 'bytes=5', '0-10'].map((header) =>
    row('Pull: blobs, a malformed range is ignored', '1.1', header, [pushBlob(BLOB), all({ range: header })]),
  ),
  row('Pull: blobs, a malformed range is ignored', '1.1', 'a range is nothing to HEAD', [
    pushBlob(BLOB),
    send(`HEAD ${PATH}`, gets(200, whole), { headers: { range: 'bytes=0-9' } }),
  ]),
];

const IF = 'Pull: If-Range, If-None-Match';
const IN_RANGE = { range: 'bytes=0-9' };

const conditions: readonly Row[] = [
  row(IF, 'clients', 'If-Range with the ETag of the blob: the range', [
    pushBlob(BLOB),
    send(`HEAD ${PATH}`, gets(200, { etag: /^"/ }), {}, { keep: { etag: ({ headers }) => String(headers.etag) } }),
    send(`GET ${PATH}`, gets(206, {}, { body: BLOB.bytes.subarray(0, 10) }), { headers: { ...IN_RANGE, 'if-range': '{etag}' } }),
  ]),
  row(IF, 'clients', 'If-Range with another: all of it', [pushBlob(BLOB), all({ ...IN_RANGE, 'if-range': '"another"' })]),
  ...[['a blob', PATH, pushBlob(BLOB)] as const, ['a manifest', '/v2/{repo}/manifests/v1', pushed(IMAGE, 'v1')] as const].flatMap(
    ([what, path, steps]) => [
      row(IF, 'clients', `If-None-Match with the ETag of ${what}, alone, weak or among others: 304`, [
        steps,
        send(`HEAD ${path}`, gets(200, { etag: /^"/ }), {}, { keep: { etag: ({ headers }) => String(headers.etag) } }),
        ['{etag}', 'W/{etag}', '"another", {etag}', '*'].flatMap((value) =>
          ['GET', 'HEAD'].map((method) =>
            send(`${method} ${path}`, gets(304, {}, { body: Buffer.alloc(0) }), { headers: { 'if-none-match': value } }),
          ),
        ),
      ]),
      row(IF, 'clients', `If-None-Match with another ETag than that of ${what}: 200`, [
        steps,
        send(`GET ${path}`, gets(200), { headers: { 'if-none-match': '"another"' } }),
      ]),
    ],
  ),
  row(IF, 'clients', 'a range of the empty blob is all of it, or unsatisfiable', [
    pushBlob(EMPTY),
    send(`GET /v2/{repo}/blobs/${EMPTY.digest}`, [gets(200, {}, { body: EMPTY.bytes }), { status: 416 }], {
      headers: { ...OCTETS, range: 'bytes=0-' },
    }),
  ]),
];

export const PULL: readonly Row[] = [...version, ...manifests, ...blobs, ...ranges, ...conditions];
