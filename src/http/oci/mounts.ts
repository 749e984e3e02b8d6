import type { FastifyReply, FastifyRequest } from 'fastify';
import { RegistryError } from '../../errors.ts';
import { judge } from '../../identity/rights.ts';
import type { Digest } from '../../oci/digest.ts';
import { parseName } from '../../oci/names.ts';
import { holders, holdersOf } from '../../projections/holders.ts';
import { linkKey, links } from '../../projections/links.ts';
import { type Repository, repositories } from '../../projections/repositories.ts';
import { change } from '../change.ts';
import type { HttpDeps } from '../deps.ts';
import { seenOrWarned } from '../ownWrites.ts';
import { ownerIdOf } from '../permit.ts';
import { readableOf } from '../readable.ts';
import { needsScope, scopeOf } from './guard.ts';

/** Repositories that a mount without a source looks at, beside those that are near the caller: each costs two reads. */
const MOST_SOURCES = 20;
/** Of the prefixes and names that a caller may read, those that are looked at first. */
const MOST_PREFIXES = 5;
const MOST_NAMES = 100;

/**
 * Puts a blob of another repository that the caller may read into `repository`; without `from`, of any such.
 * @returns whether it did; if not, an ordinary session is the answer
 * @throws RegistryError `NAME_INVALID` for a source that cannot be called so
 */
export type Mount = (
  request: FastifyRequest,
  reply: FastifyReply,
  repository: string,
  digest: Digest,
  from: string | undefined,
) => Promise<boolean>;

export const mounting = (deps: HttpDeps): Mount => {
  const namesUnder = async (prefix: string, within: string, limit: number): Promise<readonly string[]> => {
    const { items } = await deps.views.find(holders, { where: { key: { $prefix: `${prefix}${within}` } }, limit });
    return items.map(({ key }) => key.slice(prefix.length));
  };

  /** Where a blob may be mounted from: first under the prefixes and names that are the caller's to read, then wherever it is. */
  const holdersFor = async ({ caller }: FastifyRequest, digest: Digest): Promise<readonly string[]> => {
    const readable = await readableOf(deps.views, caller);
    const prefix = holdersOf(digest);
    if (typeof readable !== 'object') return namesUnder(prefix, '', MOST_SOURCES);
    const names = readable.names.slice(0, MOST_NAMES).map(({ name }) => name);
    // Waited for together: of two that fail, the one that nobody waits for would end the process.
    const [named, under, anywhere] = await Promise.all([
      deps.views.getMany(
        holders,
        names.map((name) => `${prefix}${name}`),
      ),
      Promise.all(readable.prefixes.slice(0, MOST_PREFIXES).map((within) => namesUnder(prefix, within, 1))),
      namesUnder(prefix, '', MOST_SOURCES),
    ]);
    return [...new Set([...under.flat(), ...names.filter((_name, n) => named[n] !== undefined), ...anywhere])];
  };

  const sourceOf = async (from: string): Promise<Readonly<{ name: string; repository: Repository | undefined }>> => ({
    name: from,
    repository: await deps.views.get(repositories, parseName(from)),
  });

  /** A client whose token was asked for the target alone is told what to ask for, where the mount will come of it. */
  const challengeWhereScopeIsMissing = async (
    { caller }: FastifyRequest,
    repository: string,
    digest: Digest,
    from: string,
  ): Promise<void> => {
    const source = await sourceOf(from);
    if (source.repository === undefined || !(await needsScope(deps, caller, 'pull', source))) return;
    if ((await deps.views.get(links, linkKey(source.repository.repositoryId, digest))) === undefined) return;
    const scope = `${scopeOf(repository, 'push')} ${scopeOf(from, 'pull')}`;
    throw new RegistryError(
      'UNAUTHENTICATED',
      'This token was not issued for the source. Get one with the scopes of the challenge.',
      {
        scope,
      },
    );
  };

  /** @returns whether the blob was mounted; if not, an ordinary session is the answer */
  const mount = async (
    request: FastifyRequest,
    reply: FastifyReply,
    repository: string,
    digest: Digest,
    from: string,
  ): Promise<boolean> => {
    const source = await sourceOf(from);
    const { allowed } = await judge(deps.views, request.caller, 'pull', source);
    const linked = allowed && source.repository && (await deps.views.get(links, linkKey(source.repository.repositoryId, digest)));
    if (!linked || (await deps.blobs.stat(digest)) === undefined) return false;
    const founding = { newRepositoryId: deps.newId(), ownerId: ownerIdOf(request.caller) };
    const outcome = await change(deps, request, {
      type: 'LinkBlob',
      repository,
      digest,
      size: linked.size,
      mountedFrom: from,
      ...founding,
    });
    if ((await deps.blobs.stat(digest)) === undefined) {
      await change(deps, request, { type: 'UnlinkBlob', repository, digest, cause: 'missing' });
      return false;
    }
    await seenOrWarned(deps, outcome, reply);
    return true;
  };

  return async (request, reply, repository, digest, from) => {
    // An empty `from` is what some clients send who know of no source.
    const sources = from !== undefined && from !== '' ? [from] : await holdersFor(request, digest);
    for (const source of sources) if (await mount(request, reply, repository, digest, source)) return true;
    for (const source of sources) await challengeWhereScopeIsMissing(request, repository, digest, source);
    return false;
  };
};
