import { expect } from 'chai';
import { type Clearing, type ClearingOptions, type Ended, startClearing } from '../src/clearing.ts';
import { RegistryError } from '../src/errors.ts';
import type { Fact, NewEvent } from '../src/events/event.ts';
import { type EventLog, LARGEST_APPEND } from '../src/events/log/log.ts';
import { streamsUnder } from '../src/events/streams.ts';
import { catalog } from '../src/projections/catalog.ts';
import { endedLives } from '../src/projections/endedLives.ts';
import { links } from '../src/projections/links.ts';
import { manifests } from '../src/projections/manifests.ts';
import type { Projector } from '../src/projections/runner.ts';
import { tags } from '../src/projections/tags.ts';
import { appendTo, giving, historyOf, type World, world } from './support/executing.ts';
import {
  as,
  content,
  created,
  end,
  ended,
  image,
  imageOf,
  layer,
  link,
  NAME,
  push,
  pushed,
  tagged,
  withImage,
} from './support/facts.ts';
import { waitUntil } from './support/processes.ts';

/** As many as fit well into one append of at most a megabyte. */
const AT_ONCE = 1500;
const second = { newRepositoryId: 'life-2' };

let here: World;
let projector: Projector;
let running: Clearing[];
let errors: unknown[];

/** Each test of the suite that calls it has a world of its own, in which nothing may fail. */
const inAWorld = (): void => {
  beforeEach(async () => {
    here = await world();
    projector = here.project();
    running = [];
    errors = [];
  });
  afterEach(async () => {
    await Promise.all(running.map(({ stop }) => stop()));
    await here.close();
    expect(errors).to.deep.equal([]);
  });
};

const happened = async (facts: readonly Fact[]): Promise<void> => {
  for (let from = 0; from < facts.length; from += AT_ONCE) await appendTo(here.log, facts.slice(from, from + AT_ONCE));
  await projector.reached(await here.log.head(), Number.POSITIVE_INFINITY);
};

/** A node of its own that clears, on a log that may be watched. */
const clearing = (options: Partial<ClearingOptions> = {}, log: EventLog = here.log): Clearing => {
  const started = startClearing({
    views: here.views,
    execute: here.node({ log }),
    streams: streamsUnder('test'),
    reached: (position) => projector.reached(position, Number.POSITIVE_INFINITY),
    shared: false,
    onError: (error) => errors.push(error),
    lookEveryMs: 5,
    longestRestMs: 0,
    ...options,
  });
  running.push(started);
  return started;
};

/** The log, and what was appended through it. */
const watched = (before: (events: readonly NewEvent[]) => Promise<unknown> = async () => undefined) => {
  const appends: (readonly NewEvent[])[] = [];
  const log: EventLog = {
    ...here.log,
    append: async (stream, expected, events) => {
      await before(events);
      const appended = await here.log.append(stream, expected, events);
      appends.push(events);
      return appended;
    },
  };
  return { log, appends };
};

const isCleared = (): Promise<true> =>
  waitUntil('no life is left to clear', async () => {
    await projector.reached(await here.log.head(), Number.POSITIVE_INFINITY);
    return (await here.views.count(endedLives)) === 0;
  });

const left = async (): Promise<Readonly<Record<string, number>>> => ({
  tags: await here.views.count(tags),
  manifests: await here.views.count(manifests),
  links: await here.views.count(links),
});
const NOTHING = { tags: 0, manifests: 0, links: 0 };

const manyTags = (count: number) => [...withImage, ...Array.from({ length: count }, (_, n) => tagged(`t${n}`, image))];

/** Each thing is recorded as gone once, and the end once, last. */
const expectOnce = async (things: number): Promise<void> => {
  const gone = (await historyOf(here.log)).filter(({ data }) => (data as { cause?: string }).cause === 'repositoryDeleted');
  const keys = gone.map(({ type, data }) => `${type} ${(data as { tag?: string }).tag ?? (data as { digest: string }).digest}`);
  expect(keys.length).to.equal(things);
  expect(new Set(keys).size).to.equal(things);
  const history = await historyOf(here.log);
  expect(history.filter(({ type }) => type === 'RepositoryCleared')).to.have.lengthOf(1);
};

describe('clearing what deleted repositories leave behind', () => {
  inAWorld();

  it('begins with the deletion, and ends when nothing is left', async () => {
    await happened(manyTags(3));
    const { execute } = clearing({ lookEveryMs: 3_600_000 });
    await giving(execute)(end);
    await isCleared();
    expect(await left()).to.deep.equal(NOTHING);
    await expectOnce(3 + 1 + 2);
    expect((await historyOf(here.log)).at(-1)?.type).to.equal('RepositoryCleared');
  });

  it('goes on with what an earlier process has left, also when it stops again and again', async () => {
    await happened([...manyTags(1000), ended(1, 1000)]);
    for (let round = 0; (await here.views.count(endedLives)) > 0; round += 1) {
      const { log, appends } = watched();
      const one = clearing({}, log);
      await waitUntil('it has recorded something', async () => appends.length > 0);
      await one.stop();
      await projector.reached(await here.log.head(), Number.POSITIVE_INFINITY);
      expect(round, 'it gets on').to.be.below(20);
    }
    await expectOnce(1000 + 1 + 2);
  });

  it('takes batches of at most 200, and lets others write to the same name between them', async () => {
    await happened([...manyTags(2000), ended(1, 2000)]);
    const give = giving(here.node());
    const manifest = imageOf('of the next life');
    let pushes = 0;
    const met = new Set<string>();
    const { log, appends } = watched(async ([first]) => {
      // Once a batch: what meets somebody else's events is appended again.
      if (first?.type !== 'TagDeleted' || met.has(first.id)) return;
      met.add(first.id);
      await give({ ...push(manifest, `v${pushes}`), ...second });
      pushes += 1;
    });
    clearing({}, log);
    await isCleared();
    expect(pushes).to.be.at.least(10);
    for (const events of appends) expect(events.length).to.be.at.most(201);
    expect(await here.views.get(catalog, NAME)).to.include({ repositoryId: 'life-2', manifests: 1, tags: pushes });
    expect(await left()).to.deep.equal({ tags: pushes, manifests: 1, links: 0 });
  });

  it('fits manifests that name a great deal into appends', async () => {
    const layers = Array.from({ length: 3500 }, (_, n) => as('layer', content(`layer ${n}`)));
    const large = Array.from({ length: 12 }, (_, n) => imageOf(`large ${n}`, ...layers));
    for (const one of large) await happened(one === large[0] ? [created, pushed(one)] : [pushed(one)]);
    await happened([ended(12, 0)]);
    const { log, appends } = watched();
    clearing({}, log);
    await isCleared();
    expect(appends.length).to.be.greaterThan(3);
    for (const events of appends) expect(JSON.stringify(events).length).to.be.below(LARGEST_APPEND);
    expect(await left()).to.deep.equal(NOTHING);
  });

  it('reads each thing about once, however many there are and have been', async () => {
    const rowsFor = async (count: number): Promise<number> => {
      await happened([...manyTags(count), ended(1, count)]);
      const before = here.views.stats().rowsRead;
      const one = clearing({ lookEveryMs: 3_600_000 });
      await isCleared();
      await one.stop();
      return here.views.stats().rowsRead - before;
    };
    const few = await rowsFor(1000);
    expect(await rowsFor(4000)).to.be.below(5 * few);
  });

  it('is tried again when it fails', async () => {
    await happened([...manyTags(3), ended(1, 3)]);
    let failures = 2;
    const { log } = watched(async () => {
      failures -= 1;
      if (failures >= 0) throw new Error('The log is out of sorts.');
    });
    clearing({}, log);
    await isCleared();
    expect(errors.splice(0)).to.have.lengthOf(2);
    await expectOnce(3 + 1 + 2);
  });
});

describe('waiting until a deleted repository is cleared away', () => {
  inAWorld();
  const LONG = 60_000;
  const HOUR = 3_600_000;

  const deleted = async (execute: Clearing['execute'], repository = NAME): Promise<Ended> => {
    const { facts, position } = await giving(execute)({ type: 'DeleteRepository', repository });
    await projector.reached(position, LONG);
    return { ...(facts[0]?.data as Pick<Ended, 'repositoryId' | 'repository'>), position };
  };

  it('ends when nothing is left, and looks no more often than it clears', async () => {
    await happened(manyTags(1000));
    let looks = 0;
    const get: typeof here.views.get = (view, key) => {
      if (view.view === endedLives.view) looks += 1;
      return here.views.get(view, key);
    };
    const { log, appends } = watched();
    const { execute, cleared } = clearing({ lookEveryMs: HOUR, views: { ...here.views, get } }, log);
    const life = await deleted(execute);
    expect(await cleared(life, LONG)).to.equal(true);
    expect(await left()).to.deep.equal(NOTHING);
    // Before the first batch, after each, and when the work is done; the deletion is an append too.
    expect(looks).to.be.at.most(appends.length + 1);
    expect(await cleared(life, LONG), 'of one that is cleared already').to.equal(true);
  });

  it('ends when the time is over, and clearing goes on', async () => {
    await happened(manyTags(3));
    let go: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => {
      go = resolve;
    });
    const { log } = watched(async ([first]) => (first?.type === 'TagDeleted' ? gate : undefined));
    const { execute, cleared } = clearing({ lookEveryMs: HOUR }, log);
    const life = await deleted(execute);
    expect(await cleared(life, 1)).to.equal(false);
    go();
    expect(await cleared(life, LONG)).to.equal(true);
    await expectOnce(3 + 1 + 2);
  });

  it('gets its turn, however many are deleted at once', async () => {
    const names = Array.from({ length: 12 }, (_, n) => `${NAME}-${n}`);
    const { execute, cleared } = clearing({ lookEveryMs: HOUR });
    const give = giving(execute);
    for (const repository of names) await give({ ...link(layer), repository, newRepositoryId: repository });
    await projector.reached(await here.log.head(), LONG);
    const lives = await Promise.all(names.map((name) => deleted(execute, name)));
    expect(await Promise.all(lives.map((life) => cleared(life, LONG)))).to.deep.equal(names.map(() => true));
    expect(await left()).to.deep.equal(NOTHING);
  });

  it('sees what another process clears', async () => {
    await happened(manyTags(1000));
    const [one, other] = [clearing({ shared: true, lookEveryMs: HOUR }), clearing({ shared: true })];
    const life = await deleted(one.execute);
    expect(await one.cleared(life, LONG)).to.equal(true);
    expect(await other.cleared(life, LONG)).to.equal(true);
    await expectOnce(1000 + 1 + 2);
  });

  it('ends when the process does', async () => {
    await happened(manyTags(3));
    const { log } = watched(async ([first]) => {
      if (first?.type === 'TagDeleted') throw new RegistryError('UNAVAILABLE', 'The log does not answer.');
    });
    const { execute, cleared, stop } = clearing({ lookEveryMs: HOUR }, log);
    const waiting = cleared(await deleted(execute), LONG);
    await stop();
    expect(await waiting).to.equal(false);
  });
});

describe('several processes that clear', () => {
  inAWorld();

  it('take over what stands still, and record nothing twice', async () => {
    await happened([...manyTags(1500), ended(1, 1500)]);
    for (let node = 0; node < 3; node += 1) clearing({ shared: true });
    await isCleared();
    await expectOnce(1500 + 1 + 2);
    expect(await left()).to.deep.equal(NOTHING);
  });

  it('leave to another what it gets on with', async () => {
    const batches = 20;
    await happened([...manyTags(batches), ended(1, batches)]);
    const { log, appends } = watched();
    // Looks only when it is told to, so that something has happened before each.
    let look: () => void = () => undefined;
    let looks = 0;
    let atWill = false;
    const views: typeof here.views = {
      ...here.views,
      find: async (view, query) => {
        if (view.view === endedLives.view && !atWill) {
          looks += 1;
          await new Promise<void>((resolve) => {
            look = resolve;
          });
        }
        return here.views.find(view, query);
      },
    };
    clearing({ shared: true, views }, log);
    for (let n = 0; n < batches; n += 1) {
      await waitUntil('it looks', async () => looks === n + 1);
      const tag = `t${n}`;
      await happened([
        {
          type: 'TagDeleted',
          data: { ...tagged(tag, image).data, since: new Date(0).toISOString(), cause: 'repositoryDeleted' },
        },
      ]);
      look();
    }
    await waitUntil('it has looked for the last time', async () => looks === batches + 1);
    expect(appends).to.deep.equal([]);
    atWill = true;
    look();
    await waitUntil('it takes over what stands still', async () => appends.length > 0);
    await isCleared();
  });
});
