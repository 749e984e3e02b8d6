import type { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';

/** How often a stopping server looks for connections that rest, in ms. */
const REST_CHECK_MS = 50;
/** How old a connection is, in ms, when nothing more is expected to be on its way. */
const SETTLED_MS = 2000;

type Connection = {
  /** What was accepted: TCP alone. */
  readonly tcp: Socket;
  /** What requests come on: the same without TLS, nothing before its handshake is done. */
  http: Socket | undefined;
  readonly since: number;
};

export type Connections = Readonly<{
  /** The TCP connection beneath one with TLS. */
  beneath: (socket: Socket) => Socket | undefined;
}>;

const nameOf = ({ remoteAddress, remotePort }: Socket): string => `${remoteAddress} ${remotePort}`;

/**
 * Keeps an eye on all connections, to close at a stop those that nobody asks anything on. Requests that are under way then leave a
 * connection that rests when they are answered, and closing would wait for it. Node closes no connection on which nothing was ever asked,
 * and knows nothing of those that have not agreed on TLS yet.
 */
export const watchConnections = (app: FastifyInstance, secure: boolean): Connections => {
  const open = new Map<string, Connection>();
  const { server } = app;
  server.on('connection', (tcp: Socket) => {
    const name = nameOf(tcp);
    open.set(name, { tcp, http: secure ? undefined : tcp, since: performance.now() });
    tcp.once('close', () => open.delete(name));
  });
  server.on('secureConnection', (http: Socket) => {
    const connection = open.get(nameOf(http));
    if (connection !== undefined) connection.http = http;
  });

  const isSilent = ({ http, since }: Connection): boolean =>
    (http === undefined || http.bytesRead === 0) && performance.now() - since > SETTLED_MS;
  const closeResting = (): void => {
    server.closeIdleConnections();
    for (const connection of open.values()) if (isSilent(connection)) connection.tcp.destroy();
  };
  app.addHook('preClose', async () => {
    if (!server.listening) return;
    closeResting();
    const closing = setInterval(closeResting, REST_CHECK_MS);
    server.once('close', () => clearInterval(closing));
  });
  return { beneath: (socket) => open.get(nameOf(socket))?.tcp };
};
