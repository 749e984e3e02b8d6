import type { Server, ServerOptions } from 'node:https';
import type { FastifyInstance } from 'fastify';

/** A certificate with those that lead to its authority, and its private key, in PEM form. */
export type KeyPair = Readonly<{ cert: Buffer; key: Buffer }>;

/** How long a client may take to agree on a session, in ms: as long as for the head of a request. */
const HANDSHAKE_TIMEOUT_MS = 30_000;

/** Ciphers and curves are Node's. TLS 1.2 is said although it is Node's own, because `NODE_OPTIONS` could lower that. */
export const tlsOptions = ({ cert, key }: KeyPair): ServerOptions => ({
  cert,
  key,
  minVersion: 'TLSv1.2',
  handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
});

/** New connections get this certificate; those that there are go on with theirs. */
export const useCertificate = ({ server }: FastifyInstance, pair: KeyPair): void =>
  (server as unknown as Server).setSecureContext(tlsOptions(pair));
