import {
  type Collection,
  type Db,
  type Filter,
  MongoError,
  MongoInvalidArgumentError,
  MongoServerError,
  type UpdateFilter,
} from 'mongodb';
import { RegistryError } from '../errors.ts';
import { lock, unlock } from './aead.ts';
import type { KeyEncryptionKey } from './keyEncryptionKey.ts';
import { checkId, type Secrets, UnusableSecrets } from './secrets.ts';

type Stored = Readonly<{ _id: string; wrapped: Uint8Array }>;
type About = Stored & Readonly<{ format: number }>;

const FORMAT = 1;

// No id contains a space, so no secret can stand in for the check value.
const CHECK = 'check value';

/** Most ids of one query. */
const AT_ONCE = 1000;
const DUPLICATE_KEY = 11_000;

// The driver passes some errors of a socket on as they are, such as that of one that broke while it was idle.
const SOCKET = /^(?:E[A-Z]+|ERR_(?:STREAM|SOCKET)_.*)$/;

const isBroken = (error: unknown): boolean => {
  if (error instanceof MongoError) return !(error instanceof MongoInvalidArgumentError);
  return error instanceof Error && 'code' in error && SOCKET.test(String(error.code));
};

const reaching = async <T>(work: () => Promise<T>): Promise<T> => {
  try {
    return await work();
  } catch (cause) {
    if (!isBroken(cause)) throw cause;
    throw new RegistryError('UNAVAILABLE', 'The store of the secrets does not answer. Try again in a moment.', {}, { cause });
  }
};

/** Of several that insert at once one does; the others find what it inserted. */
const insertIfAbsent = async <T extends Stored>(collection: Collection<T>, { _id, ...rest }: T): Promise<void> => {
  try {
    await collection.updateOne({ _id } as Filter<T>, { $setOnInsert: rest } as unknown as UpdateFilter<T>, { upsert: true });
  } catch (error) {
    if (!(error instanceof MongoServerError) || error.code !== DUPLICATE_KEY) throw error;
  }
};

const checkKey = async (about: Collection<About>, key: KeyEncryptionKey): Promise<void> => {
  await insertIfAbsent(about, { _id: CHECK, format: FORMAT, wrapped: lock(key, Buffer.alloc(0), CHECK) });
  const check = await about.findOne({ _id: CHECK });
  if (check === null || check.format > FORMAT)
    throw new UnusableSecrets('The secrets in MongoDB were written by a newer release. Run at least that one.');
  if (unlock(key, check.wrapped, CHECK) === undefined) {
    throw new UnusableSecrets(
      'The key-encryption key does not fit the secrets in MongoDB: they were wrapped with another. Start with that one (GHOSTDOCK_SECRET_KEY, or its file), or restore it from its backup.',
    );
  }
};

const unwrap = (key: KeyEncryptionKey, { _id, wrapped }: Stored): Uint8Array => {
  const secret = unlock(key, wrapped, _id);
  if (secret === undefined) throw new UnusableSecrets(`The secret ${_id} was altered at rest: it cannot be unwrapped.`);
  return secret;
};

/**
 * Secrets in the collections `about` and `secrets` of a database. MongoDB cannot overwrite what was deleted: its journal and oplog keep
 * the ciphertext for a while.
 *
 * @throws UnusableSecrets when `key` is not the one that the database was made with, or a newer release wrote it
 * @throws RegistryError UNAVAILABLE where the server does not answer, also by every operation
 */
export const mongoSecrets = async (db: Db, key: KeyEncryptionKey): Promise<Secrets> => {
  const about = db.collection<About>('about', { promoteBuffers: true });
  const secrets = db.collection<Stored>('secrets', { promoteBuffers: true });
  await reaching(() => checkKey(about, key));

  const get = async (id: string): Promise<Uint8Array | undefined> => {
    const stored = await secrets.findOne({ _id: id });
    return stored === null ? undefined : unwrap(key, stored);
  };

  const getMany = async (ids: readonly string[]): Promise<readonly (Uint8Array | undefined)[]> => {
    const found = new Map<string, Uint8Array>();
    const wanted = [...new Set(ids)];
    for (let from = 0; from < wanted.length; from += AT_ONCE) {
      const some = secrets.find({ _id: { $in: wanted.slice(from, from + AT_ONCE) } }, { batchSize: AT_ONCE + 1 });
      for (const stored of await some.toArray()) found.set(stored._id, unwrap(key, stored));
    }
    return ids.map((id) => found.get(id));
  };

  const putIfAbsent = async (id: string, secret: Uint8Array): Promise<Uint8Array> => {
    const stored = await get(id);
    if (stored !== undefined) return stored;
    await insertIfAbsent(secrets, { _id: id, wrapped: lock(key, secret, id) });
    return (await get(id)) ?? (await putIfAbsent(id, secret)); // deleted in between by another process
  };

  const list = async (prefix: string): Promise<readonly string[]> => {
    const ids: string[] = [];
    for (let page = AT_ONCE; page === AT_ONCE; ) {
      // DEL sorts after everything that an id may contain.
      const rest = { $gte: prefix, $lt: `${prefix}\x7f`, ...(ids.length > 0 && { $gt: ids.at(-1) as string }) };
      const options = { projection: { _id: 1 }, sort: { _id: 1 }, limit: AT_ONCE, batchSize: AT_ONCE + 1 } as const;
      const found = await secrets.find({ _id: rest }, options).toArray();
      ids.push(...found.map(({ _id }) => _id));
      page = found.length;
    }
    return ids;
  };

  return {
    get: (id) => reaching(() => get(id)),
    getMany: (ids) => reaching(() => getMany(ids)),
    putIfAbsent: (id, secret) => reaching(async () => putIfAbsent(checkId(id), secret)),
    delete: (id) =>
      reaching(async () => {
        await secrets.deleteOne({ _id: id });
      }),
    list: (prefix) => reaching(() => list(prefix)),
    close: async () => undefined,
  };
};
