import { type Db, MongoServerError } from 'mongodb';
import type { Held, Leases } from './lease.ts';

type Row = Readonly<{ _id: string }> & Held;

const DUPLICATE = 11_000;

/** Leases as documents of one collection: each change is one guarded write, which a majority of the servers has acknowledged. */
export const mongoLeases = (db: Db, collection = 'leases'): Leases => {
  const rows = db.collection<Row>(collection);

  const insert = async (name: string, held: Held): Promise<boolean> => {
    try {
      await rows.insertOne({ _id: name, ...held });
      return true;
    } catch (error) {
      if (error instanceof MongoServerError && error.code === DUPLICATE) return false;
      throw error;
    }
  };

  return {
    read: async (name) => {
      const row = await rows.findOne({ _id: name });
      return row === null ? undefined : { holder: row.holder, beat: row.beat };
    },
    replace: async (name, seen, next) => {
      if (seen === undefined) return insert(name, next);
      const { matchedCount } = await rows.updateOne({ _id: name, holder: seen.holder, beat: seen.beat }, { $set: next });
      return matchedCount === 1;
    },
    release: async (name, holder) => {
      await rows.deleteOne({ _id: name, holder });
    },
  };
};
