/** One setting: how its text is read, what it may be, and what the reference page says of it. */
export type Setting = Readonly<{
  kind: 'text' | 'integer' | 'choice' | 'secret';
  schema: object;
  fallback?: string;
  meaning: string;
}>;

const integer = (minimum: number, maximum: number, fallback: number, meaning: string): Setting => ({
  kind: 'integer',
  schema: { type: 'integer', minimum, maximum },
  fallback: String(fallback),
  meaning,
});
const choice = (values: readonly string[], fallback: string, meaning: string): Setting => ({
  kind: 'choice',
  schema: { enum: values },
  fallback,
  meaning,
});
const text = (schema: object, meaning: string, fallback?: string): Setting => ({
  kind: 'text',
  schema: { type: 'string', ...schema },
  meaning,
  ...(fallback !== undefined && { fallback }),
});
const secret = (schema: object, meaning: string, fallback?: string): Setting => ({
  kind: 'secret',
  schema: { type: 'string', ...schema },
  meaning,
  ...(fallback !== undefined && { fallback }),
});

/** The store that comes with the registry, in the data folder. */
export const EMBEDDED = 'embedded';

/** No end of a time. */
export const FOREVER = 'forever';

/** Every setting of the registry, in the order of the reference page. */
export const SETTINGS = {
  GHOSTDOCK_HOST: text({ minLength: 1 }, 'Address to listen on. `0.0.0.0` or `::` for all.', '127.0.0.1'),
  GHOSTDOCK_PORT: integer(0, 65_535, 5000, 'Port to listen on. `0` takes any free one.'),
  GHOSTDOCK_DATA_DIR: text(
    { minLength: 1 },
    'Folder of the log, the views, the blobs and the secrets, as far as they are embedded. One process at a time uses it; with log and views on servers, all nodes share it.',
    './data',
  ),
  GHOSTDOCK_EVENT_LOG: secret(
    { pattern: `^(${EMBEDDED}|esdb(\\+discover)?://[^\\s/?#]+.*)$` },
    'Where the event log is: `embedded`, in the data folder, or the connection string of EventStoreDB/KurrentDB, e.g. `esdb://registry:PASSWORD@events:2113?tls=true`.',
    EMBEDDED,
  ),
  GHOSTDOCK_VIEWS: secret(
    { pattern: `^(${EMBEDDED}|mongodb(\\+srv)?://[^\\s/?#]+.*)$` },
    'Where views and secrets are: `embedded`, in the data folder, or the connection string of MongoDB, e.g. `mongodb://registry:PASSWORD@views:27017/ghostdock?replicaSet=rs0`. Secrets go to the database of that name with `-secrets` behind it.',
    EMBEDDED,
  ),
  GHOSTDOCK_PUBLIC_URL: text(
    { pattern: '^https?://' },
    'Where clients reach the registry, e.g. `https://registry.example.com`: used in login challenges. Without it the `Host` of each request is used. With a path, `https://example.com/registry`, the registry is also served below it, and `Location` and `Link` lead there.',
  ),
  GHOSTDOCK_TRUSTED_PROXIES: text(
    { minLength: 1, maxLength: 4096 },
    'Addresses and networks (`10.0.0.0/8`), or `loopback`, `linklocal`, `uniquelocal`, with commas between them, of the proxies whose `X-Forwarded-For`, `-Proto`, `-Host` and `-Prefix` are believed. Without it nobody is.',
  ),
  GHOSTDOCK_TLS_CERT: text(
    { minLength: 1 },
    "File with the server's certificate in PEM form, and behind it those that lead to its authority: the registry speaks TLS then, and nothing else. A file that changes is read again.",
  ),
  GHOSTDOCK_TLS_KEY: text({ minLength: 1 }, 'File with the private key of the certificate, in PEM form, without a passphrase.'),
  GHOSTDOCK_ADMIN_PASSWORD: secret(
    { minLength: 8, maxLength: 1024 },
    'Password of the user `admin`, which the first start creates; one that is guessed first is refused. Without it a random one is made and printed once. Later starts ignore it.',
  ),
  GHOSTDOCK_ADMIN_PASSWORD_FILE: text(
    { minLength: 1 },
    'File that holds this password instead, read at the first start; a line break at its end is none of it.',
  ),
  GHOSTDOCK_AUTH: choice(['on', 'off'], 'on', '`off` lets everyone do everything. Refused on an address that others can reach.'),
  GHOSTDOCK_AUTH_OFF_ANYWHERE: choice(['yes', 'no'], 'no', '`yes` allows `GHOSTDOCK_AUTH=off` on any address.'),
  GHOSTDOCK_ALLOWED_HOSTS: text(
    { minLength: 1, maxLength: 4096 },
    'Names, with commas between them, that clients may reach a registry with `GHOSTDOCK_AUTH=off` by, besides loopback names and the public URL (421 otherwise).',
  ),
  GHOSTDOCK_ANONYMOUS_PULL: choice(['on', 'off'], 'off', '`on` lets callers without a login pull from public repositories.'),
  GHOSTDOCK_TOKEN_MAX_DAYS: integer(
    0,
    36_500,
    0,
    'Longest life of an access token in days: a later end is refused, and a token without one ends then. `0` sets no limit.',
  ),
  GHOSTDOCK_SIGNING_KEY_DAYS: integer(
    0,
    3650,
    90,
    'Days after which a new key signs the tokens of logins. Those of older keys go on until they expire. `0` makes a new one only when an administrator asks for it.',
  ),
  GHOSTDOCK_SECRET_KEY: secret(
    { pattern: '^[A-Za-z0-9+/]{43}=$' },
    'Key that wraps all stored secrets: 32 random bytes in base64 (`openssl rand -base64 32`). Without it one is made at the first start and kept in the data folder.',
  ),
  GHOSTDOCK_SECRET_KEY_FILE: text({ minLength: 1 }, 'File that holds the key instead.'),
  GHOSTDOCK_LOG_LEVEL: choice(
    ['trace', 'debug', 'info', 'warn', 'error', 'fatal'],
    'info',
    '`info` logs changes and failures, `debug` every request.',
  ),
  GHOSTDOCK_DELETES: choice(['on', 'off'], 'on', '`off` refuses to delete tags, manifests and blobs (405).'),
  GHOSTDOCK_SPARSE_INDEXES: choice(
    ['on', 'off'],
    'off',
    '`on` takes an index although images that it names are missing (not mirrored, or not pushed yet). Asking for one of those is a 404.',
  ),
  GHOSTDOCK_RETAIN_UNTAGGED: text(
    { pattern: `^(${FOREVER}|[0-9]{1,5})$` },
    'A manifest whose last tag moved away to another one is kept for at least so many days, and for less than a day more: days are whole ones of UTC. `0` keeps none, `forever` all. The counters show as orphaned what has lost its tag longer ago, and collections will remove just that. One that lost its last tag, index or subject to a delete is not retained; one that never had any stays.',
    '30',
  ),
  GHOSTDOCK_LARGEST_MANIFEST: integer(64 * 1024, 64 * 1024 * 1024, 4 * 1024 * 1024, 'Most bytes of a manifest (413 above).'),
  GHOSTDOCK_LARGEST_BLOB: integer(0, Number.MAX_SAFE_INTEGER, 0, 'Most bytes of a blob (413 above). `0` sets no limit.'),
  GHOSTDOCK_UPLOAD_EXPIRY_HOURS: integer(1, 24 * 365, 24, 'Hours after which an upload that nobody goes on with is removed.'),
  GHOSTDOCK_OIDC_FILE: text(
    { minLength: 1 },
    'JSON file with the identity providers (OpenID Connect) whose people may log in, and whose ID tokens CI jobs may show. See docs/identity-providers.md.',
  ),
  GHOSTDOCK_API_REQUESTS_PER_HOUR: integer(
    0,
    1_000_000_000,
    1000,
    'Most requests an hour to `/api/v1`, of each user, and of each address without a login (429 above). `0` sets no limit. See docs/limits.md.',
  ),
  GHOSTDOCK_API_REQUESTS_PER_MINUTE: integer(0, 1_000_000_000, 100, 'Most of them in a minute. `0` sets no limit.'),
  GHOSTDOCK_MONITORING_REQUESTS_PER_MINUTE: integer(
    0,
    1_000_000_000,
    0,
    'Most requests a minute to the monitoring API, the rest of `/api`, of each user, and of each address without a login (429 above). `0` sets no limit.',
  ),
  GHOSTDOCK_PULLS_PER_HOUR: integer(
    0,
    1_000_000_000,
    0,
    'Most manifests an hour that each user may pull (429 above). `0` sets no limit.',
  ),
  GHOSTDOCK_ANONYMOUS_PULLS_PER_HOUR: integer(0, 1_000_000_000, 0, 'The same for each address without a login.'),
  GHOSTDOCK_FAILED_LOGINS: integer(
    0,
    1_000_000,
    10,
    'Wrong passwords of one user from one address after which logins of that user from there are refused for a while (429), the right password as well. `0` sets no limit.',
  ),
  GHOSTDOCK_FAILED_LOGINS_PER_ADDRESS: integer(
    0,
    1_000_000,
    100,
    'Wrong passwords from one address, of any users, after which logins with a password from there are refused for a while. `0` sets no limit.',
  ),
  GHOSTDOCK_FAILED_LOGINS_PER_USER: integer(
    0,
    1_000_000,
    100,
    'Wrong passwords of one user after which logins from addresses that are new for the user are refused for a short while. `0` sets no limit.',
  ),
  GHOSTDOCK_FAILED_LOGINS_MINUTES: integer(
    1,
    24 * 60,
    15,
    'Minutes in which wrong passwords are counted, and for which logins are refused.',
  ),
  GHOSTDOCK_STREAM_PREFIX: text(
    { pattern: '^[a-z0-9][a-z0-9_-]{0,63}$' },
    "Prefix of the names of the log's streams.",
    'ghostdock',
  ),
  GHOSTDOCK_ACCESS_LOG: choice(
    ['off', 'on', 'strict'],
    'on',
    'What pulls, logins, refusals and pushes that change nothing leave on record: `on` within a tenth of a second, `strict` before they are answered, `off` nothing. See docs/access-log.md.',
  ),
  GHOSTDOCK_ACCESS_BLOBS: choice(
    ['on', 'off'],
    'on',
    '`off` leaves pulls of blobs out of the access log; those of manifests stay.',
  ),
  GHOSTDOCK_ACCESS_RETENTION_DAYS: integer(
    1,
    3650,
    90,
    'Days for which records of the access log are kept. Their sums, and the seal of each day, stay.',
  ),
  GHOSTDOCK_METRICS: choice(
    ['login', 'open', 'off'],
    'login',
    'Who reads `/metrics`, for Prometheus: administrators and auditors (`login`, by Basic or a bearer token), everybody, or nobody (404). See docs/monitoring.md.',
  ),
  GHOSTDOCK_STOP_SECONDS: integer(0, 3600, 30, 'Seconds that a stopping registry waits for requests under way.'),
} as const satisfies Record<string, Setting>;
