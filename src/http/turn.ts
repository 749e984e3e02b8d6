import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

const behind = new WeakMap<Socket, Set<() => void>>();

/** What is to be told when a connection closes: one listener for all requests on it. */
const waitingOn = (socket: Socket): Set<() => void> => {
  const known = behind.get(socket);
  if (known !== undefined) return known;
  const waiting = new Set<() => void>();
  behind.set(socket, waiting);
  socket.once('close', () => {
    for (const tell of waiting) tell();
  });
  return waiting;
};

const gone = (): Error =>
  Object.assign(new Error('The client went away before its turn came.'), { code: 'ERR_STREAM_PREMATURE_CLOSE' });

/**
 * Waits until the answers to all earlier requests on the connection are out (HTTP pipelining). Answers that need files and buffers wait with
 * none: else a client that sends many requests at once, and reads no answer, holds them for each.
 * @throws (rejects with) what a broken connection is refused with, when the client has gone by then
 */
export const itsTurn = async ({ socket }: IncomingMessage, response: ServerResponse): Promise<void> => {
  if (response.socket !== null) return;
  const waiting = waitingOn(socket);
  await new Promise<void>((resolve) => {
    const go = (): void => {
      waiting.delete(go);
      resolve();
    };
    response.once('socket', go);
    waiting.add(go);
    if (socket.destroyed) go();
  });
  if (response.socket === null) throw gone();
};
