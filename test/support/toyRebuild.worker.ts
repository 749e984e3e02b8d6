import { UnknownEvent } from '../../src/events/catalogue.ts';
import { readsOn } from '../../src/events/log/sqliteReads.ts';
import { openForReading } from '../../src/events/log/sqliteSchema.ts';
import { type RebuildRequest, serveRebuild } from '../../src/projections/views/sqliteRebuild.ts';
import { seen } from './projecting.ts';
import { toys } from './toys.ts';

// Builds the toy views, as src/rebuild.worker.ts builds the registry's. It does not know the folder "future", and never gets
// beyond the note "stuck".

await serveRebuild(async ({ log }: RebuildRequest & Readonly<{ log: string }>) => {
  const { readAll } = readsOn(openForReading(log));
  return {
    group: toys,
    sizes: { batch: 100, documents: 200 },
    read: (after, limit) => readAll({ after, limit }),
    prepare: async (events) => {
      const data = events.map((event) => event.data as Readonly<{ note: string; folder: string }>);
      const unknown = events[data.findIndex(({ folder }) => folder === 'future')];
      if (unknown !== undefined) throw new UnknownEvent(unknown);
      if (data.some(({ note }) => note === 'stuck')) await new Promise(() => undefined);
      return seen(events);
    },
  };
});
