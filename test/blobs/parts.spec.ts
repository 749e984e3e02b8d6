import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { expect } from 'chai';
import { countersIn } from '../../src/blobs/counters.ts';
import { layoutOf } from '../../src/blobs/layout.ts';
import type { Piece } from '../../src/blobs/orders.ts';
import { parts } from '../../src/blobs/parts.ts';
import { runningHashes } from '../../src/blobs/runningHashes.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { scratchFolder } from '../support/processes.ts';
import { failed, refused } from './refused.ts';

const ID = '11111111-1111-4111-8111-111111111111';

const pieceOf = (text: string): Piece => ({ bytes: new Uint8Array(Buffer.from(text)).buffer, length: text.length });

describe('a chunk that is being written', () => {
  let folder: ReturnType<typeof scratchFolder>;
  let layout: ReturnType<typeof layoutOf>;
  let hashes: ReturnType<typeof runningHashes>;
  let chunks: ReturnType<typeof parts>;

  const at = (offset: number) => ({ part: '1', id: ID, offset, algorithm: 'sha256' as const });
  const digest = (size: number) => hashes.digest(ID, size, digestOf('', 'sha256'));

  beforeEach(() => {
    folder = scratchFolder();
    layout = layoutOf(folder.path);
    hashes = runningHashes();
    chunks = parts({ layout, counters: countersIn(), hashes, digestWith: () => Promise.reject(new Error('not asked for here')) });
    mkdirSync(layout.uploads);
  });

  afterEach(() => folder.remove());

  it('appears whole at its offset, and hands the memory of its pieces back', async () => {
    mkdirSync(layout.session(ID));
    const piece = pieceOf('hello');
    expect(chunks.write({ ...at(0), ...piece }).bytes === piece.bytes).to.equal(true);
    expect(existsSync(layout.chunk(ID, 0))).to.equal(false);
    await chunks.commit({ ...at(0), ...pieceOf(', world'), size: 12 });
    expect(readFileSync(layout.chunk(ID, 0), 'utf8')).to.equal('hello, world');
    expect(readdirSync(layout.session(ID))).to.have.length(1);
  });

  it('takes no further piece once one was lost, until it is discarded', async () => {
    expect(() => chunks.write({ ...at(0), ...pieceOf('hel') })).to.throw('no such upload');
    mkdirSync(layout.session(ID));
    expect(() => chunks.write({ ...at(0), ...pieceOf('lo') })).to.throw('no such upload');
    await refused(chunks.commit({ ...at(0), ...pieceOf('lo'), size: 2 }), 'UPLOAD_UNKNOWN');
    expect(readdirSync(layout.session(ID))).to.deep.equal([]);
    await chunks.commit({ ...at(0), ...pieceOf('hello'), size: 5 });
    expect(readFileSync(layout.chunk(ID, 0), 'utf8')).to.equal('hello');
  });

  it('is not committed with another number of bytes than were sent', async () => {
    mkdirSync(layout.session(ID));
    await failed(chunks.commit({ ...at(0), ...pieceOf('hello'), size: 6 }));
    expect(readdirSync(layout.session(ID))).to.deep.equal([]);
  });

  it('adds to the running hash when it is committed, and only then', async () => {
    mkdirSync(layout.session(ID));
    await chunks.commit({ ...at(0), ...pieceOf('hello'), size: 5 });
    chunks.write({ ...at(5), ...pieceOf('XXXXX') });
    await chunks.discard({ part: '1' });
    expect(digest(5)).to.equal(digestOf('hello'));
    await chunks.commit({ ...at(5), ...pieceOf(', world'), size: 7 });
    expect(digest(12)).to.equal(digestOf('hello, world'));
  });

  it('has no running hash where other threads or processes have written before it', async () => {
    mkdirSync(layout.session(ID));
    await chunks.commit({ ...at(0), ...pieceOf('hello'), size: 5 });
    await chunks.commit({ ...at(7), ...pieceOf('world'), size: 5 });
    expect(digest(12)).to.equal(undefined);
  });
});
