import { decodeJwt, type JWTVerifyGetKey, jwtVerify } from 'jose';
import { RegistryError } from '../../errors.ts';
import type { Caller } from '../caller.ts';
import { LONGEST_AUTHORIZATION, unauthenticated } from '../credentials.ts';
import { type Claims, grantedBy } from './claims.ts';
import { keysOf } from './keys.ts';
import type { Provider } from './provider.ts';

export type Workload = Extract<Caller, { kind: 'workload' }>;

export type Workloads = Readonly<{
  /** Whether a text has the form of an ID token of a provider that we know: not whether it is one. */
  seemsOurs: (text: string) => boolean;
  /**
   * The workload that an ID token speaks for, and what it may do.
   * @throws RegistryError `UNAUTHENTICATED`; `DENIED` where no rule is about it; `UNAVAILABLE` where the provider's keys cannot be had
   */
  authenticate: (idToken: string) => Promise<Workload>;
  /** Whether the provider of a workload is one of ours still. */
  knows: (workloadId: string) => boolean;
}>;

export type WorkloadsOptions = Readonly<{
  /** Epoch milliseconds. */
  now?: () => number;
  keys?: (provider: Provider) => JWTVerifyGetKey;
}>;

/** Signatures that only the provider can make: what verifies one is public. */
const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'];
/** How far clocks may be apart. */
const LEEWAY_SECONDS = 30;

const JWT = /^eyJ[\w-]+\.[\w-]+\.[\w-]*$/;
/** Section 2 of OpenID Connect Core 1.0: at most 255 ASCII characters. Without those that nobody sees. */
const SUBJECT = /^[\x20-\x7e]{1,255}$/;

/** By its own words, which nobody has verified. */
const issuerOf = (token: string): string | undefined => {
  if (token.length > LONGEST_AUTHORIZATION || !JWT.test(token)) return undefined;
  try {
    return decodeJwt(token).iss;
  } catch {
    return undefined;
  }
};

/** Workloads that show an ID token of a configured provider, such as the jobs of a CI system. */
export const workloadsOf = (providers: readonly Provider[], options: WorkloadsOptions = {}): Workloads => {
  const { now = Date.now, keys = keysOf } = options;
  // The issuer in a token only chooses among these: nothing is ever fetched from where a token says.
  const known = new Map(
    providers
      .filter(({ workloads }) => workloads.length > 0)
      .map((provider) => [provider.issuer, { provider, key: keys(provider) }]),
  );
  const names = new Set(providers.map(({ name }) => name));

  const verified = async (
    token: string,
    { audiences, issuer, maxAgeSeconds }: Provider,
    key: JWTVerifyGetKey,
  ): Promise<Claims> => {
    try {
      const { payload } = await jwtVerify(token, key, {
        algorithms: ALGORITHMS,
        issuer,
        audience: [...audiences],
        clockTolerance: LEEWAY_SECONDS,
        maxTokenAge: maxAgeSeconds,
        requiredClaims: ['exp', 'iat', 'sub'],
        currentDate: new Date(now()),
      });
      return payload;
    } catch (error) {
      throw error instanceof RegistryError ? error : unauthenticated(error);
    }
  };

  return {
    seemsOurs: (text) => known.has(issuerOf(text) ?? ''),
    knows: (workloadId) => names.has(workloadId.slice(0, workloadId.indexOf(':'))),

    authenticate: async (idToken) => {
      const found = known.get(issuerOf(idToken) ?? '');
      if (found === undefined) throw unauthenticated();
      const { provider, key } = found;
      const claims = await verified(idToken, provider, key);
      if (typeof claims.sub !== 'string' || !SUBJECT.test(claims.sub)) throw unauthenticated();
      const granted = grantedBy(provider.workloads, claims);
      if (granted === undefined)
        throw new RegistryError('DENIED', `No rule of the identity provider ${provider.name} lets this workload in.`, {
          subject: claims.sub,
        });
      const { grants, maxSeconds } = granted;
      return { kind: 'workload', id: `${provider.name}:${claims.sub}`, grants, until: now() + maxSeconds * 1000 };
    },
  };
};
