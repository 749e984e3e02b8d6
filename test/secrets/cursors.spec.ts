import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { cursorsOf } from '../../src/secrets/cursors.ts';

const KEY = randomBytes(32);
const cursors = (key: Uint8Array = KEY) => cursorsOf({ putIfAbsent: async () => key });

describe('a cursor', () => {
  const PLACE = { after: ['2026-01-01', 'secret/name'], skip: 3 };

  it('is opened by any node with the place that was sealed', async () => {
    const cursor = (await cursors()).seal(PLACE, 'a list');
    expect((await cursors()).open(cursor, 'a list')).to.deep.equal(PLACE);
    expect(cursor).to.match(/^[\w-]+$/);
  });

  it('shows nothing of the place', async () => {
    const cursor = (await cursors()).seal(PLACE, 'a list');
    expect(Buffer.from(cursor, 'base64url').toString('latin1')).not.to.contain('secret');
    expect((await cursors()).seal(PLACE, 'a list'), 'and is never the same').not.to.equal(cursor);
  });

  it('is of no use to another list, under another key, altered, cut or made up', async () => {
    const cursor = (await cursors()).seal(PLACE, 'a list');
    const { open } = await cursors();
    expect(open(cursor, 'another list')).to.equal(undefined);
    expect((await cursors(randomBytes(32))).open(cursor, 'a list')).to.equal(undefined);
    for (const other of ['', 'none', 'ä', cursor.slice(0, -4), `A${cursor.slice(1)}`, `B${cursor.slice(1)}`].filter(
      (text) => text !== cursor,
    ))
      expect(open(other, 'a list'), other).to.equal(undefined);
  });
});
