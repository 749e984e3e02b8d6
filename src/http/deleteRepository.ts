import type { FastifyRequest } from 'fastify';
import { grantsDecider } from '../commands/grants.ts';
import { RegistryError } from '../errors.ts';
import type { Fact } from '../events/event.ts';
import type { RepositoryEvents } from '../events/repository.ts';
import { change } from './change.ts';
import { contextOf } from './context.ts';
import type { HttpDeps } from './deps.ts';
import { goneForReaders } from './ownWrites.ts';

/** They mean nothing any more, whether that is on record or not: those that a crash leaves behind are only in the way. */
const endGrants = async (
  { execute, streams }: HttpDeps,
  request: FastifyRequest,
  life: Readonly<{ scope: string; repositoryId: string }>,
): Promise<void> => {
  for (;;) {
    const { facts } = await execute(streams.grants, grantsDecider, { type: 'EndGrants', ...life }, contextOf(request));
    if (facts.length === 0) return;
  }
};

/**
 * Ends a repository's life on behalf of a caller who may, and waits until nobody sees it any more and no counter has it, unless it held
 * so much that recording this takes longer than a request may.
 * @returns how many manifests it had
 * @throws RegistryError `UNSUPPORTED` | `REPOSITORY_UNKNOWN` | `TAG_IMMUTABLE` | `UNAVAILABLE`
 */
export const deleteRepository = async (deps: HttpDeps, request: FastifyRequest, repository: string): Promise<number> => {
  if (!deps.settings.deletes) throw new RegistryError('UNSUPPORTED', 'This registry does not delete.');
  const outcome = await change(deps, request, { type: 'DeleteRepository', repository });
  await goneForReaders(deps, outcome);
  const [deleted] = outcome.facts as readonly [Fact<'RepositoryDeleted', RepositoryEvents['RepositoryDeleted']>];
  const { repositoryId, manifests } = deleted.data;
  await endGrants(deps, request, { scope: repository, repositoryId });
  await deps.cleared({ repositoryId, repository, position: outcome.position });
  return manifests;
};
