import fc from 'fast-check';

const ALPHANUMERIC = [...'abcxyz0189'];
const word = fc.string({ unit: fc.constantFrom(...ALPHANUMERIC), minLength: 1, maxLength: 8 });
const separator = fc.constantFrom('.', '_', '__', '-', '--', '-----');

/** Words of the paths themselves. */
const ROUTE_WORDS = ['manifests', 'blobs', 'uploads', 'tags', 'list', 'latest', 'v2', 'referrers', 'sha256', 'auth', 'catalog'];

const component = fc.oneof(
  fc.constantFrom(...ROUTE_WORDS, 'tags/list', 'blobs/uploads', 'v2/manifests/x'),
  fc
    .tuple(word, fc.array(fc.tuple(separator, word), { maxLength: 3 }))
    .map(([first, rest]) => first + rest.map((parts) => parts.join('')).join('')),
);

/** A repository's name, often one that looks like a route. */
export const anyName: fc.Arbitrary<string> = fc
  .array(component, { minLength: 1, maxLength: 6 })
  .map((components) => components.join('/'))
  .filter((name) => name.length <= 255);

export const anyTag: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom('latest', 'list', 'uploads', 'tags', 'manifests', '_', 'v1.0', 'A-b_c.D', '0'),
  fc.stringMatching(/^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/),
);

/** Text for where something else is expected. */
const NASTY = [
  ...[
    '',
    ' ',
    '0',
    '-1',
    '1e999',
    '9'.repeat(40),
    'null',
    'undefined',
    '__proto__',
    'constructor',
    '../..',
    '%',
    '%00',
    '%2F',
    '%zz',
  ],
  ...[
    '%C3%28',
    '%F0%9F%90%B3',
    '*',
    '"',
    "'",
    '\\',
    ';',
    ',',
    '=',
    '&',
    '#',
    ':',
    '::',
    '[',
    '{}',
    '<x>',
    '$ne',
    'a'.repeat(300),
    'a/'.repeat(200),
  ],
  ...['sha256:', `sha256:${'0'.repeat(64)}`, `sha512:${'f'.repeat(128)}`, `sha256:${'0'.repeat(63)}`, `md5:${'0'.repeat(32)}`],
];
export const anyNasty: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom(...NASTY),
  fc.string({ unit: 'grapheme-ascii', maxLength: 40 }),
);

const anySlot: fc.Arbitrary<string> = fc.oneof(anyName, anyTag, anyNasty, fc.constantFrom('a/b', 'a/b', 'latest', '_catalog'));

/** The paths that there are, with anything in their slots; and others. */
const anyPath: fc.Arbitrary<string> = fc.oneof(
  { weight: 8, arbitrary: anyRoute() },
  fc
    .tuple(fc.constantFrom('/v2/', '/v2', '/', '//', '/v2//', '/api/v1/', ''), fc.array(anySlot, { maxLength: 6 }))
    .map(([start, segments]) => start + segments.join('/')),
);

function anyRoute(): fc.Arbitrary<string> {
  const named = fc.tuple(
    anySlot,
    fc.constantFrom('/manifests/', '/blobs/', '/blobs/uploads/', '/tags/list', '/blobs/uploads', '/'),
    anySlot,
  );
  return fc.oneof(
    {
      weight: 5,
      arbitrary: named.map(([name, middle, last]) => `/v2/${name}${middle}${/(?:list|uploads)$/.test(middle) ? '' : last}`),
    },
    fc.constantFrom('/v2/', '/v2/_catalog', '/auth', '/auth/login', '/health', 'http://registry.test/v2/a/b/tags/list'),
  );
}

/** A path and query, well-formed or not, that come close to those that there are. Without blanks and line breaks, which end it. */
export const anyTarget: fc.Arbitrary<string> = fc
  .tuple(
    anyPath,
    fc.array(
      fc.tuple(fc.constantFrom('n', 'last', 'digest', 'mount', 'from', 'tag', 'scope', 'digest-algorithm', '', '%'), anySlot),
      { maxLength: 3 },
    ),
  )
  .map(([path, query]) => {
    const search = query.map(([key, value]) => `${key}=${value}`).join('&');
    return `${path}${search === '' ? '' : `?${search}`}`.replaceAll(/[\s\u007f]/g, '');
  });

/** What a header can carry. */
const anyHeaderText = anyNasty.map((text) => text.replaceAll(/[^\t\u0020-\u007e]/g, ''));
const HEADERS: Readonly<Record<string, readonly string[]>> = {
  authorization: ['Basic', 'Bearer', 'Basic YTpi', 'Bearer a.b.c', 'Basic ', 'Negotiate x'],
  range: ['bytes=0-0', 'bytes=-1', 'bytes=5-', 'bytes=0-1,3-4', 'bytes=99999999999999999999-'],
  'content-range': ['0-9', 'bytes 0-9/10', '9-0', '0-99999999999999999999'],
  'content-type': [
    'application/json',
    'application/vnd.oci.image.manifest.v1+json',
    'application/x-www-form-urlencoded',
    'x',
    'a/b; c="',
  ],
  accept: ['*/*', 'application/vnd.oci.image.index.v1+json', ';;;'],
  'accept-encoding': ['gzip', 'identity;q=0', '*;q=0'],
  'accept-version': ['1.x', '*'],
  'if-none-match': ['*', '""', 'W/"x"'],
  'if-range': ['"x"', 'Wed, 21 Oct 2026 07:28:00 GMT'],
  'x-forwarded-for': ['1.2.3.4', 'unknown'],
  'x-forwarded-proto': ['https'],
  'x-forwarded-host': ['evil.test'],
  'x-http-method-override': ['DELETE'],
  'user-agent': ['x'.repeat(4000), '\u00ff\u00fe'],
  origin: ['null', 'https://evil.test'],
  host: ['registry.test', 'a:99999', '1.2.3.999', '[::1'],
  cookie: ['a=b; __Host-session=x'],
};
export const anyHeaders: fc.Arbitrary<Readonly<Record<string, string>>> = fc
  .array(
    fc
      .constantFrom(...Object.keys(HEADERS))
      .chain((name) => fc.tuple(fc.constant(name), fc.oneof(fc.constantFrom(...(HEADERS[name] ?? [''])), anyHeaderText))),
    { maxLength: 5 },
  )
  .map(Object.fromEntries);

const BODIES = [
  '',
  '{}',
  '[]',
  'null',
  '{"schemaVersion":2}',
  '{"username":"admin","password":"x"}',
  'grant_type=password&username=a',
  'x',
];
export const anyBody: fc.Arbitrary<string | Buffer | undefined> = fc.oneof(
  fc.constant(undefined),
  fc.constantFrom(...BODIES),
  fc.uint8Array({ maxLength: 2000 }).map((bytes) => Buffer.from(bytes)),
);
