import {
  allowInsecureRequests,
  authorizationCodeGrant,
  buildAuthorizationUrl,
  ClientSecretPost,
  type Configuration,
  calculatePKCECodeChallenge,
  customFetch,
  discovery,
  enableNonRepudiationChecks,
  None,
  randomNonce,
  randomPKCECodeVerifier,
  randomState,
} from 'openid-client';
import { RegistryError } from '../../errors.ts';
import { unauthenticated } from '../credentials.ts';
import type { Claims } from './claims.ts';
import { type Fetch, isProviderAway, patientFetch } from './fetching.ts';
import type { PeopleOptions, Provider } from './provider.ts';

/** What a login is to be finished with, kept by the browser that began it. */
export type LoginChecks = Readonly<{ state: string; nonce: string; verifier: string }>;

/** The login of people at one provider: OpenID Connect's code flow with PKCE. */
export type PeopleLogin = Readonly<{
  provider: Provider;
  people: PeopleOptions;
  /** Where to send the browser. @throws RegistryError `UNAVAILABLE` */
  begin: (redirectUri: string) => Promise<Readonly<{ url: string; checks: LoginChecks }>>;
  /**
   * Who it is that came back, by the provider's signed word.
   * @param answer where the browser came back to: `redirectUri` with the query of the provider's
   * @throws RegistryError `UNAUTHENTICATED` | `UNAVAILABLE`
   */
  finish: (answer: URL, checks: LoginChecks) => Promise<Claims>;
}>;

/** How often discovery is repeated, in ms. */
const CONFIGURED_FOR_MS = 3_600_000;

const isLoopback = (issuer: string): boolean => new URL(issuer).protocol === 'http:';

const configure = async ({ issuer }: Provider, { clientId, clientSecret }: PeopleOptions, ask: Fetch): Promise<Configuration> => {
  const client = clientSecret === undefined ? None() : ClientSecretPost(clientSecret);
  const config = await discovery(new URL(issuer), clientId, { client_secret: clientSecret ?? '' }, client, {
    [customFetch]: (url, options) => ask(url, options as RequestInit),
    // The file of providers allows this for this machine alone.
    execute: isLoopback(issuer) ? [allowInsecureRequests, enableNonRepudiationChecks] : [enableNonRepudiationChecks],
  });
  if (config.serverMetadata().issuer !== issuer) throw new Error('Discovery is that of another issuer.');
  return config;
};

/** @param now a clock in milliseconds that never goes back */
export const peopleLogin = (
  provider: Provider,
  people: PeopleOptions,
  now: () => number = () => performance.now(),
): PeopleLogin => {
  const ask = patientFetch(now);
  let known: Readonly<{ config: Promise<Configuration>; until: number }> | undefined;

  const configuration = (): Promise<Configuration> => {
    if (known !== undefined && now() < known.until) return known.config;
    const config = configure(provider, people, ask).catch((cause: unknown) => {
      known = undefined;
      throw new RegistryError('UNAVAILABLE', `The identity provider ${provider.name} cannot be reached now.`, {}, { cause });
    });
    known = { config, until: now() + CONFIGURED_FOR_MS };
    return config;
  };

  return {
    provider,
    people,

    begin: async (redirectUri) => {
      const config = await configuration();
      const checks = { state: randomState(), nonce: randomNonce(), verifier: randomPKCECodeVerifier() };
      const url = buildAuthorizationUrl(config, {
        redirect_uri: redirectUri,
        scope: people.scopes.join(' '),
        state: checks.state,
        nonce: checks.nonce,
        code_challenge: await calculatePKCECodeChallenge(checks.verifier),
        code_challenge_method: 'S256',
      });
      return { url: url.href, checks };
    },

    finish: async (answer, { state, nonce, verifier }) => {
      const config = await configuration();
      try {
        const tokens = await authorizationCodeGrant(config, answer, {
          expectedState: state,
          expectedNonce: nonce,
          pkceCodeVerifier: verifier,
          idTokenExpected: true,
        });
        return tokens.claims() ?? {};
      } catch (cause) {
        if (!isProviderAway(cause)) throw unauthenticated(cause);
        throw new RegistryError('UNAVAILABLE', `The identity provider ${provider.name} cannot be reached now.`, {}, { cause });
      }
    },
  };
};
