import { readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect } from 'chai';
import fc from 'fast-check';
import { CONFIGURATION_DOCS, docsOfConfiguration } from '../scripts/configurationDocs.ts';
import { type Config, ConfigError, readConfig } from '../src/config.ts';
import { SETTINGS } from '../src/settings.ts';

type Name = keyof typeof SETTINGS;
type Env = Readonly<Record<string, string>>;

const NAMES = Object.keys(SETTINGS) as readonly Name[];
const KEY = Buffer.alloc(32, 7).toString('base64');

const problemsOf = (env: Env): readonly string[] => {
  try {
    readConfig({ ...env });
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
};

const DEFAULTS: Config = {
  host: '127.0.0.1',
  port: 5000,
  trustedProxies: [],
  dataDir: resolve('data'),
  auth: true,
  allowedHosts: [],
  anonymousPull: false,
  tokenMaxDays: 0,
  signingKeyDays: 90,
  logLevel: 'info',
  deletes: true,
  sparseIndexes: false,
  retainUntaggedDays: 30,
  largestManifest: 4 * 1024 * 1024,
  largestBlob: 0,
  uploadExpiryMs: 24 * 60 * 60 * 1000,
  limits: {
    api: { perHour: 1000, perMinute: 100 },
    monitoring: { perHour: 0, perMinute: 0 },
    pulls: { perHour: 0 },
    anonymousPulls: { perHour: 0 },
    failedLogins: { perUserAndAddress: 10, perAddress: 100, perUser: 100, minutes: 15 },
  },
  streamPrefix: 'ghostdock',
  accessLog: 'on',
  accessBlobs: true,
  accessRetentionDays: 90,
  metrics: 'login',
  stopMs: 30_000,
};

describe('the configuration without any setting', () => {
  it('is the one that the first start needs', () => expect(readConfig({})).to.deep.equal(DEFAULTS));

  it('is the same with settings that are empty', () => {
    expect(readConfig(Object.fromEntries(NAMES.map((name) => [name, ''])))).to.deep.equal(DEFAULTS);
  });

  it('does not mind what else is in the environment', () => {
    expect(readConfig({ PATH: '/bin', PORT: '80', ghostdock_port: '80', NODE_ENV: 'test' })).to.deep.equal(DEFAULTS);
  });

  it('cannot be changed by whoever gets it', () => expect(readConfig({})).to.be.frozen);
});

const limits = (change: Partial<Config['limits']>): Partial<Config> => ({ limits: { ...DEFAULTS.limits, ...change } });
const failedLogins = (change: Partial<Config['limits']['failedLogins']>): Partial<Config> =>
  limits({ failedLogins: { ...DEFAULTS.limits.failedLogins, ...change } });

/** Settings that are of no use alone. */
const TRIED_BELOW = ['GHOSTDOCK_SECRET_KEY_FILE', 'GHOSTDOCK_VIEWS', 'GHOSTDOCK_TLS_CERT', 'GHOSTDOCK_TLS_KEY'];

describe('a setting', () => {
  const settings: readonly (readonly [name: Name, text: string, config: Partial<Config>])[] = [
    ['GHOSTDOCK_HOST', '0.0.0.0', { host: '0.0.0.0' }],
    ['GHOSTDOCK_HOST', '::', { host: '::' }],
    ['GHOSTDOCK_PORT', '0', { port: 0 }],
    ['GHOSTDOCK_PORT', '65535', { port: 65_535 }],
    ['GHOSTDOCK_DATA_DIR', '/srv/registry', { dataDir: '/srv/registry' }],
    ['GHOSTDOCK_DATA_DIR', 'elsewhere/data', { dataDir: resolve('elsewhere/data') }],
    ['GHOSTDOCK_EVENT_LOG', 'embedded', {}],
    ['GHOSTDOCK_EVENT_LOG', 'esdb://events:2113?tls=false', { eventLog: 'esdb://events:2113?tls=false' }],
    ['GHOSTDOCK_EVENT_LOG', 'esdb+discover://a,b,c:2113', { eventLog: 'esdb+discover://a,b,c:2113' }],
    ['GHOSTDOCK_VIEWS', 'embedded', {}],
    ['GHOSTDOCK_PUBLIC_URL', 'https://registry.example.com', { publicUrl: 'https://registry.example.com' }],
    ['GHOSTDOCK_PUBLIC_URL', 'http://localhost:5000', { publicUrl: 'http://localhost:5000' }],
    ['GHOSTDOCK_PUBLIC_URL', 'https://[::1]:443', { publicUrl: 'https://[::1]:443' }],
    ['GHOSTDOCK_PUBLIC_URL', 'https://example.com/registry', { publicUrl: 'https://example.com/registry' }],
    ['GHOSTDOCK_PUBLIC_URL', 'http://[::1]:5000/a/b.c~d_e-F', { publicUrl: 'http://[::1]:5000/a/b.c~d_e-F' }],
    ['GHOSTDOCK_PUBLIC_URL', 'https://example.com/v2x/v2', { publicUrl: 'https://example.com/v2x/v2' }],
    ['GHOSTDOCK_ALLOWED_HOSTS', 'registry.local, registry', { allowedHosts: ['registry.local', 'registry'] }],
    ['GHOSTDOCK_TRUSTED_PROXIES', '10.0.0.0/8, ::1,loopback', { trustedProxies: ['10.0.0.0/8', '::1', 'loopback'] }],
    ['GHOSTDOCK_ADMIN_PASSWORD', 'p'.repeat(8), { adminPassword: 'p'.repeat(8) }],
    ['GHOSTDOCK_ADMIN_PASSWORD', 'p'.repeat(1024), { adminPassword: 'p'.repeat(1024) }],
    ['GHOSTDOCK_ADMIN_PASSWORD', ' spaces count ', { adminPassword: ' spaces count ' }],
    ['GHOSTDOCK_AUTH', 'off', { auth: false }],
    ['GHOSTDOCK_AUTH', 'on', { auth: true }],
    ['GHOSTDOCK_AUTH_OFF_ANYWHERE', 'yes', {}],
    ['GHOSTDOCK_AUTH_OFF_ANYWHERE', 'no', {}],
    ['GHOSTDOCK_ANONYMOUS_PULL', 'on', { anonymousPull: true }],
    ['GHOSTDOCK_TOKEN_MAX_DAYS', '90', { tokenMaxDays: 90 }],
    ['GHOSTDOCK_SIGNING_KEY_DAYS', '0', { signingKeyDays: 0 }],
    ['GHOSTDOCK_RETAIN_UNTAGGED', '0', { retainUntaggedDays: 0 }],
    ['GHOSTDOCK_RETAIN_UNTAGGED', '365', { retainUntaggedDays: 365 }],
    ['GHOSTDOCK_RETAIN_UNTAGGED', 'forever', { retainUntaggedDays: Number.POSITIVE_INFINITY }],
    ['GHOSTDOCK_SECRET_KEY', KEY, { secretKey: KEY }],
    ['GHOSTDOCK_ADMIN_PASSWORD_FILE', '/run/secrets/admin', { adminPasswordFile: '/run/secrets/admin' }],
    ['GHOSTDOCK_SECRET_KEY_FILE', '/run/secrets/key', { secretKeyFile: '/run/secrets/key' }],
    ['GHOSTDOCK_LOG_LEVEL', 'trace', { logLevel: 'trace' }],
    ['GHOSTDOCK_LOG_LEVEL', 'debug', { logLevel: 'debug' }],
    ['GHOSTDOCK_LOG_LEVEL', 'warn', { logLevel: 'warn' }],
    ['GHOSTDOCK_LOG_LEVEL', 'error', { logLevel: 'error' }],
    ['GHOSTDOCK_LOG_LEVEL', 'fatal', { logLevel: 'fatal' }],
    ['GHOSTDOCK_DELETES', 'off', { deletes: false }],
    ['GHOSTDOCK_SPARSE_INDEXES', 'on', { sparseIndexes: true }],
    ['GHOSTDOCK_LARGEST_MANIFEST', '65536', { largestManifest: 65_536 }],
    ['GHOSTDOCK_LARGEST_MANIFEST', '67108864', { largestManifest: 67_108_864 }],
    ['GHOSTDOCK_LARGEST_BLOB', '1', { largestBlob: 1 }],
    ['GHOSTDOCK_LARGEST_BLOB', '9007199254740991', { largestBlob: Number.MAX_SAFE_INTEGER }],
    ['GHOSTDOCK_UPLOAD_EXPIRY_HOURS', '1', { uploadExpiryMs: 3_600_000 }],
    ['GHOSTDOCK_UPLOAD_EXPIRY_HOURS', '8760', { uploadExpiryMs: 365 * 24 * 3_600_000 }],
    ['GHOSTDOCK_OIDC_FILE', '/etc/registry/oidc.json', { oidcFile: '/etc/registry/oidc.json' }],
    ['GHOSTDOCK_OIDC_FILE', 'oidc.json', { oidcFile: resolve('oidc.json') }],
    ['GHOSTDOCK_API_REQUESTS_PER_HOUR', '0', limits({ api: { perHour: 0, perMinute: 100 } })],
    ['GHOSTDOCK_API_REQUESTS_PER_MINUTE', '7', limits({ api: { perHour: 1000, perMinute: 7 } })],
    ['GHOSTDOCK_MONITORING_REQUESTS_PER_MINUTE', '60', limits({ monitoring: { perHour: 0, perMinute: 60 } })],
    ['GHOSTDOCK_PULLS_PER_HOUR', '100', limits({ pulls: { perHour: 100 } })],
    ['GHOSTDOCK_ANONYMOUS_PULLS_PER_HOUR', '50', limits({ anonymousPulls: { perHour: 50 } })],
    ['GHOSTDOCK_FAILED_LOGINS', '3', failedLogins({ perUserAndAddress: 3 })],
    ['GHOSTDOCK_FAILED_LOGINS_PER_ADDRESS', '0', failedLogins({ perAddress: 0 })],
    ['GHOSTDOCK_FAILED_LOGINS_PER_USER', '1000000', failedLogins({ perUser: 1_000_000 })],
    ['GHOSTDOCK_FAILED_LOGINS_MINUTES', '1', failedLogins({ minutes: 1 })],
    ['GHOSTDOCK_STREAM_PREFIX', '0', { streamPrefix: '0' }],
    ['GHOSTDOCK_STREAM_PREFIX', 'my-registry_2', { streamPrefix: 'my-registry_2' }],
    ['GHOSTDOCK_STREAM_PREFIX', 'x'.repeat(64), { streamPrefix: 'x'.repeat(64) }],
    ['GHOSTDOCK_ACCESS_LOG', 'off', { accessLog: 'off' }],
    ['GHOSTDOCK_ACCESS_LOG', 'strict', { accessLog: 'strict' }],
    ['GHOSTDOCK_ACCESS_BLOBS', 'off', { accessBlobs: false }],
    ['GHOSTDOCK_METRICS', 'open', { metrics: 'open' }],
    ['GHOSTDOCK_METRICS', 'off', { metrics: 'off' }],
    ['GHOSTDOCK_ACCESS_RETENTION_DAYS', '1', { accessRetentionDays: 1 }],
    ['GHOSTDOCK_ACCESS_RETENTION_DAYS', '3650', { accessRetentionDays: 3650 }],
    ['GHOSTDOCK_STOP_SECONDS', '0', { stopMs: 0 }],
    ['GHOSTDOCK_STOP_SECONDS', '3600', { stopMs: 3_600_000 }],
  ];
  for (const [name, text, config] of settings) {
    it(`${name} may be ${JSON.stringify(text.slice(0, 40))}`, () => {
      expect(readConfig({ [name]: text })).to.deep.equal({ ...DEFAULTS, ...config });
    });
  }

  it('is tried here for each that there is', () => {
    expect(new Set([...settings.map(([name]) => name), ...TRIED_BELOW])).to.deep.equal(new Set(NAMES));
  });

  const number = (name: Name, least: number, most: number, ...wrong: readonly string[]) =>
    [
      String(least - 1),
      String(most + 1),
      'many',
      '1.5',
      '1,000',
      ' ',
      'NaN',
      'Infinity',
      '10 MiB',
      '0x50',
      '1e3',
      '+5',
      ...wrong,
    ].map(
      (text) => [name, text, `${name} must be a whole number from ${least} to ${most}. It is ${JSON.stringify(text)}.`] as const,
    );
  const choice = (name: Name, values: string) =>
    ['maybe', 'ON', 'true', '1', ' on'].map(
      (text) => [name, text, `${name} must be one of ${values}. It is ${JSON.stringify(text)}.`] as const,
    );
  const url = (problem: string, ...texts: readonly string[]) =>
    texts.map(
      (text) => ['GHOSTDOCK_PUBLIC_URL', text, `GHOSTDOCK_PUBLIC_URL ${problem} It is ${JSON.stringify(text)}.`] as const,
    );
  const urls = [
    ...url(
      'must be a URL such as https://registry.example.com or https://example.com/registry.',
      ...[
        'registry.example.com',
        'ftp://example.com',
        'https://',
        'https:///path',
        'https://exa mple.com',
        'https://example.com\n',
      ],
      ...['https://example.com/a b', 'https://example.com/a\r\nX: y', 'javascript:alert(1)', 'https://example.com:99999'],
    ),
    ...url('must not end with a slash.', 'https://example.com/', 'https://example.com/registry/', 'https://example.com//'),
    ...url(
      'must be a URL without a query or a fragment.',
      ...['https://example.com?a=b', 'https://example.com#a', 'https://example.com/registry?', 'https://example.com/a#/b'],
    ),
    ...url(
      'must be a URL without empty parts, . and .. in its path.',
      ...['https://example.com//a', 'https://example.com/a//b', 'https://example.com/./a', 'https://example.com/a/..'],
    ),
    ...url(
      'may have only letters, digits, hyphens, dots, _ and ~ in its path.',
      ...['https://example.com/a%20b', 'https://example.com/a"b', 'https://example.com/ä', 'https://example.com/a;b'],
    ),
    ...url(
      "must not have a path that begins with /v2, /auth, /api, /health, /healthz, /readyz, /metrics: the registry's own paths do.",
      ...['https://example.com/v2', 'https://example.com/v2/registry', 'https://example.com/auth', 'https://example.com/api/x'],
    ),
  ];
  const refused: readonly (readonly [name: Name, text: string, problem: string])[] = [
    ...number('GHOSTDOCK_PORT', 0, 65_535),
    ...number('GHOSTDOCK_LARGEST_MANIFEST', 65_536, 67_108_864),
    ...number('GHOSTDOCK_LARGEST_BLOB', 0, Number.MAX_SAFE_INTEGER, '99999999999999999999'),
    ...number('GHOSTDOCK_UPLOAD_EXPIRY_HOURS', 1, 8760),
    ...number('GHOSTDOCK_TOKEN_MAX_DAYS', 0, 36_500),
    ...number('GHOSTDOCK_SIGNING_KEY_DAYS', 0, 3650),
    ...number('GHOSTDOCK_ACCESS_RETENTION_DAYS', 1, 3650),
    ...number('GHOSTDOCK_STOP_SECONDS', 0, 3600),
    ...choice('GHOSTDOCK_AUTH', 'on, off'),
    ...choice('GHOSTDOCK_AUTH_OFF_ANYWHERE', 'yes, no'),
    ...choice('GHOSTDOCK_ANONYMOUS_PULL', 'on, off'),
    ...choice('GHOSTDOCK_DELETES', 'on, off'),
    ...choice('GHOSTDOCK_SPARSE_INDEXES', 'on, off'),
    ...choice('GHOSTDOCK_ACCESS_LOG', 'off, on, strict'),
    ...choice('GHOSTDOCK_ACCESS_BLOBS', 'on, off'),
    ...choice('GHOSTDOCK_METRICS', 'login, open, off'),
    ...choice('GHOSTDOCK_LOG_LEVEL', 'trace, debug, info, warn, error, fatal'),
    ...urls,
  ];
  for (const [name, text, problem] of refused) {
    it(`${name} may not be ${JSON.stringify(text)}, and the message says what it may be`, () => {
      expect(problemsOf({ [name]: text })).to.deep.equal([problem]);
    });
  }

  for (const text of ['-1', '1.5', '30 days', 'never', '100000', 'FOREVER']) {
    it(`GHOSTDOCK_RETAIN_UNTAGGED may not be ${JSON.stringify(text)}, and the message says what it may be`, () => {
      expect(problemsOf({ GHOSTDOCK_RETAIN_UNTAGGED: text })).to.deep.equal([
        `GHOSTDOCK_RETAIN_UNTAGGED must be a number of days, from 0 to 99999, or forever. It is ${JSON.stringify(text)}.`,
      ]);
    });
  }

  const prefixes = ['A', '-a', '_a', 'a.b', 'a b', 'ä', 'x'.repeat(65)];
  for (const prefix of prefixes) {
    it(`GHOSTDOCK_STREAM_PREFIX may not be ${JSON.stringify(prefix)}`, () => {
      expect(problemsOf({ GHOSTDOCK_STREAM_PREFIX: prefix })).to.have.lengthOf(1);
    });
  }

  it('that is wrong is not repeated at length', () => {
    const [problem = ''] = problemsOf({ GHOSTDOCK_LOG_LEVEL: 'x'.repeat(100_000) });
    expect(problem).to.contain('"xxx').and.have.lengthOf.below(250);
  });
});

describe('a secret that is wrong', () => {
  const secrets: readonly (readonly [name: Name, text: string])[] = [
    ['GHOSTDOCK_EVENT_LOG', 'hunter2://admin:hunter2@events:2113'],
    ['GHOSTDOCK_EVENT_LOG', 'hunter2'],
    ['GHOSTDOCK_EVENT_LOG', 'kurrentdb://hunter2@events:2113'],
    ['GHOSTDOCK_VIEWS', 'hunter2:hunter2@views'],
    ['GHOSTDOCK_VIEWS', 'postgres://admin:hunter2@views'],
    ['GHOSTDOCK_ADMIN_PASSWORD', 'hunter2'],
    ['GHOSTDOCK_ADMIN_PASSWORD', 'hunter2'.repeat(200)],
    ['GHOSTDOCK_SECRET_KEY', 'not-base64-hunter2'],
    ['GHOSTDOCK_SECRET_KEY', KEY.slice(1)],
    ['GHOSTDOCK_SECRET_KEY', KEY.slice(0, -1)],
    ['GHOSTDOCK_SECRET_KEY', `${KEY}=`],
    ['GHOSTDOCK_SECRET_KEY', `${KEY}\n`],
    ['GHOSTDOCK_SECRET_KEY', Buffer.alloc(32, 7).toString('hex')],
    ['GHOSTDOCK_SECRET_KEY', Buffer.alloc(16, 7).toString('base64')],
  ];
  for (const [name, text] of secrets) {
    it(`is named, not shown: ${name} of ${text.length} characters`, () => {
      const problems = problemsOf({ [name]: text });
      expect(problems).to.have.lengthOf(1);
      expect(problems[0]).to.match(new RegExp(`^${name} `));
      expect(problems[0]).not.to.contain(text.slice(0, 7));
    });
  }

  it('is not shown because something else is wrong', () => {
    const problems = problemsOf({ GHOSTDOCK_ADMIN_PASSWORD: 'hunter2-hunter2', GHOSTDOCK_SECRET_KEY: KEY, GHOSTDOCK_PORT: '-1' });
    expect(problems).to.have.lengthOf(1);
    expect(problems[0]).not.to.match(/hunter2|Bwc/);
  });
});

describe('a proxy to be trusted', () => {
  for (const text of ['everyone', '10.0.0.0/33', '10.0.0', '::1/129', '10.0.0.1, nonsense', '10.0.0.0/8/8'])
    it(`is not ${text}`, () => {
      expect(problemsOf({ GHOSTDOCK_TRUSTED_PROXIES: text })).to.have.lengthOf(1);
    });
});

describe('a URL with a user or a password', () => {
  it('is refused and not shown', () => {
    for (const text of ['https://admin:hunter2@example.com', 'https://hunter2@example.com/registry', 'https://@example.com'])
      expect(problemsOf({ GHOSTDOCK_PUBLIC_URL: text })).to.deep.equal([
        'GHOSTDOCK_PUBLIC_URL must not name a user or a password.',
      ]);
  });
});

describe('the files of TLS', () => {
  const files = { GHOSTDOCK_TLS_CERT: '/tls/cert.pem', GHOSTDOCK_TLS_KEY: '/tls/key.pem' };

  it('are two', () => {
    expect(readConfig(files)).to.deep.equal({ ...DEFAULTS, tls: { cert: '/tls/cert.pem', key: '/tls/key.pem' } });
  });

  it('are refused where one is missing', () => {
    for (const name of ['GHOSTDOCK_TLS_CERT', 'GHOSTDOCK_TLS_KEY'])
      expect(problemsOf({ ...files, [name]: '' })).to.deep.equal([
        'Set both GHOSTDOCK_TLS_CERT and GHOSTDOCK_TLS_KEY, or none of them.',
      ]);
  });
});

describe('views on a server', () => {
  const views = 'mongodb://views:27017/ghostdock?replicaSet=rs0';

  for (const [name, text, config] of [
    ['GHOSTDOCK_SECRET_KEY', KEY, { secretKey: KEY }],
    ['GHOSTDOCK_SECRET_KEY_FILE', '/run/secrets/key', { secretKeyFile: '/run/secrets/key' }],
  ] as const)
    it(`are taken with ${name}`, () => {
      expect(readConfig({ GHOSTDOCK_VIEWS: views, [name]: text })).to.deep.equal({ ...DEFAULTS, views, ...config });
    });

  it('need a key that all nodes have', () => {
    const [problem = ''] = problemsOf({ GHOSTDOCK_VIEWS: views });
    expect(problem).to.contain('GHOSTDOCK_SECRET_KEY').and.contain('the same on all nodes');
    expect(problem).not.to.contain('mongodb://');
  });
});

describe('a name that is no setting', () => {
  it('is refused where it looks like one, whatever its value is', () => {
    for (const name of ['GHOSTDOCK_PROT', 'GHOSTDOCK_', 'GHOSTDOCK_port', 'GHOSTDOCK_constructor'])
      expect(problemsOf({ [name]: '' })).to.deep.equal([`${name} is not a setting of this release. See docs/configuration.md.`]);
  });

  it('is not refused when the test suites use it', () => expect(problemsOf({ GHOSTDOCK_TEST_ANYTHING: '1' })).to.deep.equal([]));

  it('is named without its value, which may be a secret', () => {
    expect(problemsOf({ GHOSTDOCK_ADMIN_PASWORD: 'hunter2' }).join()).not.to.contain('hunter2');
  });
});

describe('settings that contradict each other', () => {
  const open = (host: string, rest: Env = {}) => problemsOf({ GHOSTDOCK_AUTH: 'off', GHOSTDOCK_HOST: host, ...rest });

  it('leave the registry open to the network only when that is said twice', () => {
    for (const host of [
      '0.0.0.0',
      '::',
      '192.0.2.1',
      'registry.example.com',
      '127.0.0.1.example.com',
      '1270.0.0.1',
      'localhost.example.com',
    ]) {
      expect(open(host)).to.have.lengthOf(1);
      expect(open(host)[0]).to.contain(host).and.contain('GHOSTDOCK_AUTH_OFF_ANYWHERE=yes');
      expect(open(host, { GHOSTDOCK_AUTH_OFF_ANYWHERE: 'yes' })).to.deep.equal([]);
      expect(open(host, { GHOSTDOCK_AUTH_OFF_ANYWHERE: 'no' })).to.have.lengthOf(1);
    }
  });

  it('leave it open on a loopback address', () => {
    for (const host of ['127.0.0.1', '127.1.2.3', '::1', 'localhost']) expect(open(host)).to.deep.equal([]);
    expect(problemsOf({ GHOSTDOCK_AUTH: 'off' })).to.deep.equal([]);
  });

  it('do not give the key twice', () => {
    expect(problemsOf({ GHOSTDOCK_SECRET_KEY: KEY, GHOSTDOCK_SECRET_KEY_FILE: '/run/secrets/key' })).to.deep.equal([
      'Set GHOSTDOCK_SECRET_KEY or GHOSTDOCK_SECRET_KEY_FILE, not both.',
    ]);
    expect(
      problemsOf({ GHOSTDOCK_ADMIN_PASSWORD: 'p'.repeat(8), GHOSTDOCK_ADMIN_PASSWORD_FILE: '/run/secrets/admin' }),
    ).to.deep.equal(['Set GHOSTDOCK_ADMIN_PASSWORD or GHOSTDOCK_ADMIN_PASSWORD_FILE, not both.']);
  });
});

describe('a configuration with several problems', () => {
  it('is told all of them at once', () => {
    const wrong = { GHOSTDOCK_PORT: '-1', GHOSTDOCK_AUTH: 'maybe', GHOSTDOCK_SECRET_KEY: 'short', GHOSTDOCK_PROT: '80' };
    expect(problemsOf(wrong).map((problem) => problem.split(' ', 1)[0])).to.have.members(Object.keys(wrong));
    expect(() => readConfig(wrong)).to.throw(ConfigError, /GHOSTDOCK_PROT.*GHOSTDOCK_PORT.*GHOSTDOCK_AUTH/s);
  });

  it('is told two contradictions at once', () => {
    const wrong = { GHOSTDOCK_AUTH: 'off', GHOSTDOCK_HOST: '::', GHOSTDOCK_SECRET_KEY: KEY, GHOSTDOCK_SECRET_KEY_FILE: 'x' };
    expect(problemsOf(wrong)).to.have.lengthOf(2);
  });
});

describe('any environment', () => {
  it('is read, or refused with sentences that show no secret', () => {
    const value = fc.oneof(
      fc.string(),
      fc.constantFrom('on', 'off', 'yes', '0', '80', KEY, 'https://example.com'),
      fc.integer().map(String),
    );
    const env = fc.dictionary(fc.constantFrom(...NAMES), value);
    fc.assert(
      fc.property(env, (settings) => {
        const problems = problemsOf({ ...settings, GHOSTDOCK_ADMIN_PASSWORD: 'hunter2' });
        expect(problems).not.to.deep.equal([]);
        for (const problem of problems) {
          expect(problem).to.match(/^(GHOSTDOCK_\w+|Set) .*\.$/s);
          expect(problem).not.to.contain('hunter2');
        }
      }),
    );
  });
});

describe('docs/configuration.md', () => {
  const page = readFileSync(CONFIGURATION_DOCS, 'utf8');

  it('has the table that `node scripts/configurationDocs.ts` writes', () => expect(page).to.equal(docsOfConfiguration(page)));

  it('says of every setting its default, what it may be and what it means', () => {
    for (const name of NAMES) {
      const { meaning } = SETTINGS[name];
      const row = page.split('\n').find((line) => line.startsWith(`| \`${name}\` |`));
      expect(row, name).to.contain(meaning);
      expect(row?.split(' | '), name).to.have.lengthOf(4);
    }
  });

  it('is left alone by the script when it has no markers for the table', () => {
    expect(() => docsOfConfiguration('# Configuration')).to.throw('no markers');
  });

  it('and every other page name settings that there are', () => {
    const docs = new URL('../docs/', import.meta.url);
    const pages = readdirSync(docs, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.md'));
    const texts = [...pages.map((name) => new URL(name, docs)), new URL('../README.md', import.meta.url)].map((url) =>
      readFileSync(url, 'utf8'),
    );
    const named = new Set(texts.join('\n').match(/GHOSTDOCK_(?!TEST_|CONFORMANCE_)[A-Z_]*[A-Z]/g));
    expect([...named].filter((name) => !(name in SETTINGS))).to.deep.equal([]);
    expect(named.size).to.equal(NAMES.length);
  });
});
