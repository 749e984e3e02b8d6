import { catalogue } from './events/catalogue.ts';
import type { EventLog } from './events/log/log.ts';
import { readsOn } from './events/log/sqliteReads.ts';
import { openForReading } from './events/log/sqliteSchema.ts';
import { access } from './projections/accessGroup.ts';
import { groups } from './projections/groups.ts';
import { type RebuildRequest, serveRebuild } from './projections/views/sqliteRebuild.ts';
import type { KeyEncryptionKey } from './secrets/keyEncryptionKey.ts';
import { sealing } from './secrets/sealing.ts';
import { type LogPlace, openLog, openSecrets, preparing, preparingAccess, type SecretsPlace } from './stores.ts';

// The thread that builds views beside the live ones. It has the log open for reading, the keys of what is sealed in it, and
// nothing else of the registry.

type RebuildData = RebuildRequest & Readonly<{ log: LogPlace; secrets: SecretsPlace; key: KeyEncryptionKey }>;

/** A file is read without the writer that comes with the whole log. */
const readerOf = async (place: LogPlace): Promise<Pick<EventLog, 'readAll'>> =>
  'file' in place ? readsOn(openForReading(place.file)) : openLog(place);

await serveRebuild(async ({ group: name, log, secrets, key }: RebuildData) => {
  const ofAccess = name === access.name;
  const group = ofAccess ? access : groups[name];
  if (group === undefined) throw new Error(`No group of views is called "${name}".`);
  const { readAll } = await readerOf(log);
  const prepare = ofAccess ? preparingAccess : preparing(sealing(await openSecrets(secrets, key), catalogue));
  return { group, read: async (after, limit) => readAll({ after, limit }), prepare };
});
