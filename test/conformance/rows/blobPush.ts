import { setTimeout as pause } from 'node:timers/promises';
import { type Blob, digestOf } from '../../support/images.ts';
import { absent, blob, EMPTY } from '../content.ts';
import { begin, finish, OCTETS, part, pushBlob } from '../pushing.ts';
import { type Exchange, gets, type Row, refused, row, send } from '../row.ts';

const has = ({ digest, bytes }: Blob, repository = '{repo}'): Exchange =>
  send(`GET /v2/${repository}/blobs/${digest}`, gets(200, {}, { body: bytes }));
const hasNot = ({ digest }: Blob, repository = '{repo}'): Exchange =>
  send(`GET /v2/${repository}/blobs/${digest}`, refused(404, ['BLOB_UNKNOWN', 'NAME_UNKNOWN']));

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

const sessions: readonly Row[] = [
  row('Push: blobs, POST → a session', '1.1', '202 with a Location', [begin()]),
  row('Push: blobs, POST → a session', 'clients', 'Docker-Upload-UUID and Range: 0-0', [
    send('POST /v2/{repo}/blobs/uploads/', gets(202, { 'docker-upload-uuid': UUID, range: '0-0' })),
  ]),
  row('Push: blobs, POST without the final slash', 'clients', 'is the same', [
    send('POST /v2/{repo}/blobs/uploads', gets(202, { location: /./ })),
    finish(blob('no slash').digest, { body: blob('no slash').bytes }),
    has(blob('no slash')),
  ]),
];

const ONE = blob('in one request', 300);
const atOnce = (digest: string, body: Uint8Array, expected: Exchange['expected']): Exchange =>
  send('POST /v2/{repo}/blobs/uploads/', expected, { body, headers: OCTETS, query: { digest } });
const ACCEPTED = { 202: 'it does not take a blob in one POST' };

const inOneRequest: readonly Row[] = [
  ...(['sha256', 'sha512'] as const).map((algorithm) => {
    const one = blob(`in one request ${algorithm}`, 300, algorithm);
    return row('Push: blobs, POST ?digest= with body', '1.1', `201 with the Location of the blob (${algorithm})`, [
      { ...atOnce(one.digest, one.bytes, [gets(201, { location: /./ })]), unless: ACCEPTED },
      send('GET {location}', gets(200, {}, { body: one.bytes })),
      has(one),
    ]);
  }),
  row('Push: blobs, POST ?digest= that does not match → DIGEST_INVALID', '1.1', 'and nothing is stored', [
    { ...atOnce(ONE.digest, Buffer.from('something else'), [refused(400, 'DIGEST_INVALID')]), unless: ACCEPTED },
    hasNot(ONE),
  ]),
  row('Push: blobs, Content-Length that does not match → SIZE_INVALID', '1.1', 'where Content-Range says another length', [
    begin(),
    send('PATCH {location}', refused(400, 'SIZE_INVALID'), {
      body: ONE.bytes,
      headers: { ...OCTETS, 'content-range': `0-${ONE.bytes.length}` },
    }),
  ]),
  row(
    'Push: blobs, Content-Length that does not match → SIZE_INVALID',
    '1.1',
    'a body that ends before its length: nothing is stored',
    [
      begin(),
      {
        raw: 'PUT {location}',
        query: { digest: ONE.digest },
        head: ['Content-Length: 300', 'Connection: close'],
        body: ONE.bytes.subarray(0, 299),
      },
      hasNot(ONE),
    ],
  ),
];

const ALGORITHM = 'Push: blobs, POST ?digest-algorithm=';
const algorithms: readonly Row[] = [
  ...(['sha256', 'sha512'] as const).map((algorithm) => {
    const one = blob(`announced ${algorithm}`, 100, algorithm);
    return row(ALGORITHM, 'dev', `${algorithm}, announced and finished by`, [
      begin('{repo}', { 'digest-algorithm': algorithm }),
      send('PATCH {location}', gets(202), part(one)),
      finish(one.digest),
      has(one),
    ]);
  }),
  row(`${ALGORITHM} unknown → 400`, 'dev', 'md5', [
    send('POST /v2/{repo}/blobs/uploads/', gets(400), { query: { 'digest-algorithm': 'md5' } }),
  ]),
];

const MOUNTED = blob('mounted', 200);
const mount = (query: Readonly<Record<string, string>>, expected: Exchange['expected']): Exchange =>
  send('POST /v2/{repo}/blobs/uploads/', expected, { query });

const mounts: readonly Row[] = [
  ...(['sha256', 'sha512'] as const).map((algorithm) => {
    const one = blob(`mounted ${algorithm}`, 200, algorithm);
    return row('Push: blobs, POST ?mount=&from= → 201', '1.1', `with the Location of the blob (${algorithm})`, [
      pushBlob(one, '{other}'),
      // So that a token for both is held, as clients do that mount.
      begin(),
      mount({ mount: one.digest, from: '{other}' }, [gets(201, { location: /./ })]),
      send('GET {location}', gets(200, {}, { body: one.bytes })),
      has(one),
    ]);
  }),
  row('Push: blobs, POST ?mount=&from= → 201', '1.1', 'and stays where it was', [
    pushBlob(MOUNTED, '{other}'),
    begin(),
    mount({ mount: MOUNTED.digest, from: '{other}' }, [gets(201)]),
    has(MOUNTED, '{other}'),
  ]),
  row('Push: blobs, POST ?mount=&from= → 201', '1.1', 'once more where it is already', [
    pushBlob(MOUNTED),
    mount({ mount: MOUNTED.digest, from: '{repo}' }, [gets(201), gets(202)]),
    has(MOUNTED),
  ]),
  ...[
    ['from a repository that does not exist', '{third}'],
    ['from a repository without it', '{other}'],
  ].map(([what, from = '']) =>
    row('Push: blobs, POST ?mount= of what is not there → 202', '1.1', `${what}: an ordinary session`, [
      pushBlob(blob('of the other', 20), '{other}'),
      begin(),
      mount({ mount: blob('unmounted', 200).digest, from }, [gets(202, { location: /./ })]),
      finish(blob('unmounted', 200).digest, { body: blob('unmounted', 200).bytes }),
      has(blob('unmounted', 200)),
    ]),
  ),
  row('Push: blobs, POST ?mount= without from', '1.1', 'of a blob that is nowhere: 202', [
    mount({ mount: absent('mounted') }, [gets(202, { location: /./ })]),
  ]),
  row('Push: blobs, POST ?mount= without from', '1.1', 'of a blob of another repository: 201', [
    pushBlob(blob('found', 200), '{other}'),
    begin(),
    {
      ...mount({ mount: blob('found', 200).digest }, [gets(201, { location: /./ })]),
      unless: { 202: 'it mounts only from a named repository' },
    },
    has(blob('found', 200)),
  ]),
];

const CHUNKED = blob('in chunks', 300);
const WITH_RANGE = 'Push: blobs, PATCH with Content-Range, both spellings';
const OUT_OF_ORDER = 'Push: blobs, PATCH with Content-Range: out of order → 416 with the current Range';
const at = (last: number): Readonly<Record<string, string>> => ({ range: `0-${last}` });

const chunks: readonly Row[] = [
  ...[
    ['0-99', '100-299'],
    ['bytes 0-99/300', 'bytes 100-299/300'],
    ['bytes 0-99/*', 'bytes 100-299/*'],
  ].map(([first = '', second = '']) =>
    row(WITH_RANGE, first.startsWith('bytes') ? 'clients' : '1.1', first, [
      begin(),
      send('PATCH {location}', gets(202, { location: /./, ...at(99) }), part(CHUNKED, 0, 100, first)),
      send('PATCH {location}', gets(202, { location: /./, ...at(299) }), part(CHUNKED, 100, 300, second)),
      finish(CHUNKED.digest),
      has(CHUNKED),
    ]),
  ),
  ...(
    [
      ['a gap', 150, 250],
      ['the same once more', 0, 100],
      ['an overlap', 50, 150],
    ] as const
  ).map(([what, from, to]) =>
    row(OUT_OF_ORDER, '1.1', `${what}; the session goes on`, [
      begin(),
      send('PATCH {location}', gets(202, at(99)), part(CHUNKED, 0, 100)),
      send('PATCH {location}', { status: 416, headers: at(99) }, part(CHUNKED, from, to)),
      send('PATCH {location}', gets(202, at(299)), part(CHUNKED, 100, 300)),
      finish(CHUNKED.digest),
      has(CHUNKED),
    ]),
  ),
  row(OUT_OF_ORDER, '1.1', 'the first chunk does not begin at 0', [
    begin(),
    send('PATCH {location}', { status: 416, headers: { range: '0-0' } }, part(CHUNKED, 100, 300)),
    send('PATCH {location}', gets(202, at(299)), part(CHUNKED)),
    finish(CHUNKED.digest),
  ]),
  row(OUT_OF_ORDER, '1.1', 'the last chunk, in a PUT', [
    begin(),
    send('PATCH {location}', gets(202, at(99)), part(CHUNKED, 0, 100)),
    finish(CHUNKED.digest, part(CHUNKED, 200, 300), { status: 416, headers: at(99) }),
    finish(CHUNKED.digest, part(CHUNKED, 100, 300)),
    has(CHUNKED),
  ]),
  row(WITH_RANGE, '1.1', 'a Content-Range that says nothing: 400 or 416', [
    begin(),
    send('PATCH {location}', { status: [400, 416] }, part(CHUNKED, 0, 100, '99-0')),
    send('PATCH {location}', { status: [400, 416] }, part(CHUNKED, 0, 100, 'all')),
  ]),
  ...(
    [
      ['in chunked transfer encoding, without a length', true],
      ['with a length', false],
    ] as const
  ).map(([what, chunked]) =>
    row('Push: blobs, PATCH without Content-Range, streamed', '1.1', what, [
      begin(),
      send('PATCH {location}', gets(202, at(199)), { body: CHUNKED.bytes.subarray(0, 200), chunked, headers: OCTETS }),
      send('PATCH {location}', gets(202, at(299)), { body: CHUNKED.bytes.subarray(200), chunked, headers: OCTETS }),
      finish(CHUNKED.digest),
      has(CHUNKED),
    ]),
  ),
  row('Push: blobs, PATCH without Content-Range, streamed', '1.1', '1 MiB, streamed by sha512', [
    begin(),
    send('PATCH {location}', gets(202, at(1024 * 1024 - 1)), {
      body: blob('streamed', 1024 * 1024, 'sha512').bytes,
      chunked: true,
      headers: OCTETS,
    }),
    finish(blob('streamed', 1024 * 1024, 'sha512').digest),
    has(blob('streamed', 1024 * 1024, 'sha512')),
  ]),
];

const STATUS = 'Push: blobs, GET <location> → 204 with Range';
const CANCEL = 'Push: blobs, DELETE <location> → 204, then BLOB_UPLOAD_UNKNOWN';
const LAST = 'Push: blobs, PUT with or without a last chunk';
const UNKNOWN = refused(404, 'BLOB_UPLOAD_UNKNOWN');

const ends: readonly Row[] = [
  row(STATUS, '1.1', 'of a new session, and in its middle', [
    begin(),
    send('GET {location}', gets(204, { location: /./, range: '0-0' })),
    send('PATCH {location}', gets(202, at(99)), part(CHUNKED, 0, 100)),
    send('GET {location}', gets(204, { location: /./, ...at(99) }, { body: Buffer.alloc(0) })),
    send('PATCH {location}', gets(202, at(299)), part(CHUNKED, 100, 300)),
    finish(CHUNKED.digest),
  ]),
  row(STATUS, '1.1', 'of a session that never was: 404', [
    begin(),
    send('GET /v2/{repo}/blobs/uploads/00000000-0000-4000-8000-000000000000', UNKNOWN),
  ]),
  row(STATUS, '1.1', 'of one that has ended: 404', [
    { ...begin(), keep: { ended: (_answer, { location = '' }) => location } },
    finish(CHUNKED.digest, { body: CHUNKED.bytes }),
    send('GET {ended}', UNKNOWN),
  ]),
  row(CANCEL, 'dev', 'with what it held', [
    begin(),
    send('PATCH {location}', gets(202), part(CHUNKED, 0, 100)),
    send('DELETE {location}', gets(204, {}, { body: Buffer.alloc(0) }), {}, { unless: { 405: 'it does not cancel uploads' } }),
    send('GET {location}', UNKNOWN),
    send('PATCH {location}', UNKNOWN, part(CHUNKED, 100, 300)),
    finish(CHUNKED.digest, {}, UNKNOWN),
    send('DELETE {location}', UNKNOWN),
  ]),
  row(LAST, '1.1', 'all of it in the PUT', [
    begin(),
    finish(CHUNKED.digest, { body: CHUNKED.bytes }, gets(201, { location: /./ })),
    send('GET {location}', gets(200, {}, { body: CHUNKED.bytes })),
  ]),
  row(LAST, '1.1', 'the last chunk in the PUT', [
    begin(),
    send('PATCH {location}', gets(202), part(CHUNKED, 0, 100)),
    finish(CHUNKED.digest, part(CHUNKED, 100, 300), gets(201, { location: /./ })),
    send('GET {location}', gets(200, {}, { body: CHUNKED.bytes })),
  ]),
  row(LAST, '1.1', 'nothing more in the PUT', [
    begin(),
    send('PATCH {location}', gets(202), part(CHUNKED)),
    finish(CHUNKED.digest, {}, gets(201, { location: /./ })),
    send('GET {location}', gets(200, {}, { body: CHUNKED.bytes })),
  ]),
  row(LAST, 'dev', 'Docker-Content-Digest', [
    begin(),
    finish(CHUNKED.digest, { body: CHUNKED.bytes }, gets(201, { 'docker-content-digest': CHUNKED.digest })),
  ]),
  row(LAST, '1.1', 'a PUT without a digest: 400', [
    begin(),
    send('PUT {location}', refused(400, 'DIGEST_INVALID'), { body: CHUNKED.bytes, headers: OCTETS }),
  ]),
  row(LAST, 'clients', 'streamed, in chunked transfer encoding', [
    begin(),
    finish(CHUNKED.digest, { body: CHUNKED.bytes, chunked: true }),
    has(CHUNKED),
  ]),
  ...[
    [
      'the bytes in the PUT',
      [begin(), finish(absent('wrong'), { body: CHUNKED.bytes }, refused(400, 'DIGEST_INVALID'))],
    ] as const,
    [
      'the bytes before it',
      [begin(), send('PATCH {location}', gets(202), part(CHUNKED)), finish(absent('wrong'), {}, refused(400, 'DIGEST_INVALID'))],
    ] as const,
    [
      'the bytes streamed before it',
      [
        begin(),
        send('PATCH {location}', gets(202), { body: CHUNKED.bytes, chunked: true, headers: OCTETS }),
        finish(absent('wrong', 'sha512'), {}, refused(400, 'DIGEST_INVALID')),
      ],
    ] as const,
  ].map(([what, steps]) =>
    row('Push: blobs, PUT with the wrong digest: nothing stored', '1.1', what, [
      steps,
      hasNot({ ...CHUNKED, digest: absent('wrong') }),
      hasNot(CHUNKED),
    ]),
  ),
];

const locations: readonly Row[] = [
  row('Push: blobs, the latest Location is the one to use', '1.1', 'it leads through a whole upload, relative or absolute', [
    begin(),
    [0, 100, 200].flatMap((from) => [
      send('PATCH {location}', gets(202, { location: /^(\/|https?:\/\/)/ }), part(CHUNKED, from, from + 100)),
      send('GET {location}', gets(204, { location: /^(\/|https?:\/\/)/ })),
    ]),
    finish(CHUNKED.digest, {}, gets(201, { location: /^(\/|https?:\/\/)/ })),
    send('GET {location}', gets(200, {}, { body: CHUNKED.bytes })),
  ]),
  row(
    'Push: blobs, Location behind a proxy',
    'clients',
    'is relative, or names this registry or, where it trusts the proxy, the proxy',
    [
      send(
        'POST /v2/{repo}/blobs/uploads/',
        gets(
          202,
          {},
          {
            check: ({ headers }, { host, base = '' }) => {
              const to = new URL(String(headers.location), base).host;
              return to === host || to === 'proxy.test' ? undefined : `the Location leads to ${to}`;
            },
          },
        ),
        { headers: { 'x-forwarded-host': 'proxy.test', 'x-forwarded-proto': 'https' } },
      ),
    ],
  ),
];

const empties: readonly Row[] = [
  row('Push: blobs, the empty blob', '1.1', 'POST and PUT', [
    begin(),
    finish(EMPTY.digest),
    has(EMPTY),
    send(`HEAD /v2/{repo}/blobs/${EMPTY.digest}`, gets(200, { 'content-length': '0' })),
  ]),
  row('Push: blobs, the empty blob', '1.1', 'an empty PATCH, then PUT', [
    begin(),
    send('PATCH {location}', gets(202), { body: '', headers: OCTETS }),
    finish(EMPTY.digest),
    has(EMPTY),
  ]),
  row('Push: blobs, the empty blob', '1.1', 'in one POST, by sha512', [
    { ...atOnce(digestOf('', 'sha512'), EMPTY.bytes, [gets(201)]), unless: ACCEPTED },
    has({ ...EMPTY, digest: digestOf('', 'sha512') }),
  ]),
];

const TWICE = blob('twice at once', 50_000);
const twice: readonly Row[] = [
  row('Push: blobs, the same blob twice at once', '1.1', 'ends well for both', [
    { together: [pushBlob(TWICE), pushBlob(TWICE), pushBlob(TWICE, '{other}')] },
    has(TWICE),
    has(TWICE, '{other}'),
  ]),
  row('Push: blobs, the same blob twice at once', '1.1', 'once more where it is already', [
    pushBlob(TWICE),
    pushBlob(TWICE),
    has(TWICE),
  ]),
  row(
    'Push: blobs, the same blob twice at once',
    'clients',
    'two finishes of one session: one at least ends well, and the blob is whole',
    [
      begin(),
      send('PATCH {location}', gets(202), part(TWICE)),
      {
        does: 'finishes twice at once',
        run: async (ask) => {
          const ending = finish(TWICE.digest, {}, { status: [201, 202, 404, 409, 416] });
          const answers = await Promise.all([ask(ending), ask(ending)]);
          if (!answers.some(({ status }) => status === 201)) throw new Error('Neither of two finishes ended well.');
        },
      },
      has(TWICE),
    ],
  ),
];

const BROKEN = blob('broken off', 60_000);
const SENT = 40_000;
/** How often is looked whether the registry has noticed the broken connection, and for how long, in ms. */
const LOOK_MS = 50;
const LOOKS = 100;

/** From where the session says it stands, until a registry that is busy with the broken request lets go of it. */
const resume = async (ask: (step: Exchange) => Promise<{ status: number; headers: Record<string, unknown> }>): Promise<void> => {
  for (let look = 0; look < LOOKS; look += 1) {
    const { headers } = await ask(send('GET {location}', gets(204, { range: /^0-\d+$/ })));
    const last = Number(String(headers.range).slice(2));
    const from = last === 0 ? 0 : last + 1;
    if (from > SENT) throw new Error(`The session says that it has ${from} bytes, and ${SENT} were sent.`);
    const { status } = await ask(send('PATCH {location}', { status: [202, 400, 404, 409, 416] }, part(BROKEN, from)));
    if (status === 202) return;
    await pause(LOOK_MS);
  }
  throw new Error('The session did not go on.');
};

const breaks: readonly Row[] = (['Content-Length', 'Transfer-Encoding'] as const).map((how) =>
  row(
    'Push: blobs, a connection that breaks in the middle of a PATCH',
    'clients',
    `sent with ${how}: goes on from where it says it stands`,
    [
      begin(),
      {
        raw: 'PATCH {location}',
        head: [how === 'Content-Length' ? 'Content-Length: 60000' : 'Transfer-Encoding: chunked', 'Expect: 100-continue'],
        body:
          how === 'Content-Length'
            ? BROKEN.bytes.subarray(0, SENT)
            : Buffer.concat([Buffer.from(`${SENT.toString(16)}\r\n`), BROKEN.bytes.subarray(0, SENT), Buffer.from('\r\n')]),
      },
      { does: 'resumes', run: (ask) => resume(ask as never) },
      finish(BROKEN.digest),
      has(BROKEN),
    ],
  ),
);

export const BLOB_PUSH: readonly Row[] = [
  ...sessions,
  ...inOneRequest,
  ...algorithms,
  ...mounts,
  ...chunks,
  ...ends,
  ...locations,
  ...empties,
  ...twice,
  ...breaks,
];
