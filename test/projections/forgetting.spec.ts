import { expect } from 'chai';
import { NO_STREAM } from '../../src/events/log/log.ts';
import { sqliteEventLog } from '../../src/events/log/sqlite.ts';
import { type Group, type Projection, projection, type Seen } from '../../src/projections/projection.ts';
import { startProjector } from '../../src/projections/runner.ts';
import { sqliteViews } from '../../src/projections/views/sqlite.ts';
import { anEvent } from '../contracts/eventLog/given.ts';

type Events = Readonly<{ Noted: Readonly<{ key: string }>; Ended: Readonly<{ before: string }> }>;

const notes = projection<Readonly<{ key: string }>, Events>({
  view: 'notes',
  version: 1,
  indexes: [],
  keysOf: (event) => (event.type === 'Noted' ? [event.data.key] : []),
  on: { Noted: (_note, { data }) => data },
  forgets: (event) => (event.type === 'Ended' ? event.data.before : undefined),
});
/** Has the same keys, and nothing to forget. */
const kept = projection<Readonly<{ key: string }>, Events>({
  view: 'kept',
  version: 1,
  indexes: [],
  keysOf: notes.keysOf as never,
  on: notes.on as never,
});
const group: Group = { name: 'toys', views: [notes, kept] as readonly unknown[] as readonly Projection[] };

const noted = (key: string) => anEvent({ key }, 'Noted');
const ended = (before: string) => anEvent({ before }, 'Ended');

describe('A view that forgets', () => {
  it('has nothing before the key that an event names, and the views beside it have all', async () => {
    const log = await sqliteEventLog(':memory:');
    const views = sqliteViews(':memory:', group);
    const events = [noted('a'), noted('c'), ended('b'), ended('a'), noted('aa')];
    const { position } = await log.append('notes', NO_STREAM, events);
    const projector = startProjector({
      log,
      views,
      group,
      prepare: (recorded) => recorded as readonly Seen[],
      onError: () => undefined,
    });
    await projector.reached(position, Number.POSITIVE_INFINITY);
    const keysOf = async (view: typeof notes) => (await views.find(view, { limit: 10 })).items.map(({ key }) => key);
    // In one batch: what came after the event, and before its key, is as useless.
    expect(await keysOf(notes)).to.deep.equal(['c']);
    expect(await keysOf(kept)).to.deep.equal(['a', 'aa', 'c']);
    await projector.stop();
    await views.close();
    await log.close();
  });
});
