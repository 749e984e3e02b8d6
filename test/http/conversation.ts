import { once } from 'node:events';
import type { Socket } from 'node:net';
import type { Answer } from '../support/http.ts';
import { waitUntil } from '../support/processes.ts';
import { connection, parsed } from './raw.ts';

/** A connection whose bytes are ours, on which several requests are made. */
export type Conversation = Readonly<{
  socket: Socket;
  say: (...parts: readonly (string | Uint8Array)[]) => void;
  /** Waits for so many answers, interim ones (1xx) among them, or for the end of the connection. @returns all so far */
  hear: (answers: number) => Promise<readonly Answer[]>;
  /** Waits until the other side has closed. @returns everything that it answered */
  hearAll: () => Promise<readonly Answer[]>;
  /** Why the connection broke, if it did. */
  broken: () => unknown;
}>;

const lengthOf = ({ status, headers }: Answer): number =>
  status < 200 || status === 204 || status === 304 ? 0 : Number(headers['content-length'] ?? 0);

/** The answers in what was received. Not for HEAD, nor for bodies in chunks, which nothing here sends. */
const answersIn = (received: Buffer): readonly Answer[] => {
  const answers: Answer[] = [];
  for (let rest = received; rest.includes('\r\n\r\n'); ) {
    const answer = parsed(rest);
    const length = lengthOf(answer);
    if (answer.body.length < length) break;
    answers.push({ ...answer, body: answer.body.subarray(0, length) });
    rest = answer.body.subarray(length);
  }
  return answers;
};

/** Conversations for the suite whose `describe` callback calls it: what a test leaves open ends with it. */
export const conversations = (port: () => number): (() => Promise<Conversation>) => {
  const open: Conversation[] = [];
  afterEach(() => {
    for (const { socket } of open.splice(0)) socket.destroy();
  });
  return async () => {
    const one = await conversation(port());
    open.push(one);
    return one;
  };
};

const conversation = async (port: number): Promise<Conversation> => {
  const socket = await connection(port);
  const received: Buffer[] = [];
  let failure: unknown;
  socket
    .on('data', (chunk: Buffer) => received.push(chunk))
    .on('error', (error) => {
      failure = error;
    });
  const heard = (): readonly Answer[] => answersIn(Buffer.concat(received));
  return {
    socket,
    say: (...parts) => {
      for (const part of parts) socket.write(part);
    },
    hear: (answers) =>
      waitUntil(`${answers} answers`, () => (heard().length >= answers || socket.closed) && heard(), { everyMs: 1 }),
    broken: () => failure,
    hearAll: async () => {
      if (!socket.closed) await once(socket, 'close');
      return heard();
    },
  };
};

export const statusesOf = (answers: readonly Answer[]): readonly number[] => answers.map(({ status }) => status);

/** One chunk of a body with `Transfer-Encoding: chunked`. */
export const chunkOf = (bytes: Uint8Array): Buffer =>
  Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n')]);

export const LAST_CHUNK = '0\r\n\r\n';
