import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { Answer } from '../support/http.ts';

/** A connection whose bytes are ours: for requests that no HTTP client would send. */
export const connection = async (port: number): Promise<Socket> => {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  return socket;
};

/** The head of a request. `headers` are lines. */
export const head = (requestLine: string, ...headers: readonly string[]): string =>
  `${[`${requestLine} HTTP/1.1`, 'Host: registry.test', ...headers].join('\r\n')}\r\n\r\n`;

/** The first answer in these bytes, with all that follows it as its body. */
export const parsed = (bytes: Buffer): Answer => {
  const end = bytes.indexOf('\r\n\r\n');
  const [statusLine = '', ...lines] = bytes.toString('latin1', 0, end).split('\r\n');
  const headers = Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
  );
  return { status: Number(statusLine.split(' ')[1]), headers, body: bytes.subarray(end + 4) };
};

/** What the server answers until it closes the connection: let it by `Connection: close`. */
export const readAnswer = async (socket: Socket): Promise<Answer> => {
  const received: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => received.push(chunk));
  await once(socket, 'close');
  return parsed(Buffer.concat(received));
};

/** Sends these bytes on a connection of their own. */
export const rawExchange = async (port: number, ...bytes: readonly (string | Uint8Array)[]): Promise<Answer> => {
  const socket = await connection(port);
  const answer = readAnswer(socket);
  for (const part of bytes) socket.write(part);
  return answer;
};
