import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import { expect } from 'chai';
import { isRefusal } from '../../src/errors.ts';
import type { Document, Group, Placed } from '../../src/projections/projection.ts';
import { type SqliteViews, sqliteViews, ViewsUnusable } from '../../src/projections/views/sqlite.ts';
import { startFile } from '../../src/projections/views/sqliteFill.ts';
import { type Compiled, compileCount, compileFind, endOfPrefix } from '../../src/projections/views/sqliteQuery.ts';
import { createIndexes, createTables } from '../../src/projections/views/sqliteSchema.ts';
import type { Commit, Query, Where } from '../../src/projections/views/views.ts';
import { viewsContract } from '../contracts/views.contract.ts';
import { positionOf } from '../support/projecting.ts';
import { asViews, marks, notes, toys } from '../support/toys.ts';
import { costsOn } from '../support/visits.ts';

viewsContract('sqlite in memory', async (group, clock) => sqliteViews(':memory:', group, clock));
viewsContract('sqlite in memory, without a cache', async (group, clock) =>
  sqliteViews(':memory:', group, { ...clock, cacheBytes: 0 }),
);
viewsContract('sqlite in a file', async (group, clock) => {
  const folder = mkdtempSync(join(tmpdir(), 'views-'));
  const views = sqliteViews(join(folder, 'views.db'), group, clock);
  const close = async (): Promise<void> => {
    await views.close();
    rmSync(folder, { recursive: true });
  };
  return { ...views, close };
});

const note = (key: string, at: number, value: Document | undefined): Placed => ({ key, position: positionOf(at), value });

const step = (checkpoint: number, documents: readonly Placed[], rest: Partial<Commit> = {}): Commit => ({
  totals: {},
  documents: [{ view: 'notes', documents }],
  cursors: {},
  checkpoint: positionOf(checkpoint),
  ...rest,
});

const failureOf = async (work: () => unknown): Promise<unknown> => {
  try {
    await work();
    return undefined;
  } catch (error) {
    return error;
  }
};

describe('how sqlite looks for documents', () => {
  const projection = notes;
  let db: DatabaseSync;

  before(() => {
    db = new DatabaseSync(':memory:');
    createTables(db, toys, 'ready');
    createIndexes(db, toys);
  });

  after(() => db.close());

  const planOf = ({ sql, parameters }: Compiled): string =>
    db
      .prepare(`explain query plan ${sql}`)
      .all(...(parameters as SQLInputValue[]))
      .map((row) => String(row.detail))
      .join('\n');
  const find = (query: Omit<Query, 'limit'>): string => planOf(compileFind(projection, { ...query, limit: 10 }) as Compiled);
  const count = (where: Where): string => planOf(compileCount(projection, where));

  const KEYS = 'by_key_notes';
  const QUERIES: readonly (readonly [what: string, query: Omit<Query, 'limit'>, plan: RegExp])[] = [
    ['everything by key', {}, new RegExp(`^SCAN view_notes USING INDEX ${KEYS}$`)],
    ['a page by key', { after: ['a'] }, new RegExp(`^SEARCH view_notes USING INDEX ${KEYS} \\(key>\\?\\)$`)],
    [
      'a page by key, backwards',
      { sort: ['-key'], after: ['a'] },
      new RegExp(`^SEARCH view_notes USING INDEX ${KEYS} \\(key<\\?\\)$`),
    ],
    [
      'the keys under a prefix',
      { where: { key: { $prefix: 'a/' } } },
      new RegExp(`^SEARCH view_notes USING INDEX ${KEYS} \\(key>\\? AND key<\\?\\)$`),
    ],
    [
      'the next of them',
      { where: { key: { $prefix: 'a/' } }, after: ['a/b'] },
      new RegExp(`^SEARCH view_notes USING INDEX ${KEYS} \\(key>\\? AND key<\\?\\)$`),
    ],
    ['one value', { where: { folder: 'inbox' } }, /^SEARCH view_notes USING INDEX by_folder_notes \(f_folder=\?\)$/],
    [
      'one value, the next page',
      { where: { folder: 'inbox' }, after: ['a'] },
      /^SEARCH view_notes USING INDEX by_folder_notes \(f_folder=\? AND key>\?\)$/,
    ],
    [
      'one value by another field',
      { where: { folder: 'inbox' }, sort: ['size'] },
      /^SEARCH view_notes USING INDEX by_folder\+size_notes \(f_folder=\?\)$/,
    ],
    [
      'its next page',
      { where: { folder: 'inbox' }, sort: ['size'], after: [3, 'a'] },
      /^SEARCH view_notes USING INDEX by_folder\+size_notes \(f_folder=\? AND \(f_size,key\)>\(\?,\?\)\)$/,
    ],
    [
      'its next page, backwards',
      { where: { folder: 'inbox' }, sort: ['-size'], after: [3, 'a'] },
      /^SEARCH view_notes USING INDEX by_folder\+size_notes \(f_folder=\? AND \(f_size,key\)<\(\?,\?\)\)$/,
    ],
    [
      'the order of a field',
      { sort: ['at'], after: ['2026', 'a'] },
      /^SEARCH view_notes USING INDEX by_at_notes \(\(f_at,key\)>\(\?,\?\)\)$/,
    ],
    [
      'a range in its order',
      { where: { at: { $gte: '2026', $lt: '2027' } }, sort: ['-at'] },
      /^SEARCH view_notes USING INDEX by_at_notes \(f_at>\? AND f_at<\?\)$/,
    ],
    [
      'a prefix of a field',
      { where: { at: { $prefix: '2026-01' } }, sort: ['at'] },
      /^SEARCH view_notes USING INDEX by_at_notes \(f_at>\? AND f_at<\?\)$/,
    ],
  ];

  for (const [what, query, plan] of QUERIES) {
    it(`finds ${what} in one index, sorted by it`, () => {
      expect(find(query)).to.match(plan);
    });
  }

  it('merges the sorted scans of several values without sorting them again', () => {
    for (const after of [undefined, [3, 'a']]) {
      const plan = find({ where: { folder: { $in: ['inbox', 'sent', 'bin'] } }, sort: ['size'], ...(after && { after }) });
      expect(plan.match(/SEARCH view_notes USING INDEX by_folder\+size_notes \(f_folder=\?/g)).to.have.lengthOf(3);
      expect(plan)
        .to.contain('MERGE')
        .and.not.to.match(/TEMP B-TREE|SCAN/);
    }
  });

  it('counts in an index', () => {
    expect(count({ folder: 'inbox' })).to.match(
      /^SEARCH view_notes USING (?:COVERING )?INDEX by_folder\S*_notes \(f_folder=\?\)$/,
    );
    expect(count({ at: { $gte: '2026' } })).to.match(/^SEARCH view_notes USING (?:COVERING )?INDEX by_at_notes \(f_at>\?\)$/);
  });

  it('prepares a shape of query once, whatever its values', () => {
    const sqlOf = (query: Query): string | undefined => compileFind(projection, query)?.sql;
    expect(sqlOf({ where: { folder: 'a', size: { $gt: 1 } }, limit: 1 })).to.equal(
      sqlOf({ where: { folder: 'b', size: { $gt: 2 } }, limit: 2 }),
    );
  });

  it('reads no more than a page, wherever the page begins in the range that was asked for', () => {
    const filled = new DatabaseSync(':memory:');
    createTables(filled, toys, 'ready');
    const insert = filled.prepare('insert into view_notes (key, position, doc, written_at) values (?, ?, ?, 0)');
    const name = (n: number): string => `a/${String(n).padStart(4, '0')}`;
    for (let n = 0; n < 2000; n += 1) insert.run(name(n), '1', JSON.stringify({ folder: 'inbox', size: n, at: name(n) }));
    createIndexes(filled, toys);
    const costOf = costsOn(filled, ['view_notes']);
    const ranges: readonly Omit<Query, 'limit'>[] = [
      { where: { key: { $prefix: 'a/' } } },
      { where: { key: { $gt: '', $lt: 'b' } } },
      { where: { key: { $lt: 'b' } } },
      { where: { key: { $prefix: 'a/' } }, sort: ['-key'] },
      { where: { at: { $gte: 'a' } }, sort: ['at'] },
      { where: { at: { $prefix: 'a/' } }, sort: ['-at'] },
      { where: { folder: 'inbox', size: { $gte: 0, $lte: 5000 } }, sort: ['size'] },
      { where: { folder: 'inbox', size: { $gte: 0 } }, sort: ['-size'] },
      { where: { folder: { $in: ['inbox', 'sent'] }, size: { $gte: 0, $lte: 5000 } }, sort: ['size'] },
    ];
    for (const query of ranges)
      for (const n of [0, 1000, 1989]) {
        const back = query.sort?.[0]?.startsWith('-') === true;
        const at = back ? 1999 - n : n;
        const first = query.sort?.[0]?.replace('-', '');
        const after = [...(first === undefined || first === 'key' ? [] : [first === 'size' ? at : name(at)]), name(at)];
        const { visited, rows } = costOf(compileFind(projection, { ...query, after, limit: 9 }) as Compiled);
        expect(rows).to.equal(10);
        // A search by two fields begins at the document before the page.
        expect(visited, JSON.stringify({ ...query, after })).to.be.within(10, 11);
      }
    filled.close();
  });

  it('begins a page where the range does when it was asked to begin before it', () => {
    const sqlOf = (after: string): string | undefined =>
      compileFind(projection, { where: { key: { $prefix: 'b/' } }, after: [after], limit: 1 })?.sql;
    expect(sqlOf('a')).to.contain('key >= ?').and.not.to.contain('(key) > (?)');
    expect(sqlOf('b/')).to.contain('(key) > (?)').and.not.to.contain('key >= ?');
    expect(sqlOf('c')).to.contain('(key) > (?)').and.not.to.contain('key >= ?');
  });

  it('takes no SQL from the name of a field', () => {
    expect(() => find({ where: { "a') or 1=1 --": 1 } })).to.throw('no name for a field');
    expect(() => find({ sort: ['size desc; --'] })).to.throw('no name for a field');
  });

  it('ends a prefix at the next text in byte order', () => {
    expect(endOfPrefix('a/')).to.equal('a0');
    expect(endOfPrefix('\ud7ff')).to.equal('\ue000');
    expect(endOfPrefix('a\u{10ffff}')).to.equal('b');
    expect(endOfPrefix('\u{10ffff}')).to.equal(undefined);
    expect(endOfPrefix('')).to.equal(undefined);
  });
});

describe('documents kept in memory', () => {
  let views: SqliteViews;

  beforeEach(async () => {
    views = sqliteViews(':memory:', toys);
    await views.commit(step(1, [note('one', 1, { size: 1 })]));
  });

  afterEach(() => views.close());

  const queriesOf = async (work: () => Promise<unknown>): Promise<number> => {
    const before = views.stats().queries;
    await work();
    return views.stats().queries - before;
  };

  it('are read from the file once, absent ones too', async () => {
    expect(await queriesOf(() => views.get(notes, 'absent'))).to.equal(1);
    expect(await queriesOf(() => views.getMany(notes, ['one', 'absent', 'one']))).to.equal(0);
    expect(views.stats().cacheHits).to.equal(3);
  });

  it('are the same object for every reader, without another parse', async () => {
    expect(await views.get(notes, 'one')).to.equal(await views.get(notes, 'one'));
  });

  it('are not those of a step that failed', async () => {
    const impossible = { size: 2n } as unknown as Document;
    expect(
      await failureOf(() => views.commit(step(2, [note('one', 2, { size: 2 }), note('two', 2, impossible)]))),
    ).to.be.instanceOf(TypeError);
    expect(await views.getPlaced(notes, ['one', 'two'])).to.deep.equal([
      note('one', 1, { size: 1 }),
      { ...note('two', 0, undefined), position: '' },
    ]);
    expect(await views.checkpoint()).to.equal(positionOf(1));
    await views.commit(step(2, [note('one', 2, { size: 3 })]));
    expect(await views.get(notes, 'one')).to.deep.equal({ size: 3 });
  });

  it('are not those that the file refused', async () => {
    await views.commit(step(5, [note('one', 5, { size: 5 })]));
    await views.commit(step(4, [note('one', 4, { size: 4 })]));
    expect(await views.get(notes, 'one')).to.deep.equal({ size: 5 });
  });

  it('take no more room than they may', async () => {
    const small = sqliteViews(':memory:', toys, { cacheBytes: 30_000 });
    const keys = Array.from({ length: 200 }, (_, n) => `note ${n}`);
    await small.commit(
      step(
        200,
        keys.map((key, n) => note(key, n + 1, { text: 'x'.repeat(100) })),
      ),
    );
    const before = small.stats();
    await small.getMany(notes, keys);
    expect(small.stats().rowsRead - before.rowsRead).to.be.greaterThan(100);
    expect(await small.get(notes, 'note 0')).to.deep.equal({ text: 'x'.repeat(100) });
    await small.close();
  });

  it('are counted when they are written', async () => {
    const before = views.stats();
    await views.commit(step(3, [note('one', 3, { size: 3 }), note('two', 3, undefined), note('one', 2, { size: 2 })]));
    const { commits, rowsWritten, charactersWritten } = views.stats();
    expect([commits - before.commits, rowsWritten - before.rowsWritten]).to.deep.equal([1, 2]);
    expect(charactersWritten - before.charactersWritten).to.equal('{"size":3}'.length);
  });
});

describe('a file of views', () => {
  let folder: string;
  let file: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'views-'));
    file = join(folder, 'toys-1.db');
  });

  afterEach(() => rmSync(folder, { recursive: true }));

  const filled = async (documents = 100): Promise<void> => {
    const views = sqliteViews(file, toys);
    const cursor = { revision: 3, at: '2026-01-01T00:00:00.000Z', position: positionOf(documents) };
    const placed = Array.from({ length: documents }, (_, n) => note(`note ${n}`, n + 1, { size: n, text: 'x'.repeat(500) }));
    await views.commit(step(documents, placed, { totals: { notes: { n: 7 } }, cursors: { s: cursor } }));
    await views.commit(
      step(documents + 1, [], { faults: { marks: { position: positionOf(documents + 1), type: 'T', message: 'no' } } }),
    );
    await views.close();
  };

  const outcomeOf = async (group: Group = toys): Promise<ViewsUnusable> => {
    const error = await failureOf(() => sqliteViews(file, group));
    expect(error).to.be.instanceOf(ViewsUnusable);
    return error as ViewsUnusable;
  };

  it('is as it was when it is opened again', async () => {
    await filled();
    const views = sqliteViews(file, toys);
    expect(await views.get(notes, 'note 42')).to.include({ size: 42 });
    expect(await views.count(notes, { size: { $gte: 90 } })).to.equal(10);
    expect((await views.totals(notes)).sums).to.deep.equal({ n: 7 });
    expect(await views.cursor('s')).to.include({ revision: 3 });
    expect(await views.checkpoint()).to.equal(positionOf(101));
    expect(isRefusal(await failureOf(() => views.get(marks, 'red')), 'UNAVAILABLE')).to.equal(true);
    await views.close();
  });

  it('holds its checkpoint against a step that came late', async () => {
    await filled();
    const late = sqliteViews(file, toys);
    await late.commit(step(7, []));
    await late.close();
    const views = sqliteViews(file, toys);
    expect(await views.checkpoint()).to.equal(positionOf(101));
    await views.close();
  });

  it('remembers how far it was swept', async () => {
    let now = 1000;
    const first = sqliteViews(file, toys, { now: () => now });
    await first.commit(step(2, [note('one', 2, undefined)]));
    now += 10;
    expect(await first.sweep(5)).to.equal(1);
    await first.close();
    const again = sqliteViews(file, toys);
    await again.commit(step(1, [note('one', 1, { size: 1 })]));
    expect(await again.get(notes, 'one')).to.equal(undefined);
    await again.close();
  });

  it('is of no use to another version of a view, or to other indexes', async () => {
    await filled();
    const newer = { ...toys, views: asViews({ ...notes, version: 2 }, ...toys.views.slice(1)) };
    expect(await outcomeOf(newer)).to.include({ outcome: 'otherForm' });
    const indexed = { ...toys, views: asViews({ ...notes, indexes: [['folder']] }, ...toys.views.slice(1)) };
    expect(await outcomeOf(indexed)).to.include({ outcome: 'otherForm' });
    await sqliteViews(file, toys).close();
  });

  it('is of no use while it is being built', async () => {
    startFile(file, toys).close();
    expect(await outcomeOf()).to.include({ outcome: 'unfinished' });
  });

  const DAMAGE: readonly (readonly [what: string, damage: () => void])[] = [
    ['is no database', () => writeFileSync(file, 'Once upon a time there was a file of views. '.repeat(100))],
    ['lost a half', () => truncateSync(file, Math.floor(statSync(file).size / 2))],
    ['lost its last page', () => truncateSync(file, statSync(file).size - 4096)],
    ['has a broken head', () => writeFileSync(file, readFileSync(file).fill(0x55, 100, 3000))],
    [
      'is somebody else’s database',
      () => {
        rmSync(file);
        const db = new DatabaseSync(file);
        db.exec('create table t (a)');
        db.close();
      },
    ],
  ];

  for (const [what, damage] of DAMAGE) {
    it(`is set aside when it ${what}, and a new one can take its place`, async () => {
      await filled();
      damage();
      const error = await outcomeOf();
      expect(error).to.include({ outcome: 'damaged', setAside: `${file}.damaged` });
      expect(readdirSync(folder).some((name) => /^toys-1\.db(-wal|-shm)?$/.test(name))).to.equal(false);
      expect(statSync(`${file}.damaged`).size).to.be.greaterThan(0);
      const views = sqliteViews(file, toys);
      expect(await views.checkpoint()).to.equal('');
      await views.close();
    });
  }

  it('stays where it is when it can only not be reached', async () => {
    const error = await failureOf(() => sqliteViews(join(folder, 'missing', 'toys-1.db'), toys));
    expect(error).to.be.instanceOf(Error).and.not.to.be.instanceOf(ViewsUnusable);
  });

  it('reports damage that shows only when it is read, once, and refuses from then on', async () => {
    await filled(3000);
    const bytes = readFileSync(file);
    writeFileSync(file, bytes.fill(0xaa, bytes.length - 400 * 4096));
    const damages: unknown[] = [];
    const views = sqliteViews(file, toys, { cacheBytes: 0, onDamage: (error) => damages.push(error) });
    const keys = Array.from({ length: 3000 }, (_, n) => `note ${n}`);
    for (let n = 0; n < 2; n++) {
      const error = await failureOf(() => views.getMany(notes, keys));
      expect(isRefusal(error, 'UNAVAILABLE'), String(error)).to.equal(true);
    }
    expect(damages).to.have.lengthOf(1);
    await views.close();
  });
});
