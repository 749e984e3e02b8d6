import { Agent, type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http';
import { Agent as SecureAgent, request as secureRequest } from 'node:https';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Blob, Image, Manifest } from './images.ts';

export type Answer = Readonly<{ status: number; headers: IncomingHttpHeaders; body: Buffer }>;

export type Sending = Readonly<{
  headers?: Readonly<Record<string, string>>;
  /** A stream is sent with `length`, or in chunks when that is absent. */
  body?: Uint8Array | string | Readable;
  length?: number;
  /** Cuts the connection, wherever the exchange is. */
  signal?: AbortSignal;
}>;

/** A plain HTTP client on kept-alive connections, for what no command-line client would do. */
export type HttpClient = Readonly<{
  /** `path` may be a `Location`, relative or absolute. Any status is an answer; only a broken connection is an error. */
  send: (method: string, path: string, sending?: Sending) => Promise<Answer>;
  /** Like `send`, with the body left to the caller, who must read it to the end. */
  open: (method: string, path: string, sending?: Sending) => Promise<IncomingMessage>;
  /** The same connections with another `Authorization`, or none. */
  as: (authorization: string | undefined) => HttpClient;
  close: () => void;
}>;

export const basic = (username: string, password: string): string =>
  `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;

const lengthOf = ({ body, length }: Sending): number | undefined => {
  if (body === undefined) return 0;
  return typeof body === 'string' || body instanceof Uint8Array ? Buffer.byteLength(body) : length;
};

const bodyOf = async (message: IncomingMessage): Promise<Buffer> => {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
};

export type ClientOptions = Readonly<{
  authorization?: string;
  connections?: number;
  /** Certificates of the authorities that are trusted, in PEM form, for `https://`. */
  ca?: string | Buffer;
}>;

/** At most `connections` at a time; further requests wait. */
export const httpClient = (url: string, { authorization, connections = 64, ca }: ClientOptions = {}): HttpClient => {
  const options = { keepAlive: true, maxSockets: connections };
  const agent = url.startsWith('https:') ? new SecureAgent({ ...options, ...(ca !== undefined && { ca }) }) : new Agent(options);
  return clientOn(agent, url, authorization);
};

const clientOn = (agent: Agent, base: string, authorization: string | undefined): HttpClient => {
  const ask = agent instanceof SecureAgent ? secureRequest : request;
  const open = (method: string, path: string, sending: Sending = {}): Promise<IncomingMessage> =>
    new Promise((resolve, reject) => {
      const { body, headers, signal } = sending;
      const length = lengthOf(sending);
      const outgoing = ask(new URL(path, base), {
        agent,
        method,
        ...(signal !== undefined && { signal }),
        headers: {
          ...(authorization !== undefined && { authorization }),
          ...(length !== undefined &&
            (length > 0 || !['GET', 'HEAD', 'DELETE'].includes(method)) && { 'content-length': length }),
          ...headers,
        },
      });
      // A server may answer and close before it has read everything: then the answer counts, not the broken pipe.
      outgoing.once('response', resolve).on('error', reject);
      // Node would go on with the body when it feels like it, and often never: a client that has its answer hangs up.
      outgoing.once('response', (message) => message.once('end', () => outgoing.writableFinished || outgoing.destroy()));
      if (body === undefined || typeof body === 'string' || body instanceof Uint8Array) outgoing.end(body);
      else pipeline(body, outgoing).catch(reject);
    });

  return {
    open,
    send: async (method, path, sending) => {
      const message = await open(method, path, sending);
      return { status: message.statusCode ?? 0, headers: message.headers, body: await bodyOf(message) };
    },
    as: (other) => clientOn(agent, base, other),
    close: () => agent.destroy(),
  };
};

/** An answer with another status than the caller needs. */
export class Unexpected extends Error {
  override readonly name = 'Unexpected';
  readonly answer: Answer;

  constructor(what: string, answer: Answer) {
    super(`${what}: ${answer.status} ${answer.body.toString('utf8', 0, 500)}`);
    this.answer = answer;
  }
}

export const expectStatus = (what: string, answer: Answer, ...statuses: readonly number[]): Answer => {
  if (!statuses.includes(answer.status)) throw new Unexpected(what, answer);
  return answer;
};

const challengeOf = (header: string | undefined): Readonly<Record<string, string | undefined>> =>
  Object.fromEntries([...(header ?? '').matchAll(/(\w+)="([^"]*)"/g)].map(([, name = '', value = '']) => [name, value]));

/** Follows the challenge of `/v2/` as docker does. @returns an `Authorization` header, or undefined where none is asked for */
export const bearer = async (client: HttpClient, credentials: string, scope: string): Promise<string | undefined> => {
  const challenge = await client.as(undefined).send('GET', '/v2/');
  if (challenge.status === 200) return undefined;
  const { realm, service = '' } = challengeOf(challenge.headers['www-authenticate']);
  if (realm === undefined) throw new Unexpected('no realm to get a token from', challenge);
  const query = new URLSearchParams({ service, scope });
  const answer = expectStatus('token', await client.as(credentials).send('GET', `${realm}?${query}`), 200);
  const { token } = JSON.parse(answer.body.toString()) as { token: string };
  return `Bearer ${token}`;
};

const withDigest = (location: string, digest: string): string =>
  `${location}${location.includes('?') ? '&' : '?'}digest=${encodeURIComponent(digest)}`;

const locationOf = (answer: Answer): string => {
  const { location } = answer.headers;
  if (location === undefined) throw new Unexpected('no Location', answer);
  return location;
};

/** @returns the session's location */
export const startUpload = async (client: HttpClient, repository: string): Promise<string> =>
  locationOf(expectStatus('upload', await client.send('POST', `/v2/${repository}/blobs/uploads/`), 202));

/** @param from where the chunk begins, to be said as `Content-Range`. @returns where to go on */
export const sendChunk = async (client: HttpClient, location: string, body: Uint8Array, from?: number): Promise<string> => {
  const range = from === undefined ? undefined : { 'content-range': `${from}-${from + body.length - 1}` };
  const headers = { 'content-type': 'application/octet-stream', ...range };
  return locationOf(expectStatus('chunk', await client.send('PATCH', location, { body, headers }), 202));
};

export const finishUpload = async (
  client: HttpClient,
  location: string,
  digest: string,
  sending: Sending = {},
): Promise<Answer> =>
  expectStatus(
    'finish',
    await client.send('PUT', withDigest(location, digest), {
      ...sending,
      headers: { 'content-type': 'application/octet-stream', ...sending.headers },
    }),
    201,
  );

/** Start and one PUT, as most clients push. */
export const pushBlob = async (client: HttpClient, repository: string, { digest, bytes }: Blob): Promise<void> => {
  await finishUpload(client, await startUpload(client, repository), digest, { body: bytes });
};

export const pushManifest = async (
  client: HttpClient,
  repository: string,
  reference: string,
  manifest: Manifest,
): Promise<Answer> =>
  expectStatus(
    `manifest ${repository}:${reference}`,
    await client.send('PUT', `/v2/${repository}/manifests/${reference}`, {
      body: manifest.bytes,
      headers: { 'content-type': manifest.mediaType },
    }),
    201,
  );

/** Its blobs at the same time, then the manifest, under `tag`. */
export const pushImage = async (client: HttpClient, repository: string, tag: string, image: Image): Promise<void> => {
  await Promise.all([image.config, ...image.layers].map((blob) => pushBlob(client, repository, blob)));
  await pushManifest(client, repository, tag, image.manifest);
};

/** Every tag of a repository, through all pages. */
export const tagsOf = async (client: HttpClient, repository: string, page = 1000): Promise<readonly string[]> => {
  const tags: string[] = [];
  let path: string | undefined = `/v2/${repository}/tags/list?n=${page}`;
  while (path !== undefined) {
    const answer: Answer = expectStatus('tags', await client.send('GET', path), 200);
    tags.push(...((JSON.parse(answer.body.toString()) as { tags: string[] | null }).tags ?? []));
    path = /<([^>]+)>\s*;\s*rel="?next"?/.exec(String(answer.headers.link ?? ''))?.[1];
  }
  return tags;
};
