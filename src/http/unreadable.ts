import { type ServerResponse, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';

const refusals: Readonly<Record<string, readonly [status: number, message: string]>> = {
  HPE_HEADER_OVERFLOW: [431, 'The head of the request is too large.'],
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'The head of the request came too slowly.'],
  ERR_SSL_HTTP_REQUEST: [400, 'This port speaks TLS. Ask again with https:// in place of http://.'],
};

/** What cannot be read as HTTP belongs to no surface: it is refused in the words of `/v2` and of the management API. */
const bodyOf = (message: string): string =>
  JSON.stringify({
    errors: [{ code: 'UNSUPPORTED', message, detail: {} }],
    error: { code: 'INVALID_REQUEST', message, details: {} },
  });

const answer = (code: string | undefined, socket: Socket): void => {
  const [status, message] = refusals[code ?? ''] ?? [400, 'This is not a well-formed HTTP request.'];
  const body = bodyOf(message);
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'Connection: close',
    'Content-Type: application/json; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`, () => socket.destroy());
};

/**
 * Answers what Node's parser gave up on, and ends the connection: nobody knows where the next request would begin. Who does not get
 * through the handshake of TLS is told by it; only who has sent a plain request is answered in kind.
 * @param beneath the TCP connection beneath one with TLS
 */
export const refuseUnreadable = (error: NodeJS.ErrnoException, socket: Socket, beneath: Socket | undefined): void => {
  const { code } = error;
  if (code === 'ERR_SSL_HTTP_REQUEST' && beneath?.writable) {
    answer(code, beneath);
    return;
  }
  // What Node is answering on this socket: words of ours would land in the middle of it.
  const { _httpMessage: answering } = socket as Socket & { _httpMessage?: ServerResponse | null };
  const unanswerable = code === 'ECONNRESET' || /^ERR_(?:SSL|TLS)_/.test(code ?? '');
  if (unanswerable || !socket.writable || answering?.headersSent) {
    socket.destroy();
    return;
  }
  answer(code, socket);
};
