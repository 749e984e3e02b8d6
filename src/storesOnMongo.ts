import type { Limiters } from './limits/limiter.ts';
import { mongoLimiters } from './limits/mongo.ts';
import type { Generation } from './projections/generation.ts';
import { mongoConnection } from './projections/views/mongoConnection.ts';
import { type MongoGenerationOptions, mongoGeneration } from './projections/views/mongoGeneration.ts';
import { mongoLeases } from './projections/views/mongoLeases.ts';
import type { KeyEncryptionKey } from './secrets/keyEncryptionKey.ts';
import { mongoSecrets } from './secrets/mongo.ts';
import type { Secrets } from './secrets/secrets.ts';

// Loaded on demand: the driver takes a part of a start, and memory, that the embedded stores do without.

export type MongoStores = Readonly<{
  openSecrets: (key: KeyEncryptionKey) => Promise<Secrets>;
  generation: (options: Omit<MongoGenerationOptions, 'db' | 'leases'>) => Generation;
  /** Counts of all nodes: nothing is lost with them, as with views. */
  limiters: () => Limiters;
  close: () => Promise<void>;
}>;

/** Views, leases and secrets on one connection. Secrets are no view: they are not in the database that one may drop and build anew. */
export const storesOnMongo = async (url: string): Promise<MongoStores> => {
  const { db, databaseName, close } = await mongoConnection(url, { appName: 'ghostdock' });
  const views = db(databaseName);
  return {
    openSecrets: async (key) => mongoSecrets(db(`${databaseName}-secrets`), key),
    generation: (options) => mongoGeneration({ ...options, db: views, leases: mongoLeases(views) }),
    limiters: () => mongoLimiters(views),
    close,
  };
};
