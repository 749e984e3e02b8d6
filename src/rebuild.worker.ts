import { catalogue } from './events/catalogue.ts';
import type { Recorded } from './events/event.ts';
import { readsOn } from './events/log/sqliteReads.ts';
import { openForReading } from './events/log/sqliteSchema.ts';
import { groups } from './projections/groups.ts';
import type { Seen } from './projections/projection.ts';
import { type RebuildRequest, serveRebuild } from './projections/views/sqliteRebuild.ts';
import type { KeyEncryptionKey } from './secrets/keyEncryptionKey.ts';
import { sealing } from './secrets/sealing.ts';
import { sqliteSecrets } from './secrets/sqlite.ts';

// The thread that builds views beside the live ones. It has the log's file open for reading, the keys of what is sealed in it, and
// nothing else of the registry.

type RebuildData = RebuildRequest & Readonly<{ log: string; secrets: string; key: KeyEncryptionKey }>;

await serveRebuild(async ({ group: name, log, secrets, key }: RebuildData) => {
  const group = groups[name];
  if (group === undefined) throw new Error(`No group of views is called "${name}".`);
  const { reveal } = sealing(sqliteSecrets(secrets, key), catalogue);
  const { readAll } = readsOn(openForReading(log));
  return {
    group,
    read: (after, limit) => readAll({ after, limit }),
    prepare: async (events: readonly Recorded[]) => (await reveal(events)).map(catalogue.upcast) as unknown as readonly Seen[],
  };
});
