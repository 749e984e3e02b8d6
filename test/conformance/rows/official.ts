import { digestOf } from '../../support/images.ts';
import { absent, blob, EMPTY, image, manifest } from '../content.ts';
import { begin, finish, OCTETS, part, pushBlob, pushed, put, putting, remove } from '../pushing.ts';
import { type Exchange, gets, type Row, refused, row, send } from '../row.ts';

// What the official suite sends beyond the lines of the sheet (opencontainers/distribution-spec, conformance/run.go and api.go), so that
// a registry can be tried where that suite cannot be had.

const CHUNKS = blob('official chunks', 3 * 1024 - 5);
const CHUNK = 1024;
const location = (status: number): Exchange['expected'][number] => gets(status, { location: /./ });

/** Before each chunk one that skips ahead or goes back, then where the session says that it stands. */
const outOfOrder = (algorithm: 'sha256' | 'sha512', lastInPut: boolean): Row['steps'] => {
  const one = { ...CHUNKS, digest: digestOf(CHUNKS.bytes, algorithm) };
  const size = one.bytes.length;
  return [0, CHUNK, 2 * CHUNK].flatMap((from, number) => {
    const to = Math.min(from + CHUNK, size);
    const bad = from + CHUNK >= size ? 0 : from + CHUNK;
    const badTo = Math.min(bad + CHUNK, size);
    const isLast = to === size && lastInPut;
    const wrong = { status: 416 };
    return [
      ...(number === 0 ? [begin()] : []),
      badTo === size && lastInPut
        ? finish(one.digest, part(one, bad, badTo), wrong)
        : send('PATCH {location}', wrong, part(one, bad, badTo)),
      send('GET {location}', gets(204, { location: /./, range: from === 0 ? /^0-/ : `0-${from - 1}` })),
      isLast
        ? finish(one.digest, part(one, from, to), location(201))
        : send('PATCH {location}', location(202), part(one, from, to)),
      ...(to === size && !lastInPut ? [finish(one.digest, {}, location(201))] : []),
      ...(to === size ? [send('GET {location}', gets(200, { 'content-length': String(size) }, { body: one.bytes }))] : []),
    ];
  });
};

const BAD = { ...blob('official bad', 3000), digest: absent('official bad') };

/** Many annotations, just below 4 MiB in all. */
const LARGE = manifest({
  ...JSON.parse(image('official').manifest.bytes.toString()),
  annotations: Object.fromEntries(Array.from({ length: 4000 }, (_, number) => [`org.example.${number}`, 'x'.repeat(1000)])),
});

export const OFFICIAL: readonly Row[] = [
  row('official suite: tags of a repository that is not there yet', '1.1', '200 or 404', [
    send('GET /v2/{repo}/tags/list', gets([200, 404])),
  ]),
  row('official suite: referrers in a repository that is not there yet', '1.1', '200 with an empty image index, never 404', [
    send(
      `GET /v2/{repo}/referrers/${absent('official')}`,
      gets(
        200,
        { 'content-type': 'application/vnd.oci.image.index.v1+json' },
        {
          json: ({ mediaType, schemaVersion, manifests }) =>
            (mediaType !== 'application/vnd.oci.image.index.v1+json' || schemaVersion !== 2 || manifests.length > 0) &&
            'it is no empty image index',
        },
      ),
    ),
  ]),
  row('official suite: a range that ends before it begins', '1.1', '416, or all of the blob', [
    pushBlob(CHUNKS),
    send(`GET /v2/{repo}/blobs/${CHUNKS.digest}`, [{ status: 416 }, gets(200, {}, { body: CHUNKS.bytes })], {
      headers: { range: 'bytes=500-0' },
    }),
  ]),
  ...(['sha256', 'sha512'] as const).flatMap((algorithm) => [
    row(
      'official suite: chunked, out of order',
      '1.1',
      `each is refused, and GET <location> leads on (${algorithm})`,
      outOfOrder(algorithm, false),
    ),
    row(
      'official suite: chunked, out of order and put chunk',
      '1.1',
      `the last one in the PUT (${algorithm})`,
      outOfOrder(algorithm, true),
    ),
    row('official suite: POST + PUT without announcing the algorithm', '1.1', algorithm, [
      begin(),
      finish(digestOf(CHUNKS.bytes, algorithm), { body: CHUNKS.bytes }, location(201)),
      send('GET {location}', gets(200, {}, { body: CHUNKS.bytes })),
    ]),
    row('official suite: a PATCH with a length and no Content-Range', '1.1', algorithm, [
      begin(),
      send('PATCH {location}', location(202), { body: CHUNKS.bytes, headers: OCTETS }),
      finish(digestOf(CHUNKS.bytes, algorithm), {}, location(201)),
      send('GET {location}', gets(200, {}, { body: CHUNKS.bytes })),
    ]),
    row('official suite: well-known blobs', '1.1', `{} (${algorithm})`, [
      begin(),
      finish(digestOf('{}', algorithm), { body: '{}' }),
      send(
        `GET /v2/{repo}/blobs/${digestOf('{}', algorithm)}`,
        gets(200, { 'content-length': '2' }, { body: Buffer.from('{}') }),
      ),
      remove(`/v2/{repo}/blobs/${digestOf('{}', algorithm)}`),
    ]),
  ]),
  row('official suite: a chunk as large as OCI-Chunk-Min-Length asks', '1.1', 'in three', [
    begin(),
    [0, CHUNK, 2 * CHUNK].map((from) =>
      send('PATCH {location}', location(202), part(CHUNKS, from, Math.min(from + CHUNK, CHUNKS.bytes.length)), {
        unless: { 413: 'it asks for larger chunks' },
      }),
    ),
    finish(CHUNKS.digest, {}, location(201)),
  ]),
  ...(
    [
      [
        'one POST',
        [
          send('POST /v2/{repo}/blobs/uploads/', gets([400, 202]), {
            body: BAD.bytes,
            headers: OCTETS,
            query: { digest: BAD.digest },
          }),
        ],
      ],
      ['POST and PUT', [begin(), finish(BAD.digest, { body: BAD.bytes }, gets(400))]],
      ['chunks', [begin(), send('PATCH {location}', gets(202), part(BAD)), finish(BAD.digest, {}, gets(400))]],
    ] as const
  ).map(([how, steps]) =>
    row('official suite: a bad digest', '1.1', how, [steps, send(`HEAD /v2/{repo}/blobs/${BAD.digest}`, gets(404))]),
  ),
  row('official suite: mount of what is not there', '1.1', 'falls back to POST and PUT', [
    pushBlob(blob('official other', 10), '{other}'),
    begin(),
    send('POST /v2/{repo}/blobs/uploads/', location(202), { query: { mount: CHUNKS.digest, from: '{other}' } }),
    finish(CHUNKS.digest, { body: CHUNKS.bytes }, location(201)),
    send('GET {location}', gets(200, {}, { body: CHUNKS.bytes })),
  ]),
  row('official suite: a manifest digest that is none', '1.1', 'PUT: 400, GET: 400 or 404', [
    image('official').blobs.flatMap((one) => pushBlob(one)),
    send('PUT /v2/{repo}/manifests/sha256:baddigeststring', gets(400), putting(image('official').manifest)),
    send('GET /v2/{repo}/manifests/sha256:baddigeststring', gets([400, 404])),
  ]),
  row('official suite: missing manifests', '1.1', '404 by tag and by digest', [
    pushed(image('official')),
    send('GET /v2/{repo}/manifests/missing', gets(404)),
    send(`GET /v2/{repo}/manifests/${absent('official')}`, gets(404)),
  ]),
  row('official suite: a large manifest', '1.1', 'of 4 MiB less a little, with many annotations', [
    image('official').blobs.flatMap((one) => pushBlob(one)),
    put(LARGE),
    send(`GET /v2/{repo}/manifests/${LARGE.digest}`, gets(200, {}, { body: LARGE.bytes })),
  ]),
  row('official suite: teardown', '1.1', 'manifests, then blobs: 202, 404 or 405, and gone', [
    pushed(image('official'), 'v1'),
    send('DELETE /v2/{repo}/manifests/v1', gets([202, 404, 400, 405])),
    send('GET /v2/{repo}/manifests/v1', gets([404, 200])),
    remove(`/v2/{repo}/manifests/${image('official').manifest.digest}`),
    send(`GET /v2/{repo}/manifests/${image('official').manifest.digest}`, gets(404)),
    image('official').blobs.flatMap(({ digest }) => [
      send(`DELETE /v2/{repo}/blobs/${digest}`, gets([202, 404, 405])),
      send(`GET /v2/{repo}/blobs/${digest}`, gets([404, 200])),
    ]),
  ]),
  row('official suite: teardown, blobs first', '1.1', '202, 404 or 405', [
    pushed(image('official'), 'v1'),
    image('official').blobs.map(({ digest }) => send(`DELETE /v2/{repo}/blobs/${digest}`, gets([202, 404, 405]))),
    send(`DELETE /v2/{repo}/manifests/${image('official').manifest.digest}`, gets([202, 404, 405])),
  ]),
  row('official suite: the empty blob', '1.1', 'pushed, asked for and deleted', [
    pushBlob(EMPTY),
    send(`HEAD /v2/{repo}/blobs/${EMPTY.digest}`, gets(200, { 'content-length': '0' })),
    send(`GET /v2/{repo}/blobs/${EMPTY.digest}`, gets(200, {}, { body: EMPTY.bytes })),
    remove(`/v2/{repo}/blobs/${EMPTY.digest}`),
    send(`GET /v2/{repo}/blobs/${EMPTY.digest}`, refused(404, ['BLOB_UNKNOWN', 'NAME_UNKNOWN'])),
  ]),
  row('official suite: tags, last without n', '1.1', 'those behind it and no others', [
    image('official').blobs.flatMap((one) => pushBlob(one)),
    ['a', 'b', 'c', 'd'].map((tag) => put(image('official').manifest, gets(201), { reference: tag })),
    send(
      'GET /v2/{repo}/tags/list?last=b',
      gets(200, {}, { json: ({ tags }) => String(tags) !== 'c,d' && `the tags are ${tags}` }),
    ),
  ]),
];
