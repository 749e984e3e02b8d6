import { createHash, type Hash } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { finishUpload, httpClient, startUpload } from '../test/support/http.ts';
import { noise } from '../test/support/images.ts';

/**
 * The cheapest way of moving blobs over HTTP that Node has: plain sockets, reads into one buffer, writes from one. It moves several
 * GB/s, so that what is measured is the server (`node:http` as a client allocates every 64 KiB, and is slower than what it measures).
 */

const BLOCK = 1024 * 1024;

/** Who asks which registry for which repository. */
export type Client = Readonly<{ url: string; repository: string; authorization?: string }>;

type Head = Readonly<{ status: number; headers: ReadonlyMap<string, string> }>;
type Headers = Readonly<Record<string, string>>;

export const authorizationOf = ({ authorization }: Client): Headers => (authorization === undefined ? {} : { authorization });

const parseHead = (text: string): Head => {
  const [first = '', ...lines] = text.split('\r\n');
  const pairs = lines.map((line): [string, string] => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
  });
  return { status: Number(first.split(' ')[1]), headers: new Map(pairs) };
};

export const requestHead = (method: string, url: URL, headers: Headers): string => {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  return [`${method} ${url.pathname}${url.search} HTTP/1.1`, `host: ${url.host}`, ...lines, '', ''].join('\r\n');
};

/** Reads answers from a socket that takes its bytes into one buffer: the head, then nothing but a count. */
const answerOn = (url: URL): Readonly<{ socket: Socket; head: Promise<Head>; body: Promise<number> }> => {
  const head = Promise.withResolvers<Head>();
  const body = Promise.withResolvers<number>();
  let text = '';
  let expected: number | undefined;
  let received = 0;
  const read = (length: number, buffer: Uint8Array): boolean => {
    received += length;
    if (expected === undefined) {
      text += Buffer.from(buffer.buffer, buffer.byteOffset, length).toString('latin1');
      const end = text.indexOf('\r\n\r\n');
      if (end === -1) return true;
      const parsed = parseHead(text.slice(0, end));
      received = text.length - end - 4;
      expected = Number(parsed.headers.get('content-length') ?? 0);
      head.resolve(parsed);
    }
    if (received >= expected) body.resolve(received);
    return true;
  };
  const fail = (error: Error): void => {
    head.reject(error);
    body.reject(error);
  };
  const onread = { buffer: Buffer.allocUnsafeSlow(BLOCK / 2), callback: read };
  const socket = connect({ host: url.hostname, port: Number(url.port), noDelay: true, onread });
  socket.on('error', fail).on('close', () => fail(new Error(`The connection to ${url} was closed early.`)));
  for (const { promise } of [head, body]) promise.catch(() => undefined); // told to whoever awaits it
  return { socket, head: head.promise, body: body.promise };
};

/** Gets a blob and throws its bytes away. */
export const pullBlob = async (client: Client, digest: string, size: number): Promise<void> => {
  const url = new URL(`${client.url}/v2/${client.repository}/blobs/${digest}`);
  const { socket, head, body } = answerOn(url);
  try {
    socket.write(requestHead('GET', url, { ...authorizationOf(client), connection: 'close' }));
    const { status } = await head;
    const received = await body;
    if (status !== 200 || received !== size) throw new Error(`GET ${url} was answered with ${status} and ${received} bytes.`);
  } finally {
    socket.destroy();
  }
};

const write = (socket: Socket, bytes: Uint8Array | string): Promise<void> =>
  new Promise((resolve, reject) => {
    socket.write(bytes, (error) => (error ? reject(error) : resolve()));
  });

/** A blob of one block over and over, which ends in a block that no other blob has: its digest costs a hash of that block alone. */
export type BigBlob = Readonly<{ size: number; digest: string; last: Buffer }>;

const block = noise(BLOCK, 'block');
const beginnings = new Map<number, Hash>();

const beginningOf = (blocks: number): Hash => {
  const known = beginnings.get(blocks);
  if (known !== undefined) return known;
  const hash = createHash('sha256');
  for (let done = 0; done < blocks; done += 1) hash.update(block);
  beginnings.set(blocks, hash);
  return hash;
};

/** @param mebibytes 1 or more */
export const bigBlob = (mebibytes: number, seed: string): BigBlob => {
  const last = noise(BLOCK, seed);
  const digest = beginningOf(mebibytes - 1)
    .copy()
    .update(last)
    .digest('hex');
  return { size: mebibytes * BLOCK, digest: `sha256:${digest}`, last };
};

/** The body of a PATCH. @returns where to go on */
const sendBlob = async (url: URL, headers: Headers, { size, last }: BigBlob): Promise<string> => {
  const { socket, head } = answerOn(url);
  try {
    const type = { 'content-type': 'application/octet-stream', 'content-length': String(size) };
    socket.write(requestHead('PATCH', url, { ...headers, ...type }));
    for (let sent = BLOCK; sent < size; sent += BLOCK) await write(socket, block);
    await write(socket, last);
    const { status, headers: answered } = await head;
    if (status !== 202) throw new Error(`PATCH ${url} was answered with ${status}.`);
    return answered.get('location') ?? url.href;
  } finally {
    socket.destroy();
  }
};

/** Pushes as docker, podman and skopeo do: POST, PATCH, PUT. */
export const pushBlob = async (client: Client, blob: BigBlob): Promise<void> => {
  const http = httpClient(client.url, { connections: 1, ...authorizationOf(client) });
  try {
    const location = new URL(await startUpload(http, client.repository), client.url);
    await finishUpload(http, await sendBlob(location, authorizationOf(client), blob), blob.digest);
  } finally {
    http.close();
  }
};
