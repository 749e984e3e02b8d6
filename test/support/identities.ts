import { expectStatus, type HttpClient } from './http.ts';

const sent = async (client: HttpClient, path: string, body: unknown): Promise<Readonly<Record<string, unknown>>> => {
  const sending = { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } };
  return JSON.parse(expectStatus(path, await client.send('POST', path, sending), 201).body.toString());
};

export type IssuedAccessToken = Readonly<{ id: number; value: string }>;

/** An access token of whoever `client` logs in as. */
export const accessTokenOf = async (
  client: HttpClient,
  limits: Readonly<{ permissions: readonly string[]; repositories?: readonly string[]; user_id?: number }>,
): Promise<IssuedAccessToken> => {
  const { id, token } = await sent(client, '/api/v1/tokens', { name: 'a test', ...limits });
  return { id: Number(id), value: String(token) };
};

export const revokeAccessToken = async (client: HttpClient, { id }: IssuedAccessToken): Promise<void> => {
  expectStatus('revoke', await client.send('DELETE', `/api/v1/tokens/${id}`), 204);
};

/** A robot, by an administrator. @returns its id */
export const robotBy = async (client: HttpClient, username: string): Promise<number> =>
  Number((await sent(client, '/api/v1/users', { username, role: 'robot' })).id);
