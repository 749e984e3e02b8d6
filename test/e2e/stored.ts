import { expect } from 'chai';
import type { Config } from '../../src/config.ts';
import { catalogue } from '../../src/events/catalogue.ts';
import type { Recorded } from '../../src/events/event.ts';
import { eventstoreEventLog } from '../../src/events/log/eventstore.ts';
import type { EventLog } from '../../src/events/log/log.ts';
import { groups } from '../../src/projections/groups.ts';
import type { Group } from '../../src/projections/projection.ts';
import { mongoViews } from '../../src/projections/views/mongo.ts';
import { mongoBuilds } from '../../src/projections/views/mongoBuilds.ts';
import { mongoConnection } from '../../src/projections/views/mongoConnection.ts';
import type { Views } from '../../src/projections/views/views.ts';
import { sealing } from '../../src/secrets/sealing.ts';
import { keyOf, preparing } from '../../src/stores.ts';
import { storesOnMongo } from '../../src/storesOnMongo.ts';
import { waitUntil } from '../support/processes.ts';
import { allOf, dumpOf, projected } from './stopped.ts';

/** What a registry has in EventStoreDB and MongoDB, looked at from beside it. */

type OnServers = Config & Readonly<{ eventLog: string; views: string }>;

const onLog = async <T>({ eventLog, streamPrefix }: OnServers, use: (log: EventLog) => Promise<T>): Promise<T> => {
  const log = await eventstoreEventLog(eventLog, { prefix: streamPrefix });
  try {
    return await use(log);
  } finally {
    await log.close();
  }
};

/** Every event of its log, in order. */
export const factsOnServer = (config: OnServers): Promise<readonly Recorded[]> => onLog(config, allOf);

const cursorsOf = async (views: Views, facts: readonly Recorded[]): Promise<Readonly<Record<string, unknown>>> => {
  const cursors: Record<string, unknown> = {};
  for (const { stream } of facts) cursors[stream] ??= await views.cursor(stream);
  return cursors;
};

/** Everything that views say: documents and totals by view, cursors by stream. */
const lookingAt = (group: Group, facts: readonly Recorded[]) => async (views: Views) => ({
  ...(await dumpOf(views, group)),
  cursors: await cursorsOf(views, facts),
  checkpoint: await views.checkpoint(),
});

/** The views that are in use, and their log, say the same document by document. */
export const expectStoredViewsAgree = async (config: OnServers): Promise<void> => {
  const connection = mongoConnection(config.views, { appName: 'tests' });
  const stores = await storesOnMongo(config.views);
  const { reveal } = sealing(await stores.openSecrets(keyOf(config)), catalogue);
  try {
    await onLog(config, async (log) => {
      const facts = await allOf(log);
      for (const group of Object.values(groups)) {
        const builds = mongoBuilds(connection.db(), group);
        const stored = await mongoViews(connection.db(), builds.nameOf((await builds.inUse()).current), group);
        await waitUntil(
          `the ${group.name} views hold everything`,
          async () => (await stored.checkpoint()) === facts.at(-1)?.position,
        );
        const look = lookingAt(group, facts);
        const computed = await projected(log, group, preparing({ reveal }), look);
        for (const [what, content] of Object.entries(await look(stored)))
          expect(content, `${what} of ${group.name}`).to.deep.equal(computed[what as keyof typeof computed]);
      }
    });
  } finally {
    await connection.close();
    await stores.close();
  }
};
