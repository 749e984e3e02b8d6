import type { FastifyReply } from 'fastify';
import type { Outcome } from '../commands/execute.ts';
import { RegistryError } from '../errors.ts';
import type { HttpDeps } from './deps.ts';

/** Waits until readers see what was made. It is durable either way, so a lagging view is a warning. */
export const seenOrWarned = async (
  { reached }: Pick<HttpDeps, 'reached'>,
  { position }: Outcome,
  reply: FastifyReply,
): Promise<void> => {
  if (await reached(position)) return;
  reply.header('warning', '299 - "Stored. Listings will show it a little later."');
};

/** Waits until no reader sees what was deleted, revoked or changed. @throws RegistryError `UNAVAILABLE`: doing it again is a no-op */
export const goneForReaders = async ({ reached }: Pick<HttpDeps, 'reached'>, { position }: Outcome): Promise<void> => {
  if (await reached(position)) return;
  throw new RegistryError('UNAVAILABLE', 'This is done, but not everybody sees it yet. Try again.');
};
