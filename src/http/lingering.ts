import type { IncomingMessage, ServerResponse } from 'node:http';

/** How long what a refused client still sends is taken in, in ms: as long as nginx does it. */
const LINGER_MS = 30_000;

/**
 * Reads and drops what comes of a body after the answer. With the connection closed or left unread, a client that sends on would never
 * see the answer, and one that keeps its connection would wait on it in vain. A connection that ends with the answer is closed for
 * writing alone until then: the reset that meets bytes sent to a closed one can destroy the answer on its way (RFC 9112, section 9.6).
 */
export const takeInTheRest = (request: IncomingMessage, response: ServerResponse): void => {
  if (request.complete) return;
  const { socket } = request;
  const close = socket.destroySoon;
  // What Node calls behind the last answer of a connection.
  socket.destroySoon = () => {
    if (request.complete || request.destroyed) close.call(socket);
    else socket.end();
  };
  const impatient = setTimeout(() => request.destroy(), LINGER_MS).unref();
  request.once('close', () => {
    clearTimeout(impatient);
    socket.destroySoon = close;
    if (socket.writableEnded) close.call(socket);
  });
  response.once('finish', () => request.resume());
};
