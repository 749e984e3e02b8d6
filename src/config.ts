import { isIP } from 'node:net';
import { resolve } from 'node:path';
import { Ajv, type ErrorObject } from 'ajv';
import { faultOfPublicUrl } from './publicUrl.ts';
import { EMBEDDED, FOREVER, SETTINGS, type Setting } from './settings.ts';

type Name = keyof typeof SETTINGS;

export type Config = Readonly<{
  host: string;
  port: number;
  dataDir: string;
  /** Connection string of EventStoreDB; absent: embedded. */
  eventLog?: string;
  /** Connection string of MongoDB; absent: embedded. */
  views?: string;
  publicUrl?: string;
  /** Addresses, networks and fastify's names for some. */
  trustedProxies: readonly string[];
  /** Paths of files in PEM form; absent: plain HTTP. */
  tls?: Readonly<{ cert: string; key: string }>;
  adminPassword?: string;
  /** Absolute path. */
  adminPasswordFile?: string;
  auth: boolean;
  /** Without ports. */
  allowedHosts: readonly string[];
  anonymousPull: boolean;
  /** 0 for no limit. */
  tokenMaxDays: number;
  /** 0 for never. */
  signingKeyDays: number;
  secretKey?: string;
  secretKeyFile?: string;
  logLevel: string;
  deletes: boolean;
  /** Whether an index may be pushed before, or without, what it names. */
  sparseIndexes: boolean;
  /** Days; `Infinity` for ever. */
  retainUntaggedDays: number;
  /** Bytes. */
  largestManifest: number;
  /** Bytes; 0 for no limit. */
  largestBlob: number;
  uploadExpiryMs: number;
  /** Absolute path. */
  oidcFile?: string;
  /** 0 for no limit. */
  limits: Readonly<{
    api: Readonly<{ perHour: number; perMinute: number }>;
    monitoring: Readonly<{ perHour: number; perMinute: number }>;
    pulls: Readonly<{ perHour: number }>;
    anonymousPulls: Readonly<{ perHour: number }>;
    failedLogins: Readonly<{ perUserAndAddress: number; perAddress: number; perUser: number; minutes: number }>;
  }>;
  streamPrefix: string;
  accessLog: 'off' | 'on' | 'strict';
  accessBlobs: boolean;
  accessRetentionDays: number;
  /** Who may read `/metrics`. */
  metrics: 'login' | 'open' | 'off';
  stopMs: number;
}>;

/** The environment does not say what the registry needs. `problems` are sentences for a person. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
    this.problems = problems;
  }
}

const ajv = new Ajv({ allErrors: false });

const problemOf = (name: Name, raw: string, error: ErrorObject | undefined): string => {
  const { kind, schema } = SETTINGS[name];
  const shown = kind === 'secret' || raw.includes('@') ? '' : ` It is ${JSON.stringify(raw.slice(0, 100))}.`;
  if (kind === 'integer') {
    const { minimum, maximum } = schema as { minimum: number; maximum: number };
    return `${name} must be a whole number from ${minimum} to ${maximum}.${shown}`;
  }
  if (kind === 'choice') return `${name} must be one of ${(schema as { enum: readonly string[] }).enum.join(', ')}.${shown}`;
  if (name === 'GHOSTDOCK_PUBLIC_URL') return `${name} ${faultOfPublicUrl(raw)}${shown}`;
  if (name === 'GHOSTDOCK_EVENT_LOG')
    return `${name} must be ${EMBEDDED} or the connection string of an EventStoreDB: esdb://HOST:2113.`;
  if (name === 'GHOSTDOCK_VIEWS')
    return `${name} must be ${EMBEDDED} or the connection string of a MongoDB: mongodb://HOST:27017/DATABASE.`;
  if (name === 'GHOSTDOCK_RETAIN_UNTAGGED') return `${name} must be a number of days, from 0 to 99999, or ${FOREVER}.${shown}`;
  if (name === 'GHOSTDOCK_SECRET_KEY') return `${name} must be 32 bytes in base64: 44 characters (openssl rand -base64 32).`;
  return `${name} ${error?.message ?? 'is not valid'}.${shown}`;
};

const readSetting = (name: Name, env: NodeJS.ProcessEnv, problems: string[]): string | number | undefined => {
  const setting: Setting = SETTINGS[name];
  const raw = env[name] === undefined || env[name] === '' ? setting.fallback : env[name];
  if (raw === undefined) return undefined;
  const value = setting.kind === 'integer' ? Number(/^\d{1,16}$/.test(raw) ? raw : Number.NaN) : raw;
  if (ajv.validate(setting.schema, value) && (name !== 'GHOSTDOCK_PUBLIC_URL' || faultOfPublicUrl(raw) === undefined))
    return value;
  problems.push(problemOf(name, raw, ajv.errors?.[0]));
  return undefined;
};

/** Settings of the test suites, which share the prefix. */
const isForTests = (name: string): boolean => name.startsWith('GHOSTDOCK_TEST_');

const unknownSettings = (env: NodeJS.ProcessEnv): readonly string[] =>
  Object.keys(env)
    .filter((name) => name.startsWith('GHOSTDOCK_') && !(name in SETTINGS) && !isForTests(name))
    .map((name) => `${name} is not a setting of this release. See docs/configuration.md.`);

const isLoopback = (host: string): boolean => host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);

const listed = (text: string | undefined): readonly string[] =>
  (text ?? '')
    .split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '');

const NAMED_NETWORKS = ['loopback', 'linklocal', 'uniquelocal'];

const isNetwork = (entry: string): boolean => {
  const [, address = '', bits] = /^([^/]*)(?:\/(\d{1,3}))?$/.exec(entry) ?? [];
  return isIP(address) !== 0 && Number(bits ?? 0) <= (isIP(address) === 4 ? 32 : 128);
};

const contradictions = (config: Config, env: NodeJS.ProcessEnv): readonly string[] => {
  const problems: string[] = [];
  if (!config.auth && !isLoopback(config.host) && env.GHOSTDOCK_AUTH_OFF_ANYWHERE !== 'yes') {
    problems.push(
      `GHOSTDOCK_AUTH=off with GHOSTDOCK_HOST=${config.host} would let everyone on the network do everything. Listen on 127.0.0.1, or set GHOSTDOCK_AUTH_OFF_ANYWHERE=yes.`,
    );
  }
  const unknownHost = config.allowedHosts.find((host) => !/^[A-Za-z0-9._-]+$/.test(host));
  if (unknownHost !== undefined) {
    problems.push(
      `GHOSTDOCK_ALLOWED_HOSTS must be names without scheme and port, such as registry.local. This is none: ${JSON.stringify(unknownHost.slice(0, 100))}.`,
    );
  }
  if (config.secretKey !== undefined && config.secretKeyFile !== undefined) {
    problems.push('Set GHOSTDOCK_SECRET_KEY or GHOSTDOCK_SECRET_KEY_FILE, not both.');
  }
  if (config.adminPassword !== undefined && config.adminPasswordFile !== undefined) {
    problems.push('Set GHOSTDOCK_ADMIN_PASSWORD or GHOSTDOCK_ADMIN_PASSWORD_FILE, not both.');
  }
  if (((env.GHOSTDOCK_TLS_CERT ?? '') === '') !== ((env.GHOSTDOCK_TLS_KEY ?? '') === '')) {
    problems.push('Set both GHOSTDOCK_TLS_CERT and GHOSTDOCK_TLS_KEY, or none of them.');
  }
  const unknownProxy = config.trustedProxies.find((entry) => !NAMED_NETWORKS.includes(entry) && !isNetwork(entry));
  if (unknownProxy !== undefined) {
    problems.push(
      `GHOSTDOCK_TRUSTED_PROXIES must be addresses, networks such as 10.0.0.0/8, or ${NAMED_NETWORKS.join(', ')}. This is none: ${JSON.stringify(unknownProxy.slice(0, 100))}.`,
    );
  }
  if (config.views !== undefined && config.secretKey === undefined && config.secretKeyFile === undefined) {
    problems.push(
      'GHOSTDOCK_VIEWS on a server keeps the secrets there, too: set GHOSTDOCK_SECRET_KEY or GHOSTDOCK_SECRET_KEY_FILE, the same on all nodes (openssl rand -base64 32).',
    );
  }
  return problems;
};

const tlsOf = ({ GHOSTDOCK_TLS_CERT: cert, GHOSTDOCK_TLS_KEY: key }: Record<string, unknown>): Pick<Config, 'tls'> =>
  typeof cert === 'string' && typeof key === 'string' ? { tls: { cert, key } } : {};

const daysOf = (text: string): number => (text === FOREVER ? Number.POSITIVE_INFINITY : Number(text));

const limitsOf = (values: Record<string, unknown>): Config['limits'] => {
  const number = (name: Name): number => values[name] as number;
  return {
    api: { perHour: number('GHOSTDOCK_API_REQUESTS_PER_HOUR'), perMinute: number('GHOSTDOCK_API_REQUESTS_PER_MINUTE') },
    monitoring: { perHour: 0, perMinute: number('GHOSTDOCK_MONITORING_REQUESTS_PER_MINUTE') },
    pulls: { perHour: number('GHOSTDOCK_PULLS_PER_HOUR') },
    anonymousPulls: { perHour: number('GHOSTDOCK_ANONYMOUS_PULLS_PER_HOUR') },
    failedLogins: {
      perUserAndAddress: number('GHOSTDOCK_FAILED_LOGINS'),
      perAddress: number('GHOSTDOCK_FAILED_LOGINS_PER_ADDRESS'),
      perUser: number('GHOSTDOCK_FAILED_LOGINS_PER_USER'),
      minutes: number('GHOSTDOCK_FAILED_LOGINS_MINUTES'),
    },
  };
};

/**
 * Reads and checks the whole configuration.
 * @throws ConfigError with every problem at once
 */
export const readConfig = (env: NodeJS.ProcessEnv = process.env): Config => {
  const problems: string[] = [...unknownSettings(env)];
  const values = Object.fromEntries((Object.keys(SETTINGS) as Name[]).map((name) => [name, readSetting(name, env, problems)]));
  if (problems.length > 0) throw new ConfigError(problems);
  const optional = <K extends string>(key: K, name: Name): { [P in K]?: string } =>
    (values[name] === undefined ? {} : { [key]: values[name] }) as { [P in K]?: string };
  const path = <K extends string>(key: K, name: Name): { [P in K]?: string } =>
    (values[name] === undefined ? {} : { [key]: resolve(values[name] as string) }) as { [P in K]?: string };
  const unlessEmbedded = <K extends string>(key: K, name: Name): { [P in K]?: string } =>
    values[name] === EMBEDDED ? {} : optional(key, name);
  const config: Config = Object.freeze({
    host: values.GHOSTDOCK_HOST as string,
    port: values.GHOSTDOCK_PORT as number,
    dataDir: resolve(values.GHOSTDOCK_DATA_DIR as string),
    ...unlessEmbedded('eventLog', 'GHOSTDOCK_EVENT_LOG'),
    ...unlessEmbedded('views', 'GHOSTDOCK_VIEWS'),
    ...optional('publicUrl', 'GHOSTDOCK_PUBLIC_URL'),
    ...tlsOf(values),
    ...optional('adminPassword', 'GHOSTDOCK_ADMIN_PASSWORD'),
    ...path('adminPasswordFile', 'GHOSTDOCK_ADMIN_PASSWORD_FILE'),
    trustedProxies: listed(values.GHOSTDOCK_TRUSTED_PROXIES as string | undefined),
    auth: values.GHOSTDOCK_AUTH === 'on',
    allowedHosts: listed(values.GHOSTDOCK_ALLOWED_HOSTS as string | undefined),
    anonymousPull: values.GHOSTDOCK_ANONYMOUS_PULL === 'on',
    tokenMaxDays: values.GHOSTDOCK_TOKEN_MAX_DAYS as number,
    signingKeyDays: values.GHOSTDOCK_SIGNING_KEY_DAYS as number,
    ...optional('secretKey', 'GHOSTDOCK_SECRET_KEY'),
    ...optional('secretKeyFile', 'GHOSTDOCK_SECRET_KEY_FILE'),
    logLevel: values.GHOSTDOCK_LOG_LEVEL as string,
    deletes: values.GHOSTDOCK_DELETES === 'on',
    sparseIndexes: values.GHOSTDOCK_SPARSE_INDEXES === 'on',
    retainUntaggedDays: daysOf(values.GHOSTDOCK_RETAIN_UNTAGGED as string),
    largestManifest: values.GHOSTDOCK_LARGEST_MANIFEST as number,
    largestBlob: values.GHOSTDOCK_LARGEST_BLOB as number,
    uploadExpiryMs: (values.GHOSTDOCK_UPLOAD_EXPIRY_HOURS as number) * 3_600_000,
    ...path('oidcFile', 'GHOSTDOCK_OIDC_FILE'),
    limits: limitsOf(values),
    streamPrefix: values.GHOSTDOCK_STREAM_PREFIX as string,
    accessLog: values.GHOSTDOCK_ACCESS_LOG as Config['accessLog'],
    accessBlobs: values.GHOSTDOCK_ACCESS_BLOBS === 'on',
    accessRetentionDays: values.GHOSTDOCK_ACCESS_RETENTION_DAYS as number,
    metrics: values.GHOSTDOCK_METRICS as Config['metrics'],
    stopMs: (values.GHOSTDOCK_STOP_SECONDS as number) * 1000,
  });
  const contradictory = contradictions(config, env);
  if (contradictory.length > 0) throw new ConfigError(contradictory);
  return config;
};
