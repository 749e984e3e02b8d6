import { type Algorithm, digestOf, noise, OCI_MANIFEST } from '../../support/images.ts';
import { absent, alsoAs, blob, descriptor, image, manifest } from '../content.ts';
import { begin, finish, pushBlob, pushed, put } from '../pushing.ts';
import { gets, type Row, refused, row, send } from '../row.ts';

const NAMES = ['a', '0', 'a0/b1/c2', 'a.b', 'a_b', 'a__b', 'a-b', 'a---b', 'a.b_c__d-e--f/g'];
const BAD_NAMES: readonly (readonly [what: string, name: string])[] = [
  ['an upper-case letter', 'Upper'],
  ['a dot at the start', '.a'],
  ['a dot at the end', 'a.'],
  ['two dots in a row', 'a..b'],
  ['three underscores in a row', 'a___b'],
  ['an underscore at the start', '_a'],
  ['a dash at the end', 'a-'],
  ['a dot beside a dash', 'a.-b'],
  ['an empty component', 'a//b'],
  ['a blank', 'a%20b'],
  ['a letter outside of ASCII', '%C3%A4'],
];

const TAGS = ['a', '0', '_', '_a', 'A.b-c_D', 'v1.0.0-rc.1', 'latest', 't'.repeat(128)];
const BAD_TAGS: readonly (readonly [what: string, tag: string])[] = [
  ['a dot at the start', '.a'],
  ['a dash at the start', '-a'],
  ['a plus', 'a%2Bb'],
  ['a blank', 'a%20b'],
  ['129 characters', 't'.repeat(129)],
];

/** Repositories whose names look like routes. */
const AWKWARD = [
  'a/manifests/b',
  'tags/list',
  'a/blobs/uploads',
  'manifests/latest',
  'blobs/b',
  'referrers/r',
  'v2/v2/x',
  'a/tags',
];

const HEX = digestOf('x').slice(7);
const BAD_DIGESTS: readonly (readonly [what: string, digest: string])[] = [
  ['another algorithm', `md5:${'0'.repeat(32)}`],
  ['an algorithm in capitals', `SHA256:${HEX}`],
  ['hex in capitals', `sha256:${'A'.repeat(64)}`],
  ['too few digits', `sha256:${HEX.slice(1)}`],
  ['too many digits', `sha256:${HEX}0`],
  ['a letter that is no hex digit', `sha256:${'g'.repeat(64)}`],
  ['sha256 hex under sha512', `sha512:${HEX}`],
  ['no hex', 'sha256:'],
];

const INVALID = refused(400, 'DIGEST_INVALID');

const names: readonly Row[] = NAMES.map((name) =>
  row('Grammar: repository name, components joined by slashes', '1.1', `takes ${name}`, [begin(`{repo}/${name}`)]),
);

const lengths: readonly Row[] = [
  row('Grammar: repository name, at most 255 characters', '1.1', 'takes 255 characters, pushed and pulled', [
    pushed(image('long name'), 'v1', '{name255}'),
    send('GET /v2/{name255}/manifests/v1', gets(200, {}, { body: image('long name').manifest.bytes })),
  ]),
  row('Grammar: repository name, at most 255 characters', '1.1', 'refuses 256 characters', [
    send('POST /v2/{name256}/blobs/uploads/', refused(400, 'NAME_INVALID')),
  ]),
];

const routes: readonly Row[] = AWKWARD.map((name) => {
  const { manifest: pulled, blobs } = image(`in ${name}`);
  const repository = `{repo}/${name}`;
  return row('Grammar: a route is found by its suffix', '1.1', `pushes, pulls and lists a repository that ends in ${name}`, [
    pushed({ manifest: pulled, blobs }, 'v1', repository),
    send(`GET /v2/${repository}/manifests/v1`, gets(200, {}, { body: pulled.bytes })),
    send(`GET /v2/${repository}/manifests/${pulled.digest}`, gets(200, {}, { body: pulled.bytes })),
    blobs.map(({ digest, bytes }) => send(`GET /v2/${repository}/blobs/${digest}`, gets(200, {}, { body: bytes }))),
    send(
      `GET /v2/${repository}/tags/list`,
      gets(
        200,
        {},
        { json: ({ tags }, { repo }) => (String(tags) === 'v1' ? undefined : `the tags of ${repo}/${name} are ${tags}`) },
      ),
    ),
  ]);
});

const tags: readonly Row[] = [
  ...TAGS.map((tag) =>
    row('Grammar: tag', '1.1', `takes ${tag.length > 40 ? `${tag.length} characters` : tag}`, [
      pushed(image('tagged'), tag),
      send(`GET /v2/{repo}/manifests/${tag}`, gets(200, {}, { body: image('tagged').manifest.bytes })),
    ]),
  ),
  row('Grammar: tag', '1.1', 'tells capitals from small letters', [
    pushed(image('capital'), 'V1'),
    send('GET /v2/{repo}/manifests/v1', refused(404, 'MANIFEST_UNKNOWN')),
  ]),
  ...BAD_TAGS.map(([what, tag]) =>
    row('Grammar: a bad tag in a manifest PUT → 400', '1.1', `refuses ${what}`, [
      image('badly tagged').blobs.flatMap((one) => pushBlob(one)),
      put(image('badly tagged').manifest, gets(400), { reference: tag }),
    ]),
  ),
];

const places: readonly (readonly [what: string, request: string])[] = [
  ['a blob', 'GET /v2/{repo}/blobs/'],
  ['a manifest', 'GET /v2/{repo}/manifests/'],
  ['referrers', 'GET /v2/{repo}/referrers/'],
  ['the end of an upload in one request', 'POST /v2/{repo}/blobs/uploads/?digest='],
  ['a mount', 'POST /v2/{repo}/blobs/uploads/?mount='],
];

const digests: readonly Row[] = [
  ...(['sha256', 'sha512'] as const).map((algorithm) => {
    const one = blob(`digest of ${algorithm}`, 100, algorithm);
    return row('Grammar: digest', '1.1', `takes ${algorithm} with ${one.digest.length - 7} digits in lower case`, [
      pushBlob(one),
      send(`GET /v2/{repo}/blobs/${one.digest}`, gets(200, {}, { body: one.bytes })),
    ]);
  }),
  ...BAD_DIGESTS.flatMap(([what, digest]) => [
    row('Grammar: another algorithm or bad hex → DIGEST_INVALID', '1.1', `refuses ${what} for a blob that is pushed`, [
      begin(),
      finish(digest, { body: 'content' }, INVALID),
    ]),
    row('Grammar: another algorithm or bad hex → DIGEST_INVALID', '1.1', `refuses ${what} for a manifest that is pushed`, [
      put(image('bad digest').manifest, INVALID, { reference: digest }),
    ]),
  ]),
  ...places.map(([what, request]) =>
    row('Grammar: another algorithm or bad hex → DIGEST_INVALID', '1.1', `refuses bad hex in the URL of ${what}`, [
      pushed(image('bad hex')),
      send(`${request}sha256:${'g'.repeat(64)}`, INVALID),
    ]),
  ),
];

const mixed = (of: Algorithm, layersOf: Algorithm) => {
  const config = blob(`mixed config ${of}`, 40, of);
  const layer = blob(`mixed layer ${layersOf}`, 64, layersOf);
  const body = { schemaVersion: 2, mediaType: OCI_MANIFEST, config: descriptor(config), layers: [descriptor(layer)] };
  return { manifest: manifest(body, OCI_MANIFEST, of), blobs: [config, layer] };
};

const EVERYWHERE = 'Grammar: both algorithms work everywhere';
const SUBJECT = image('sha512 subject', { algorithm: 'sha512' });
const REFERRER = image('sha512 referrer', {
  algorithm: 'sha512',
  fields: { subject: descriptor(SUBJECT.manifest), artifactType: 'application/vnd.example.sha512' },
});

const algorithms: readonly Row[] = [
  row(EVERYWHERE, '1.1', 'an image of sha512 throughout', [
    pushed(image('all sha512', { algorithm: 'sha512' })),
    send(
      `GET /v2/{repo}/manifests/${image('all sha512', { algorithm: 'sha512' }).manifest.digest}`,
      gets(200, {}, { body: image('all sha512', { algorithm: 'sha512' }).manifest.bytes }),
    ),
  ]),
  ...(
    [
      ['sha256', 'sha512'],
      ['sha512', 'sha256'],
    ] as const
  ).map(([of, layersOf]) =>
    row(EVERYWHERE, '1.1', `a ${of} manifest with a layer of ${layersOf}`, [
      pushed(mixed(of, layersOf)),
      send(
        `GET /v2/{repo}/manifests/${mixed(of, layersOf).manifest.digest}`,
        gets(200, {}, { body: mixed(of, layersOf).manifest.bytes }),
      ),
    ]),
  ),
  row(EVERYWHERE, '1.1', 'the same bytes are a blob under either digest, apart from each other', [
    pushBlob(blob('either', 100)),
    send(`HEAD /v2/{repo}/blobs/${blob('either', 100, 'sha512').digest}`, gets(404)),
    pushBlob(blob('either', 100, 'sha512')),
    send(`GET /v2/{repo}/blobs/${blob('either', 100, 'sha512').digest}`, gets(200, {}, { body: blob('either', 100).bytes })),
  ]),
  row(EVERYWHERE, '1.1', 'subjects and referrers of sha512', [
    pushed(SUBJECT),
    pushed(REFERRER),
    send(
      `GET /v2/{repo}/referrers/${SUBJECT.manifest.digest}`,
      gets(
        200,
        {},
        { json: ({ manifests }) => manifests[0].digest !== REFERRER.manifest.digest && `it lists ${JSON.stringify(manifests)}` },
      ),
    ),
  ]),
  row(EVERYWHERE, '1.1', 'a sha512 blob in chunks', [
    begin(),
    send('PATCH {location}', gets(202), { body: noise(100, 'chunk'), headers: { 'content-range': '0-99' } }),
    finish(digestOf(noise(100, 'chunk'), 'sha512')),
  ]),
  row(EVERYWHERE, '1.1', 'what is absent is absent under sha512, too', [
    pushed(image('one of sha256')),
    send(`GET /v2/{repo}/manifests/${absent('sha512', 'sha512')}`, refused(404, 'MANIFEST_UNKNOWN')),
    send(`GET /v2/{repo}/manifests/${alsoAs(image('never').manifest, 'sha512').digest}`, refused(404, 'MANIFEST_UNKNOWN')),
  ]),
];

const badNames: readonly Row[] = BAD_NAMES.flatMap(([what, name]) => [
  row('Grammar: a bad name → NAME_INVALID', '1.1', `refuses ${what} in a push`, [
    send(`POST /v2/{repo}/${name}/blobs/uploads/`, refused(400, 'NAME_INVALID')),
  ]),
  row('Grammar: a bad name → NAME_INVALID', '1.1', `has nothing under a name with ${what}`, [
    send(`GET /v2/{repo}/${name}/manifests/latest`, [
      refused(400, 'NAME_INVALID'),
      refused(404, ['NAME_INVALID', 'NAME_UNKNOWN', 'MANIFEST_UNKNOWN', 'UNSUPPORTED']),
    ]),
  ]),
]);

export const GRAMMAR: readonly Row[] = [...names, ...lengths, ...routes, ...tags, ...digests, ...algorithms, ...badNames];
