import { once } from 'node:events';
import * as http from 'node:http';
import * as https from 'node:https';
import * as net from 'node:net';
import * as tls from 'node:tls';
import type { Answer } from './row.ts';

/** How long an answer may take, in ms. */
const PATIENCE_MS = 20_000;
const MOST_REDIRECTS = 5;

export type Outgoing = Readonly<{
  method: string;
  /** A path as it is to be sent, or an absolute URL. */
  target: string;
  headers: Readonly<Record<string, string | undefined>>;
  body?: Uint8Array | string;
  chunked?: boolean;
}>;

/** One registry over HTTP or HTTPS, and nothing of its code. */
export type Wire = Readonly<{
  base: URL;
  /** Any status is an answer. Follows redirects of GET and HEAD, without credentials where they lead elsewhere. */
  send: (outgoing: Outgoing) => Promise<Answer>;
  /** Writes these bytes on a connection of their own; `Host` is added. @returns the answer, or nothing where the connection is cut */
  raw: (requestLine: string, head: readonly string[], body: Uint8Array, answered: boolean) => Promise<Answer | undefined>;
  close: () => void;
}>;

const parsed = (bytes: Buffer): Answer => {
  const end = bytes.indexOf('\r\n\r\n');
  const [statusLine = '', ...lines] = bytes.toString('latin1', 0, Math.max(0, end)).split('\r\n');
  const status = Number(statusLine.split(' ')[1]);
  if (status >= 100 && status < 200) return parsed(bytes.subarray(end + 4)); // 100 Continue comes before the answer
  const headers = Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
  );
  return { status, headers, body: bytes.subarray(end + 4) };
};

const EXPECTING = /^expect: *100-continue$/i;
/** How long is waited for a server to say that the body may come, in ms. Some never say it. */
const CONTINUE_WITHIN_MS = 1_000;

const write = (socket: net.Socket, bytes: string | Uint8Array): Promise<void> =>
  new Promise((resolve) => socket.write(bytes, () => resolve()));

/** Until the registry is at this request: then what is asked on other connections comes after it. */
const continued = async (socket: net.Socket): Promise<void> => {
  await once(socket, 'data', { signal: AbortSignal.timeout(CONTINUE_WITHIN_MS) }).catch(() => undefined);
};

const bodyOf = async (message: http.IncomingMessage): Promise<Buffer> => {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
};

const BODILESS = new Set(['GET', 'HEAD', 'DELETE', 'OPTIONS']);

const lengthHeader = ({ method, body, chunked }: Outgoing): Record<string, string> => {
  if (chunked === true) return { 'transfer-encoding': 'chunked' };
  if (body === undefined) return BODILESS.has(method) ? {} : { 'content-length': '0' };
  return { 'content-length': String(Buffer.byteLength(body)) };
};

/** @param url of the registry, with the prefix of its paths if it has one */
export const wireTo = (url: string): Wire => {
  const base = new URL(url.endsWith('/') ? url : `${url}/`);
  const secure = base.protocol === 'https:';
  const agent = secure ? new https.Agent({ keepAlive: true }) : new http.Agent({ keepAlive: true });
  const prefix = base.pathname.slice(0, -1);
  const port = base.port === '' ? (secure ? 443 : 80) : Number(base.port);

  /** Paths go out as they are: a URL would take out dots and encode what is to arrive unencoded. */
  const placeOf = (target: string): http.RequestOptions & Readonly<{ path: string; own: boolean }> => {
    if (target.startsWith('/')) return { hostname: base.hostname, port, path: `${prefix}${target}`, own: true };
    const { protocol, hostname, port: other, pathname, search, host } = new URL(target);
    const own = host === base.host && protocol === base.protocol;
    return { protocol, hostname, port: other, path: `${pathname}${search}`, own };
  };

  const ask = (outgoing: Outgoing): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const { own, ...place } = placeOf(outgoing.target);
      const { authorization, ...others } = outgoing.headers;
      const credentials = own && authorization !== undefined ? { authorization } : {};
      const request = (place.protocol ?? base.protocol) === 'https:' ? https.request : http.request;
      const asking = request({
        ...place,
        method: outgoing.method,
        ...(own && { agent }),
        headers: { ...lengthHeader(outgoing), ...others, ...credentials },
        signal: AbortSignal.timeout(PATIENCE_MS),
      });
      asking.on('error', reject);
      asking.once('response', (message) => {
        // Refused before all of it was sent: nothing more is to come on this connection.
        message.once('end', () => asking.writableFinished || asking.destroy());
        bodyOf(message).then((body) => resolve({ status: message.statusCode ?? 0, headers: message.headers, body }), reject);
      });
      asking.end(outgoing.body);
    });

  const send = async (outgoing: Outgoing, left = MOST_REDIRECTS): Promise<Answer> => {
    const answer = await ask(outgoing);
    const { location } = answer.headers;
    const redirected = [301, 302, 303, 307, 308].includes(answer.status) && location !== undefined && left > 0;
    if (!redirected || (outgoing.method !== 'GET' && outgoing.method !== 'HEAD')) return answer;
    return send({ ...outgoing, target: new URL(location, new URL(outgoing.target, base)).href }, left - 1);
  };

  const raw: Wire['raw'] = async (requestLine, head, body, answered) => {
    const [method, target = '/', version = 'HTTP/1.1'] = requestLine.split(' ');
    const where = { host: base.hostname, port };
    const socket = secure ? tls.connect({ ...where, servername: base.hostname }) : net.connect(where);
    try {
      await once(socket, secure ? 'secureConnect' : 'connect');
      const path = target === '*' ? '*' : placeOf(target).path;
      const lines = [`${method} ${path} ${version}`, `Host: ${base.host}`, ...head].join('\r\n');
      const received: Buffer[] = [];
      socket.on('data', (chunk: Buffer) => received.push(chunk)).on('error', () => undefined);
      await write(socket, `${lines}\r\n\r\n`);
      if (head.some((line) => EXPECTING.test(line))) await continued(socket);
      await write(socket, body);
      if (!answered) return undefined;
      await once(socket, 'close', { signal: AbortSignal.timeout(PATIENCE_MS) });
      return parsed(Buffer.concat(received));
    } finally {
      socket.destroy();
    }
  };

  return { base, send, raw, close: () => agent.destroy() };
};
