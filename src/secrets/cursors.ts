import { createSecretKey, randomBytes } from 'node:crypto';
import { KEY_LENGTH, lock, unlock } from './aead.ts';
import type { Secrets } from './secrets.ts';

/**
 * Where a list goes on, for a client to send back to any node. What it names may be what the client may not know of: the place in a long list at
 * which a request stopped looking. So it is sealed.
 */
export type Cursors = Readonly<{
  /** @param place JSON. @param list what the cursor is good for: `open` needs the same text */
  seal: (place: unknown, list: string) => string;
  /** @returns undefined for what `seal` has not made for this list */
  open: (cursor: string, list: string) => unknown;
}>;

const ID = 'cursors';

/** The cursors of a registry, under a key that is made at the first start. Without it those that are out are of no use. */
export const cursorsOf = async (secrets: Pick<Secrets, 'putIfAbsent'>): Promise<Cursors> => {
  const key = createSecretKey(await secrets.putIfAbsent(ID, randomBytes(KEY_LENGTH)));
  return {
    seal: (place, list) => lock(key, Buffer.from(JSON.stringify(place)), list).toString('base64url'),
    open: (cursor, list) => {
      const opened = unlock(key, Buffer.from(cursor, 'base64url'), list);
      return opened === undefined ? undefined : (JSON.parse(opened.toString()) as unknown);
    },
  };
};
