import { timingSafeEqual } from 'node:crypto';
import type { Secrets } from '../secrets/secrets.ts';
import { erasureOfSecret } from '../secrets/subjectKeys.ts';
import { refused } from './cannotMove.ts';

/** What is deleted while it is read is not given. */
export type Secret = Readonly<{ id: string; secret: Uint8Array }>;

const PAGE = 500;

/** Every secret of a store, in the order of the ids. */
export async function* secretsIn(secrets: Pick<Secrets, 'list' | 'getMany'>): AsyncGenerator<Secret> {
  const ids = await secrets.list('');
  for (let at = 0; at < ids.length; at += PAGE) {
    const page = ids.slice(at, at + PAGE);
    const found = await secrets.getMany(page);
    for (const [index, id] of page.entries()) {
      const secret = found[index];
      if (secret !== undefined) yield { id, secret };
    }
  }
}

const isSame = (one: Uint8Array, other: Uint8Array): boolean => one.length === other.length && timingSafeEqual(one, other);

const conflict = (id: string): Error =>
  refused(
    `The other side has another secret under the id ${id}: what is sealed with it could not be read there. No secret was written. Start with an empty store.`,
  );

/** Whether it is the key of somebody who was erased on the other side: it stays away. */
const isErasedIn = async (target: Secrets, id: string): Promise<boolean> => {
  const erasure = erasureOfSecret(id);
  return erasure !== undefined && (await target.get(erasure)) !== undefined;
};

/**
 * Puts secrets into a store that wraps them with its own key. First it looks at all of them: one that is there with another
 * content is refused before any is written. Keys of those who were erased there are passed over.
 *
 * @returns how many are there now, and how many of them were before
 * @throws CannotMove
 */
export const putSecrets = async (
  secrets: () => AsyncIterable<Secret> | Iterable<Secret>,
  target: Secrets,
): Promise<Readonly<{ secrets: number; alreadyThere: number }>> => {
  let alreadyThere = 0;
  for await (const { id, secret } of secrets()) {
    const there = await target.get(id);
    if (there === undefined) continue;
    if (!isSame(there, secret)) throw conflict(id);
    alreadyThere += 1;
  }
  let count = 0;
  for await (const { id, secret } of secrets()) {
    if (await isErasedIn(target, id)) continue;
    if (!isSame(await target.putIfAbsent(id, secret), secret)) throw conflict(id);
    count += 1;
  }
  return { secrets: count, alreadyThere };
};

/**
 * Carries all secrets of one store over to another. A secret that only the target has may be the key of somebody who was erased
 * on the source since an earlier attempt: it is refused, because nobody else could tell.
 *
 * @throws CannotMove
 */
export const copySecrets = async (
  source: Secrets,
  target: Secrets,
): Promise<Readonly<{ secrets: number; alreadyThere: number }>> => {
  const ours = new Set(await source.list(''));
  const extra = (await target.list('')).filter((id) => !ours.has(id));
  if (extra.length > 0)
    throw refused(
      `The other side has ${extra.length} secrets that the source has not, such as ${extra[0]}. They may belong to another registry, or to somebody who was erased here meanwhile. Start with an empty store.`,
    );
  return putSecrets(() => secretsIn(source), target);
};
