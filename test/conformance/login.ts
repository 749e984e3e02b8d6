import type { Answer } from './row.ts';
import type { Wire } from './wire.ts';

export type Account = Readonly<{ username: string; password: string }>;

/** What a registry asks for of those who come without credentials. */
export type Challenge = Readonly<{ kind: 'none' } | { kind: 'basic' } | { kind: 'bearer'; realm: string; service: string }>;

export const basic = ({ username, password }: Account): string =>
  `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;

/** The parameters of a challenge (RFC 9110, section 11.6.1), as far as registries write them. */
export const challengeIn = (
  header: string | undefined,
): Readonly<{ scheme: string; parameters: ReadonlyMap<string, string> }> => {
  const parameters = [...(header ?? '').matchAll(/(\w+)="([^"]*)"/g)].map(([, name = '', value = '']) => [name, value] as const);
  return { scheme: (header ?? '').split(' ')[0]?.toLowerCase() ?? '', parameters: new Map(parameters) };
};

/** Asks the registry what login it wants. */
export const challengeOf = async (wire: Wire): Promise<Challenge> => {
  const answer = await wire.send({ method: 'GET', target: '/v2/', headers: {} });
  if (answer.status !== 401) return { kind: 'none' };
  const { scheme, parameters } = challengeIn(answer.headers['www-authenticate']);
  if (scheme === 'basic') return { kind: 'basic' };
  const realm = new URL(parameters.get('realm') ?? '', wire.base).href;
  return { kind: 'bearer', realm, service: parameters.get('service') ?? '' };
};

/** What one client holds in one session: credentials that grow with the challenges that it meets, as docker's do. */
export type Login = Readonly<{
  authorization: () => string | undefined;
  /** @returns whether there is something new to try with */
  challenged: (answer: Answer) => Promise<boolean>;
}>;

/** @param account absent: anonymous, which still takes a token where the registry hands them out to everyone */
export const loginAs = (wire: Wire, account: Account | undefined): Login => {
  const scopes = new Set<string>();
  let held: string | undefined;

  const fetchToken = async (parameters: ReadonlyMap<string, string>): Promise<string | undefined> => {
    const realm = new URL(parameters.get('realm') ?? '', wire.base);
    realm.searchParams.set('service', parameters.get('service') ?? '');
    for (const scope of scopes) realm.searchParams.append('scope', scope);
    const headers = account === undefined ? {} : { authorization: basic(account) };
    // A realm on another host gets the credentials all the same: that is where the registry sends its clients.
    const response = await fetch(realm, { headers });
    if (!response.ok) return undefined;
    const { token, access_token: other } = (await response.json()) as { token?: string; access_token?: string };
    return token ?? other;
  };

  return {
    authorization: () => held,
    challenged: async ({ headers }) => {
      const { scheme, parameters } = challengeIn(headers['www-authenticate']);
      const before = held;
      if (scheme === 'basic') held = account === undefined ? undefined : basic(account);
      if (scheme === 'bearer') {
        for (const scope of (parameters.get('scope') ?? '').split(' ')) if (scope !== '') scopes.add(scope);
        const token = await fetchToken(parameters);
        held = token === undefined ? undefined : `Bearer ${token}`;
      }
      return held !== undefined && held !== before;
    },
  };
};
