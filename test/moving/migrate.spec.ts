import { createSecretKey, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import fc from 'fast-check';
import { catalogue } from '../../src/events/catalogue.ts';
import type { Recorded } from '../../src/events/event.ts';
import type { EventLog } from '../../src/events/log/log.ts';
import { sqliteEventLog } from '../../src/events/log/sqlite.ts';
import { CannotMove } from '../../src/moving/cannotMove.ts';
import { type Migrated, type Migration, migrate, type Side } from '../../src/moving/migrate.ts';
import { groups } from '../../src/projections/groups.ts';
import type { Document, Group, Placed, Seen } from '../../src/projections/projection.ts';
import { sqliteGeneration } from '../../src/projections/views/sqliteGeneration.ts';
import type { Cursor, Views } from '../../src/projections/views/views.ts';
import type { Secrets } from '../../src/secrets/secrets.ts';
import { sqliteSecrets } from '../../src/secrets/sqlite.ts';
import { everything, rejectionOf } from '../contracts/eventLog/given.ts';
import { type Entry, registryHistory } from '../support/registryHistory.ts';
import { shiftedLog } from '../support/shiftedLog.ts';
import { factOf, withoutPositions } from './histories.ts';

const PREFIX = 'test';

type Spoil = (views: Views) => Partial<Views>;
type Opened = Readonly<{ side: Side; log: EventLog; secrets: Secrets }>;

const prepare = async (events: readonly Recorded[]) => events.map((event) => catalogue.upcast(event) as Seen);

describe('The migration to other stores', () => {
  let folder: string;
  let sides = 0;
  let open: Opened[] = [];

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'moving-'));
    open = [];
  });
  afterEach(async () => {
    for (const { log, secrets } of open) {
      await log.close();
      await secrets.close();
    }
    rmSync(folder, { recursive: true });
  });

  /** Embedded stores of their own. `spoil`: views that answer otherwise. */
  const opened = async (wrap: (log: EventLog) => EventLog, spoil: Spoil = () => ({})): Promise<Opened> => {
    const path = join(folder, String(sides));
    sides += 1;
    const log = wrap(await sqliteEventLog(':memory:'));
    const secrets = sqliteSecrets(':memory:', createSecretKey(randomBytes(32)));
    const generation = (group: Group) => {
      const whole = sqliteGeneration({ folder: path, group, log, prepare, onError: () => undefined });
      return { ...whole, views: { ...whole.views, ...spoil(whole.views) } };
    };
    const one = { side: { log, secrets, generation }, log, secrets };
    open.push(one);
    return one;
  };

  const same = (log: EventLog): EventLog => log;

  const sourceOf = async (entries: readonly Entry[]): Promise<Opened> => {
    const source = await opened(same);
    const revisions = new Map<string, number>();
    for (const { stream, event } of entries) {
      const expected = revisions.get(stream) ?? -1;
      await source.log.append(stream, expected, [event]);
      revisions.set(stream, expected + 1);
    }
    await source.secrets.putIfAbsent('subject:user-1', Buffer.from('a key'));
    return source;
  };

  const moving = (source: Opened, target: Opened, more: Partial<Migration> = {}): Promise<Migrated> =>
    migrate({
      source: source.side,
      target: target.side,
      moves: { log: true, secrets: true },
      groups: Object.values(groups),
      streamPrefix: PREFIX,
      ...more,
    });

  const HISTORY = fc
    .sample(registryHistory(60), { numRuns: 30, seed: 4 })
    .reduce((longest, entries) => (entries.length > longest.length ? entries : longest));

  it('takes log and secrets along and finds the views the same, whatever positions the other log has', async function () {
    this.timeout(120_000);
    await fc.assert(
      fc.asyncProperty(
        registryHistory(25).filter((entries) => entries.length > 0),
        async (entries) => {
          const source = await sourceOf(entries);
          const target = await opened(shiftedLog);
          const { log, secrets, views } = await moving(source, target);
          expect(log?.events).to.equal(entries.length);
          expect(secrets).to.deep.equal({ secrets: 1, alreadyThere: 0 });
          expect(views.get('reporting')?.documents, 'an entry of the audit trail each, and more').to.be.at.least(entries.length);
          expect(views.get('serving')?.cursors).to.equal(new Set(entries.map(({ stream }) => stream)).size);
          expect(withoutPositions(await everything(target.log))).to.deep.equal(withoutPositions(await everything(source.log)));
          expect(Buffer.from((await target.secrets.get('subject:user-1')) ?? '').toString()).to.equal('a key');
        },
      ),
      { numRuns: 8 },
    );
  });

  it('comes back again, and has nothing to do a second time', async () => {
    const source = await sourceOf(HISTORY);
    const there = await opened(shiftedLog);
    const back = await opened(same);
    await moving(source, there);
    const { log } = await moving(there, back);
    expect(log).to.deep.include({ events: HISTORY.length, alreadyThere: 0 });
    const again = await moving(there, back);
    expect(again.log).to.deep.include({ events: HISTORY.length, alreadyThere: HISTORY.length });
    expect(again.secrets).to.deep.equal({ secrets: 1, alreadyThere: 1 });
  });

  it('leaves alone what does not move', async () => {
    const source = await sourceOf(HISTORY);
    const target = await opened(() => source.log);
    const { log, secrets, views } = await moving(source, target, { moves: { log: false, secrets: false } });
    expect([log, secrets]).to.deep.equal([undefined, undefined]);
    expect(await target.secrets.list('')).to.deep.equal([]);
    expect(views.get('reporting')?.documents).to.be.at.least(HISTORY.length);
  });

  it('refuses an empty log: the settings name another one, perhaps', async () => {
    const error = await rejectionOf(moving(await sourceOf([]), await opened(same)), CannotMove);
    expect(error.message).to.contain('nothing to move');
  });

  it('finds that a registry still runs on the source', async () => {
    const source = await sourceOf(HISTORY);
    const target = await opened(same);
    const list = async (prefix: string): Promise<readonly string[]> => {
      await source.log.append(`${PREFIX}.late`, -1, [factOf(9_999_999)]);
      return source.secrets.list(prefix);
    };
    const busy = { ...source, side: { ...source.side, secrets: { ...source.secrets, list } } };
    const error = await rejectionOf(moving(busy, target), CannotMove);
    expect(error.message).to.contain('The log of the source got events meanwhile');
  });

  it('stops when it is told to, also while views are built', async () => {
    const source = await sourceOf(HISTORY);
    const target = await opened(same);
    const stopping = new AbortController();
    const { generation } = target.side;
    const never = (group: Group) => {
      const whole = generation(group);
      setImmediate(() => stopping.abort());
      return {
        ...whole,
        ready: new Promise<void>((_, reject) => stopping.signal.addEventListener('abort', () => reject(new Error('stopped')))),
      };
    };
    const slow = { ...target, side: { ...target.side, generation: never } };
    const error = await rejectionOf(moving(source, slow, { signal: stopping.signal }), CannotMove);
    expect(error.reason).to.equal('stopped');
    expect((await moving(source, target)).log?.alreadyThere).to.equal(HISTORY.length);
  });

  describe('compares the views, and finds', () => {
    const first =
      (change: (value: Document) => Document | undefined): Spoil =>
      (views) => ({
        find: async (view, query) => {
          const page = await views.find(view, query);
          const items = page.items.flatMap(({ key, value }, index) => {
            const changed = index === 0 && query.after === undefined ? change(value) : value;
            return changed === undefined ? [] : [{ key, value: changed }];
          });
          return { ...page, items } as never;
        },
      });

    const faults: readonly (readonly [string, Spoil, RegExp])[] = [
      ['another document', first((value) => ({ ...value, extra: 1 })), /^The views differ at repositories, document 1/],
      ['a document that is missing', first(() => undefined), /^The views differ at repositories, document 1/],
      [
        'a document too many',
        (views) => ({
          find: async (view, query) => {
            const page = await views.find(view, query);
            return { ...page, items: [...page.items, { key: '~', value: { more: 1 } }] } as never;
          },
        }),
        /^The views differ at repositories, document \d+: nothing here/,
      ],
      [
        'another key',
        (views) => ({
          getPlaced: async () => [],
          find: async (view, query) => {
            const page = await views.find(view, query);
            return { ...page, items: page.items.map((item) => ({ ...item, key: `${item.key}!` })) } as never;
          },
        }),
        /^The views differ at repositories, document 1/,
      ],
      [
        'other totals',
        (views) => ({ totals: async (view) => ({ ...(await views.totals(view)), sums: { strange: 1 } }) }),
        /^The views differ at the totals of repositories/,
      ],
      [
        'another cursor',
        (views) => ({
          cursor: async (stream) => {
            const cursor = await views.cursor(stream);
            return cursor && ({ ...cursor, revision: cursor.revision + 1 } satisfies Cursor);
          },
        }),
        /^The views differ at the cursor of test\./,
      ],
      ['no cursor', () => ({ cursor: async () => undefined }), /the cursor of test\..* nothing on the other side/],
      [
        'a view that stands still',
        () => ({ faults: async () => ({ tags: { position: '1', type: 'TagMoved', message: 'oh' } }) }),
        /^The view tags of the other side stopped at TagMoved: oh/,
      ],
    ];
    for (const [what, spoil, message] of faults) {
      it(what, async () => {
        const error = await rejectionOf(moving(await sourceOf(HISTORY), await opened(shiftedLog, spoil)), CannotMove);
        expect(error.message).to.match(message);
        expect(error.reason).to.equal('different');
      });
    }
  });

  it('takes keys that hold a position for the same only where all else is', async () => {
    const source = await sourceOf(HISTORY);
    const spoil: Spoil = (views) => ({
      getPlaced: async (view, keys) => {
        const placed = await views.getPlaced(view, keys);
        return placed.map((one) => ({ ...one, position: 'elsewhere' }) as Placed as never);
      },
    });
    const error = await rejectionOf(moving(source, await opened(shiftedLog, spoil)), CannotMove);
    expect(error.message).to.match(/^The views differ at auditTrail, document 1/);
  });
});
