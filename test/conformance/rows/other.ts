import { blob, image } from '../content.ts';
import { begin, finish, OCTETS, part, pushBlob, pushed, textOf } from '../pushing.ts';
import { type Answer, type Exchange, type Expected, gets, type Row, refused, row, type Sending, send } from '../row.ts';

const IMAGE = image('for all sorts');
const JSON_TYPE = { 'content-type': /^application\/json/ };

const refusals: readonly Row[] = [
  ...(
    [
      ['MANIFEST_UNKNOWN', 'GET /v2/{repo}/manifests/none', 404],
      ['BLOB_UNKNOWN', `GET /v2/{repo}/blobs/${blob('none').digest}`, 404],
      ['NAME_UNKNOWN', 'GET /v2/{third}/tags/list', 404],
      ['NAME_INVALID', 'POST /v2/{repo}/BAD/blobs/uploads/', 400],
      ['DIGEST_INVALID', 'POST /v2/{repo}/blobs/uploads/?digest=none', 400],
      ['BLOB_UPLOAD_UNKNOWN', 'GET /v2/{repo}/blobs/uploads/none', 404],
      ['MANIFEST_INVALID', 'PUT /v2/{repo}/manifests/v1', 400],
    ] as const
  ).map(([code, request, status]) =>
    row('Other: errors, body and codes', '1.1', `${code}, as JSON`, [
      pushed(IMAGE),
      send(request, refused(status, code, JSON_TYPE)),
    ]),
  ),
  row('Other: errors, 429 carries Retry-After', 'clients', 'of many requests, whichever are refused', [
    pushed(IMAGE, 'v1'),
    { together: Array.from({ length: 30 }, () => [send('GET /v2/{repo}/manifests/v1', gets([200, 429]))]) },
  ]),
  row('Other: Warning headers', '1.1', 'say 299 and a text, where there are any', [
    pushed(IMAGE, 'v1'),
    send('GET /v2/{repo}/manifests/v1', [gets(200, { warning: null }), gets(200, { warning: /^299 \S+ ".+"/ })]),
  ]),
  row('Other: ns= on pulls', 'dev', 'is ignored, or repeated in OCI-Namespace', [
    pushed(IMAGE, 'v1'),
    [
      '/v2/{repo}/manifests/v1',
      `/v2/{repo}/manifests/${IMAGE.manifest.digest}`,
      `/v2/{repo}/blobs/${IMAGE.blobs[0]?.digest}`,
    ].flatMap((path) =>
      ['GET', 'HEAD'].map((method) =>
        send(`${method} ${path}`, [gets(200, { 'oci-namespace': null }), gets(200, { 'oci-namespace': 'docker.io' })], {
          query: { ns: 'docker.io' },
        }),
      ),
    ),
  ]),
];

const BY_NOBODY: Sending = { by: 'nobody' };
const tokenIn = (answer: Answer): string => {
  const { token, access_token: other } = JSON.parse(textOf(answer)) as { token?: string; access_token?: string };
  return token ?? other ?? '';
};

/** docker's answer. */
const TOKEN = gets(200, JSON_TYPE, {
  json: ({ token, access_token: other, expires_in: lifetime, issued_at: issued }) => {
    if (typeof (token ?? other) !== 'string') return 'there is no token';
    if (lifetime !== undefined && !(lifetime > 0)) return `expires_in is ${lifetime}`;
    return issued !== undefined && Number.isNaN(Date.parse(issued)) && `issued_at is ${issued}`;
  },
});
/** All of its fields. */
const WHOLE_TOKEN = gets(200, JSON_TYPE, {
  json: ({ token, access_token: other, expires_in: lifetime, issued_at: issued }) =>
    !(token && token === other && lifetime > 0 && Date.parse(issued) > 0) &&
    'token, access_token, expires_in and issued_at are not all there',
});

const CREDENTIALS = { authorization: '{basic}' };
const fetchToken = (scopes: readonly string[], name = 'token', sending: Sending = {}): Exchange =>
  send(
    'GET {realm}',
    TOKEN,
    { by: 'nobody', headers: CREDENTIALS, query: { service: '{service}', scope: scopes }, ...sending },
    {
      keep: { [name]: (answer) => `Bearer ${tokenIn(answer)}` },
    },
  );
const withToken = (sending: Sending = {}, name = 'token'): Sending => ({
  ...sending,
  by: 'nobody',
  headers: { ...sending.headers, authorization: `{${name}}` },
});

const PUSHING = 'repository:{repo}:pull,push';
const CHALLENGE = 'Other: tokens, the challenge';
const asksFor = (scope: string): Expected => ({
  ...refused(401, 'UNAUTHORIZED', { 'www-authenticate': /^Bearer realm="[^"]+",\s*service="[^"]+"/ }),
  check: ({ headers }, { repo = '' }) => {
    const wanted = `scope="${scope.replace('{repo}', repo)}"`;
    const header = String(headers['www-authenticate']);
    return header.includes(wanted) ? undefined : `WWW-Authenticate is ${header}, and should have ${wanted}`;
  },
});

const challenges: readonly Row[] = [
  row(
    CHALLENGE,
    'clients',
    'of GET /v2/: realm and service',
    [
      send(
        'GET /v2/',
        refused(401, 'UNAUTHORIZED', { 'www-authenticate': /^Bearer realm="https?:\/\/[^"]+",\s*service="[^"]+"/ }),
        BY_NOBODY,
      ),
    ],
    'tokens',
  ),
  ...(
    [
      ['GET /v2/{repo}/manifests/v1', 'repository:{repo}:pull'],
      ['HEAD /v2/{repo}/manifests/v1', 'repository:{repo}:pull'],
      ['GET /v2/{repo}/tags/list', 'repository:{repo}:pull'],
      ['POST /v2/{repo}/blobs/uploads/', PUSHING],
      ['PUT /v2/{repo}/manifests/v1', PUSHING],
      ['GET /v2/_catalog', 'registry:catalog:*'],
    ] as const
  ).map(([request, scope]) =>
    row(
      CHALLENGE,
      'clients',
      `of ${request}: ${scope}`,
      [send(request, request.startsWith('HEAD') ? gets(401, { 'www-authenticate': /^Bearer / }) : asksFor(scope), BY_NOBODY)],
      'tokens',
    ),
  ),
  row(
    CHALLENGE,
    'clients',
    'of a token that is none: the scope stands there as well, so that a long push goes on',
    [
      send('POST /v2/{repo}/blobs/uploads/', asksFor(PUSHING), {
        by: 'nobody',
        headers: { authorization: 'Bearer not.a.token' },
      }),
    ],
    'tokens',
  ),
];

const FORM = { 'content-type': 'application/x-www-form-urlencoded' };
const form = (fields: Readonly<Record<string, string>>): Sending => ({
  by: 'nobody',
  headers: FORM,
  body: Object.entries(fields)
    .map(
      ([name, value]) =>
        `${name}=${/^\{\w+\}$/.test(value) ? value : encodeURIComponent(value).replaceAll('%7B', '{').replaceAll('%7D', '}')}`,
    )
    .join('&'),
});
const NO_FORM = { 404: 'it takes no form', 405: 'it takes no form' };

const PASSWORD_FORM = {
  grant_type: 'password',
  username: '{username}',
  password: '{password}',
  client_id: 'conformance',
  service: '{service}',
};

const tokens: readonly Row[] = [
  row(
    'Other: tokens, GET <realm>',
    'clients',
    'with Basic: a token that pushes and pulls',
    [
      fetchToken([PUSHING]),
      send('POST /v2/{repo}/blobs/uploads/', gets(202), withToken()),
      send(
        'PUT {location}',
        gets(201),
        withToken({ body: IMAGE.blobs[0]?.bytes ?? '', headers: OCTETS, query: { digest: IMAGE.blobs[0]?.digest ?? '' } }),
      ),
      send(`GET /v2/{repo}/blobs/${IMAGE.blobs[0]?.digest}`, gets(200), withToken()),
    ],
    'tokens',
  ),
  row(
    'Other: tokens, GET <realm>',
    'clients',
    'token and access_token, expires_in and issued_at',
    [{ ...fetchToken([PUSHING]), expected: [WHOLE_TOKEN] }],
    'tokens',
  ),
  row(
    'Other: tokens, GET <realm>',
    'clients',
    'a wrong password: 401',
    [
      send(
        'GET {realm}',
        { status: [401, 403] },
        {
          by: 'nobody',
          headers: { authorization: `Basic ${Buffer.from('nobody-at-all:wrong').toString('base64')}` },
          query: { service: '{service}' },
        },
      ),
    ],
    'tokens',
  ),
  row(
    'Other: tokens, POST form with a password',
    'clients',
    'a token, and with access_type=offline one to refresh with',
    [
      send('POST {realm}', TOKEN, form({ ...PASSWORD_FORM, scope: PUSHING, access_type: 'offline' }), {
        unless: NO_FORM,
        keep: { token: (answer) => `Bearer ${tokenIn(answer)}` },
      }),
      send('POST /v2/{repo}/blobs/uploads/', gets(202), withToken()),
    ],
    'tokens',
  ),
  row(
    'Other: tokens, POST form with a password',
    'clients',
    'a wrong one: 401',
    [send('POST {realm}', { status: [400, 401, 403] }, form({ ...PASSWORD_FORM, password: 'wrong' }), { unless: NO_FORM })],
    'tokens',
  ),
  row(
    'Other: tokens, POST form with a refresh token',
    'clients',
    'a token that pushes',
    [
      send(
        'POST {realm}',
        gets(200, {}, { json: ({ refresh_token: refresh }) => !refresh && 'there is no refresh_token' }),
        form({ ...PASSWORD_FORM, access_type: 'offline' }),
        {
          unless: NO_FORM,
          keep: { refresh: (answer) => String((JSON.parse(textOf(answer)) as Record<string, unknown>).refresh_token) },
        },
      ),
      send(
        'POST {realm}',
        TOKEN,
        form({
          grant_type: 'refresh_token',
          refresh_token: '{refresh}',
          client_id: 'conformance',
          service: '{service}',
          scope: PUSHING,
        }),
        {
          keep: { token: (answer) => `Bearer ${tokenIn(answer)}` },
        },
      ),
      send('POST /v2/{repo}/blobs/uploads/', gets(202), withToken()),
    ],
    'tokens',
  ),
  row(
    'Other: tokens, scopes not granted are left out → DENIED',
    'clients',
    'another account gets a token all the same, which is denied',
    [
      pushed(IMAGE, 'v1'),
      send('GET /v2/{repo}/manifests/v1', refused(403, 'DENIED'), { by: 'stranger' }),
      send('POST /v2/{repo}/blobs/uploads/', refused(403, 'DENIED'), { by: 'stranger' }),
      send('DELETE /v2/{repo}/manifests/v1', refused(403, 'DENIED'), { by: 'stranger' }),
    ],
    'stranger',
  ),
  row(
    'Other: tokens, scopes not granted are left out → DENIED',
    'clients',
    'a token to pull does not push',
    [
      pushed(IMAGE, 'v1'),
      fetchToken(['repository:{repo}:pull']),
      send('GET /v2/{repo}/manifests/v1', gets(200), withToken()),
      send('POST /v2/{repo}/blobs/uploads/', refused([401, 403], ['UNAUTHORIZED', 'DENIED']), withToken()),
    ],
    'tokens',
  ),
  row(
    'Other: tokens, scopes not granted are left out → DENIED',
    'clients',
    'a token of another repository is of no use',
    [
      pushed(IMAGE, 'v1'),
      fetchToken(['repository:{other}:pull,push']),
      send('GET /v2/{repo}/manifests/v1', refused([401, 403], ['UNAUTHORIZED', 'DENIED']), withToken()),
    ],
    'tokens',
  ),
  row(
    'Other: tokens, several scopes in one',
    'clients',
    'mount from one repository into another',
    [
      pushBlob(blob('to mount', 90), '{other}'),
      fetchToken([PUSHING, 'repository:{other}:pull']),
      send(
        'POST /v2/{repo}/blobs/uploads/',
        gets(201),
        withToken({ query: { mount: blob('to mount', 90).digest, from: '{other}' } }),
      ),
    ],
    'tokens',
  ),
  row(
    'Other: tokens, several scopes in one',
    'clients',
    'in one parameter, with blanks between them',
    [
      pushBlob(blob('to mount', 90), '{other}'),
      fetchToken([`${PUSHING} repository:{other}:pull`]),
      send(
        'POST /v2/{repo}/blobs/uploads/',
        gets(201),
        withToken({ query: { mount: blob('to mount', 90).digest, from: '{other}' } }),
      ),
    ],
    'tokens',
  ),
  row(
    'Other: tokens, registry:catalog:*',
    'clients',
    'lists the catalog, which another scope does not',
    [
      fetchToken(['registry:catalog:*']),
      send('GET /v2/_catalog', gets(200), withToken()),
      fetchToken([PUSHING], 'narrow'),
      send('GET /v2/_catalog', refused([401, 403], ['UNAUTHORIZED', 'DENIED']), withToken({}, 'narrow')),
    ],
    'tokens',
  ),
  row(
    'Other: tokens, anonymous callers',
    'clients',
    'get a token without what is not public, or none',
    [
      pushed(IMAGE, 'v1'),
      send(
        'GET {realm}',
        [TOKEN, { status: 401 }],
        { by: 'nobody', query: { service: '{service}', scope: PUSHING } },
        {
          keep: { token: (answer) => (answer.status === 200 ? `Bearer ${tokenIn(answer)}` : 'Bearer none') },
        },
      ),
      send('POST /v2/{repo}/blobs/uploads/', refused([401, 403], ['UNAUTHORIZED', 'DENIED']), withToken()),
    ],
    'tokens',
  ),
  row(
    'Other: tokens, docker login probes',
    'clients',
    '/v2/ without credentials, the realm with them, /v2/ with the token',
    [
      send('GET /v2/', refused(401, 'UNAUTHORIZED'), BY_NOBODY),
      send(
        'GET {realm}',
        TOKEN,
        {
          by: 'nobody',
          headers: CREDENTIALS,
          query: { account: '{username}', client_id: 'docker', offline_token: 'true', service: '{service}' },
        },
        { keep: { token: (answer) => `Bearer ${tokenIn(answer)}` } },
      ),
      send('GET /v2/', gets(200), withToken()),
    ],
    'tokens',
  ),
  row(
    'Other: Basic straight on /v2/',
    'clients',
    'pushes and pulls',
    [
      send('GET /v2/', gets(200), { by: 'basic' }),
      send('POST /v2/{repo}/blobs/uploads/', gets(202), { by: 'basic' }),
      send('PUT {location}', gets(201), {
        by: 'basic',
        body: IMAGE.blobs[0]?.bytes ?? '',
        headers: OCTETS,
        query: { digest: IMAGE.blobs[0]?.digest ?? '' },
      }),
      send(`GET /v2/{repo}/blobs/${IMAGE.blobs[0]?.digest}`, gets(200), { by: 'basic' }),
    ],
    'login',
  ),
  row(
    'Other: a long push outlives its token',
    'clients',
    'begun with one token and refused with a bad one, it goes on with another',
    [
      fetchToken([PUSHING], 'first'),
      fetchToken([PUSHING], 'second'),
      send('POST /v2/{repo}/blobs/uploads/', gets(202), withToken({}, 'first')),
      send('PATCH {location}', gets(202), withToken(part(blob('long', 200), 0, 100), 'first')),
      send('PATCH {location}', asksFor(PUSHING), {
        by: 'nobody',
        ...part(blob('long', 200), 100),
        headers: { authorization: 'Bearer ended' },
      }),
      send('PATCH {location}', gets(202), withToken(part(blob('long', 200), 100), 'second')),
      send('PUT {location}', gets(201), withToken({ query: { digest: blob('long', 200).digest } }, 'second')),
    ],
    'tokens',
  ),
];

const HEADS: readonly (readonly [path: string, status: number])[] = [
  ['/v2/', 200],
  ['/v2/{repo}/manifests/v1', 200],
  ['/v2/{repo}/manifests/none', 404],
  [`/v2/{repo}/blobs/${IMAGE.blobs[0]?.digest}`, 200],
  [`/v2/{repo}/blobs/${blob('none').digest}`, 404],
  ['/v2/{repo}/tags/list', 200],
  ['/v2/{third}/tags/list', 404],
];

const wrong = (request: string, allow: RegExp): Exchange => send(request, refused(405, 'UNSUPPORTED', { allow }));

const routes: readonly Row[] = [
  ...HEADS.map(([path, status]) =>
    row('Other: HEAD never has a body', '1.1', `HEAD ${path.replace(/sha256:.*/, '<digest>')}: ${status}`, [
      pushed(IMAGE, 'v1'),
      send(`HEAD ${path}`, gets(status, {}, { body: Buffer.alloc(0) })),
    ]),
  ),
  ...(
    [
      ['POST /v2/', /GET/],
      ['DELETE /v2/_catalog', /GET/],
      ['POST /v2/{repo}/tags/list', /GET/],
      ['POST /v2/{repo}/manifests/v1', /GET.*PUT|PUT.*GET/],
      [`PUT /v2/{repo}/blobs/${blob('none').digest}`, /GET/],
      [`PATCH /v2/{repo}/referrers/${blob('none').digest}`, /GET/],
      ['PUT /v2/{repo}/blobs/uploads/', /POST/],
      ['POST /v2/{repo}/blobs/uploads/00000000-0000-4000-8000-000000000000', /PATCH.*PUT|PUT.*PATCH/],
    ] as const
  ).map(([request, allow]) =>
    row('Other: wrong methods → 405 and Allow', 'clients', request.replace(/sha256:.*/, '<digest>'), [
      pushed(IMAGE, 'v1'),
      wrong(request, allow),
    ]),
  ),
  ...['/v2/{repo}/nothing/of/the/kind', '/v2/{repo}', '/v2/{repo}/manifests', '/v2/{repo}/tags', '/v2/{repo}/tags/none'].map(
    (path) =>
      row('Other: unknown routes → 404 and a JSON error', 'clients', path, [send(`GET ${path}`, gets([404, 405], JSON_TYPE))]),
  ),
  row('Other: errors, body and codes', '1.1', 'an upload that breaks a rule goes on after the refusal', [
    begin(),
    finish('sha256:none', { body: 'abc' }, refused(400, 'DIGEST_INVALID')),
    finish(blob('after all', 10).digest, { body: blob('after all', 10).bytes }),
  ]),
];

export const OTHER: readonly Row[] = [...refusals, ...challenges, ...tokens, ...routes];
