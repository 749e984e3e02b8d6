/**
 * Small secrets under ids, wrapped by the key-encryption key: signing keys, subjects' keys, webhook secrets. Every adapter
 * owes what `test/contracts/secrets.contract.ts` says:
 *
 * - A write is durable when it resolves. A secret never changes: it is put once, and perhaps deleted.
 * - What is at rest is ciphertext bound to its id, and what was deleted is overwritten where the store can do that.
 * - A store is opened with the key that it was made with, or not at all.
 * - Every operation but `close` throws UnusableSecrets when what it reads cannot be unwrapped.
 */
export type Secrets = Readonly<{
  get: (id: string) => Promise<Uint8Array | undefined>;
  /** In the order of `ids`, in one read. */
  getMany: (ids: readonly string[]) => Promise<readonly (Uint8Array | undefined)[]>;
  /** @returns the secret that is stored from now on: of several creators at once, all get the winner's */
  putIfAbsent: (id: string, secret: Uint8Array) => Promise<Uint8Array>;
  /** Deleting what is not there does nothing. */
  delete: (id: string) => Promise<void>;
  /** The ids that begin with `prefix`, in byte order. */
  list: (prefix: string) => Promise<readonly string[]>;
  close: () => Promise<void>;
}>;

/** The secrets cannot be read: a key that does not fit, or a damaged store. A process that meets this at its start must not go on. */
export class UnusableSecrets extends Error {
  override readonly name = 'UnusableSecrets';
}

const ID = /^[!-~]{1,200}$/;

/** Ids are 1 to 200 visible ASCII characters, so that every store orders them alike. */
export const checkId = (id: string): string => {
  if (!ID.test(id)) throw new TypeError(`Not an id of a secret: ${JSON.stringify(id.slice(0, 200))}.`);
  return id;
};
