import { readFile } from 'node:fs/promises';
import { createLocalJWKSet, createRemoteJWKSet, customFetch, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose';
import { RegistryError } from '../../errors.ts';
import { type Fetch, isPrivateUrl, PATIENCE_MS, patientFetch } from './fetching.ts';
import type { Provider } from './provider.ts';

/** How often a key that is not known may cause another look for it, in ms: anybody can make one up. */
const COOLDOWN_MS = 30_000;
/** How long keys are good without a look whether they still are, in ms. */
const KEYS_FOR_MS = 10 * 60_000;

/** What jose throws for a token whose key is none of the provider's. Everything else is the provider's failure. */
const OF_THE_TOKEN = new Set(['ERR_JWKS_NO_MATCHING_KEY', 'ERR_JWKS_MULTIPLE_MATCHING_KEYS', 'ERR_JOSE_NOT_SUPPORTED']);

const isNoMatch = (error: unknown): boolean => (error as { code?: string }).code === 'ERR_JWKS_NO_MATCHING_KEY';

/** Where the provider says that its keys are (OpenID Connect Discovery 1.0, section 4). */
const discover = async ({ issuer }: Provider, ask: Fetch): Promise<string> => {
  const response = await ask(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`);
  if (response.status !== 200) throw new Error(`Discovery answers with ${response.status}.`);
  const found = (await response.json()) as { issuer?: unknown; jwks_uri?: unknown };
  if (found.issuer !== issuer) throw new Error('Discovery is that of another issuer.');
  if (typeof found.jwks_uri !== 'string' || !isPrivateUrl(found.jwks_uri))
    throw new Error('Discovery names no keys behind https.');
  return found.jwks_uri;
};

const remoteKeys = (url: string, ask: Fetch): JWTVerifyGetKey =>
  createRemoteJWKSet(new URL(url), {
    timeoutDuration: PATIENCE_MS,
    cooldownDuration: COOLDOWN_MS,
    cacheMaxAge: KEYS_FOR_MS,
    [customFetch]: ask,
  });

const discoveredKeys = (provider: Provider, ask: Fetch): JWTVerifyGetKey => {
  let keys: JWTVerifyGetKey | undefined;
  return async (header, token) => {
    keys ??= remoteKeys(await discover(provider, ask), ask);
    return keys(header, token);
  };
};

/** Keys in a file, for providers that cannot be asked. It is read again for a key that it did not have. */
const keysInFile = (file: string, now: () => number): JWTVerifyGetKey => {
  let keys: JWTVerifyGetKey | undefined;
  let readAt = 0;
  const read = async (): Promise<JWTVerifyGetKey> => {
    readAt = now();
    keys = createLocalJWKSet(JSON.parse(await readFile(file, 'utf8')) as JSONWebKeySet);
    return keys;
  };
  return async (header, token) => {
    try {
      return await (keys ?? (await read()))(header, token);
    } catch (error) {
      if (!isNoMatch(error) || now() - readAt < COOLDOWN_MS) throw error;
      return (await read())(header, token);
    }
  };
};

/**
 * The keys that a provider signs with. A key that is not known is looked for at most once in a while; a provider that is away fails at once.
 * Throws jose's errors for keys that there are not, and RegistryError `UNAVAILABLE` where the provider's cannot be had.
 * @param now a clock in milliseconds that never goes back
 */
export const keysOf = (provider: Provider, now: () => number = () => performance.now()): JWTVerifyGetKey => {
  const { name, keys } = provider;
  const ask = patientFetch(now);
  const find =
    keys === undefined ? discoveredKeys(provider, ask) : 'file' in keys ? keysInFile(keys.file, now) : remoteKeys(keys.url, ask);
  return async (header, token) => {
    try {
      return await find(header, token);
    } catch (cause) {
      if (OF_THE_TOKEN.has((cause as { code?: string }).code ?? '')) throw cause;
      throw new RegistryError('UNAVAILABLE', `The keys of the identity provider ${name} cannot be had now.`, {}, { cause });
    }
  };
};
