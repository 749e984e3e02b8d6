import { createSecretKey, type KeyObject, randomBytes } from 'node:crypto';
import type { Config } from './config.ts';
import type { HttpDeps } from './http/deps.ts';
import { authenticate, authenticatePassword, authenticateRefresh } from './identity/authenticate.ts';
import type { Authentication } from './identity/authentication.ts';
import type { Caller } from './identity/caller.ts';
import { headerMemory } from './identity/headerMemory.ts';
import { peopleLogin } from './identity/oidc/people.ts';
import type { Provider } from './identity/oidc/provider.ts';
import { workloadsOf } from './identity/oidc/workloads.ts';
import { countingWrongTokens } from './identity/wrongTokens.ts';
import type { FailedLogins } from './limits/failedLogins.ts';
import { KEY_LENGTH } from './secrets/aead.ts';
import type { Secrets } from './secrets/secrets.ts';

/** Everyone, where authentication is off. */
const OPERATOR: Caller = { kind: 'operator' };
const LOGIN_KEY = 'oidc:login';

type Logins = Pick<
  HttpDeps,
  'authenticate' | 'login' | 'refresh' | 'exchange' | 'tokens' | 'passwords' | 'people' | 'workloadRepositories' | 'loginKey'
>;

export type LoginsOptions = Readonly<{
  config: Config;
  providers: readonly Provider[];
  secrets: Secrets;
  accounts: Authentication['accounts'];
  passwords: Authentication['passwords'];
  tokens: Authentication['tokens'];
  failedLogins: FailedLogins;
}>;

/** What seals logins at providers while they are under way, on any node. */
const loginKeyIn = async (secrets: Secrets, providers: readonly Provider[]): Promise<KeyObject> => {
  const made = randomBytes(KEY_LENGTH);
  const needed = providers.some(({ people }) => people !== undefined);
  return createSecretKey(needed ? await secrets.putIfAbsent(LOGIN_KEY, made) : made);
};

/** Every way to tell who sends a request: passwords, access tokens and bearer tokens, and the tokens and logins of identity providers. */
export const loginsOf = async (options: LoginsOptions): Promise<Logins> => {
  const { config, providers, secrets, accounts, passwords, tokens, failedLogins } = options;
  const { anonymousPull } = config;
  const workloads = workloadsOf(providers);
  const authentication = { accounts, passwords, tokens, anonymousPull, failedLogins, workloads, headers: headerMemory() };
  const counting = countingWrongTokens(failedLogins);
  const anonymous: Caller = { kind: 'anonymous', pullsPublic: anonymousPull };
  return {
    authenticate: (header, from) =>
      config.auth ? counting(from, () => authenticate(header, authentication, from) ?? anonymous) : OPERATOR,
    login: (username, password, from) => counting(from, () => authenticatePassword(username, password, authentication, from)),
    refresh: async (token, from) => counting(from, () => authenticateRefresh(token, authentication)),
    exchange: async (idToken, from) => counting(from, () => workloads.authenticate(idToken)),
    tokens,
    passwords,
    people: new Map(
      providers.flatMap((provider) =>
        provider.people === undefined ? [] : [[provider.name, peopleLogin(provider, provider.people)]],
      ),
    ),
    workloadRepositories: providers.flatMap((provider) => provider.workloads.flatMap((rule) => rule.repositories)),
    loginKey: await loginKeyIn(secrets, providers),
  };
};
