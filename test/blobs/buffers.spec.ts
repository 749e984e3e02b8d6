import type { Readable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'chai';
import { bodyOf } from '../../src/blobs/body.ts';
import { type Buffers, buffersOf } from '../../src/blobs/buffers.ts';
import { fillingOf, type Hand } from '../../src/blobs/filling.ts';
import { gather } from '../../src/blobs/gather.ts';
import { holding } from '../../src/blobs/holding.ts';
import type { Piece } from '../../src/blobs/orders.ts';
import { sourceOf, stalledSource } from './bytes.ts';
import { failed } from './refused.ts';

const settled = async (promise: Promise<unknown>): Promise<boolean> => {
  let over = false;
  void promise.finally(() => {
    over = true;
  });
  await turn();
  return over;
};

describe('the buffers that uploads share', () => {
  it('are as many as allowed, and whoever comes later waits in line', async () => {
    const buffers = buffersOf(10, 2);
    const [one, two] = [await buffers.take(), await buffers.take()];
    const [three, four] = [buffers.take(), buffers.take()];
    expect(await settled(three)).to.equal(false);
    buffers.give(one);
    expect(await three).to.equal(one);
    expect(await settled(four)).to.equal(false);
    buffers.give(two);
    expect(await four).to.equal(two);
  });

  it('are replaced when they are lost', async () => {
    const buffers = buffersOf(10, 1);
    await buffers.take();
    const waiting = buffers.take();
    buffers.lose();
    expect((await waiting).byteLength).to.equal(10);
    buffers.lose();
    await buffers.take();
    expect(await settled(buffers.take())).to.equal(false);
  });

  it('are asked back from those who wait for slow clients when others need them, and only then', async () => {
    const buffers = buffersOf(10, 2);
    const flushed: string[] = [];
    const held = [await buffers.take(), await buffers.take()];
    const leave = buffers.idle(() => flushed.push('gone'));
    leave();
    buffers.idle(() => flushed.push('first'));
    expect(flushed).to.deep.equal([]);
    const one = buffers.take();
    expect(flushed).to.deep.equal(['first']);
    buffers.take();
    buffers.idle(() => flushed.push('late'));
    expect(flushed).to.deep.equal(['first', 'late']);
    for (const buffer of held) buffers.give(buffer);
    expect(await one).to.equal(held[0]);
  });
});

describe('small bodies', () => {
  const held = (chunks: readonly string[], buffers = buffersOf(64 * 1024, 1)) => {
    const holder = holding(buffers);
    return { holder, taken: chunks.map((chunk) => holder.add(Buffer.from(chunk))) };
  };
  const text = ({ holder }: ReturnType<typeof held>): string => {
    const { bytes, length } = holder.joined();
    return Buffer.from(bytes, 0, length).toString();
  };

  it('are held in memory of their own, up to 64 KiB, in however many chunks they come', () => {
    const one = held(['x'.repeat(65_536)]);
    expect(one.taken).to.deep.equal([true]);
    expect(one.holder.add(Buffer.from('y'))).to.equal(false);
    const many = held(Array.from({ length: 500 }, (_, index) => `${index},`));
    expect(text(many)).to.equal(Array.from({ length: 500 }, (_, index) => `${index},`).join(''));
    expect(many.holder.drain()).to.have.length.below(64);
  });

  it('hold no more together than the shared buffers do, and give it back', () => {
    const buffers = buffersOf(10, 2);
    const first = held(['x'.repeat(15)], buffers);
    expect(first.taken).to.deep.equal([true]);
    expect(held(['x'.repeat(6)], buffers).taken).to.deep.equal([false]);
    expect(held(['x'.repeat(5)], buffers).taken).to.deep.equal([true]);
    first.holder.drain();
    first.holder.drain();
    expect(held(['x'.repeat(15)], buffers).taken).to.deep.equal([true]);
    expect(held(['x'], buffers).taken).to.deep.equal([false]);
  });
});

describe('gathering a body', () => {
  const gathered = async (source: Readable, buffers: Buffers): Promise<readonly string[]> => {
    const written: string[] = [];
    const write = async (piece: Piece): Promise<Piece> => {
      written.push(Buffer.from(piece.bytes, 0, piece.length).toString());
      return piece;
    };
    await gather({ body: bodyOf(source), buffers, write, commit: write, check: () => undefined });
    return written;
  };

  it('gives back all the memory that it reserved or took', async () => {
    const buffers = buffersOf(100_000, 1);
    for (const size of [0, 10, 65_536, 65_537, 250_000]) {
      await gathered(sourceOf('x'.repeat(size)), buffers);
      expect(buffers.reserve(100_000)).to.equal(true);
      buffers.unreserve(100_000);
      const buffer = await buffers.take();
      buffers.give(buffer);
    }
  });

  it('uses shared buffers when small bodies hold all that they may', async () => {
    const buffers = buffersOf(100, 1);
    buffers.reserve(100);
    expect(await gathered(sourceOf('x'.repeat(250)), buffers)).to.deep.equal(['x'.repeat(100), 'x'.repeat(100), 'x'.repeat(50)]);
  });

  it('goes on with other bodies while more clients are stalled than there are buffers', async () => {
    const buffers = buffersOf(100_000, 4);
    const stalled = Array.from({ length: 20 }, () => stalledSource('x'.repeat(70_000)));
    const waiting = stalled.map((source) => gathered(source, buffers));
    expect((await gathered(sourceOf('y'.repeat(250_000)), buffers)).join('')).to.equal('y'.repeat(250_000));
    for (const source of stalled) source.push(null);
    for (const pieces of await Promise.all(waiting)) expect(pieces.join('')).to.equal('x'.repeat(70_000));
  });

  it('reads a source that was paused', async () => {
    expect(await gathered(sourceOf('hello').pause(), buffersOf(100, 1))).to.deep.equal(['hello']);
  });
});

describe('filling buffers', () => {
  const written: string[] = [];
  const write: Hand = async (piece) => {
    written.push(Buffer.from(piece.bytes, 0, piece.length).toString());
    return piece;
  };

  beforeEach(() => {
    written.length = 0;
  });

  it('hands on full buffers, and the rest at the end', async () => {
    const filling = fillingOf({ buffers: buffersOf(4, 3), write, failed: () => undefined });
    for (const bytes of ['ab', 'cdefghij', '', 'klm']) await filling.add(Buffer.from(bytes));
    await filling.end(write);
    expect(written).to.deep.equal(['abcd', 'efgh', 'ijkl', 'm']);
  });

  it('hands on an empty rest, so that there is always a last piece', async () => {
    const filling = fillingOf({ buffers: buffersOf(4, 3), write, failed: () => undefined });
    await filling.add(Buffer.from('abcd'));
    await filling.end(write);
    expect(written).to.deep.equal(['abcd', '']);
  });

  it('waits while two buffers are on their way', async () => {
    const arrivals: (() => void)[] = [];
    const slow: Hand = (piece) => new Promise((resolve) => arrivals.push(() => resolve(piece)));
    const filling = fillingOf({ buffers: buffersOf(1, 100), write: slow, failed: () => undefined });
    const adding = filling.add(Buffer.from('abc'));
    expect(await settled(adding)).to.equal(false);
    expect(arrivals).to.have.length(2);
    arrivals[0]?.();
    await adding;
    for (const arrive of arrivals) arrive();
  });

  it('gives every buffer back, whether it ends, fails or is dropped', async () => {
    const buffers = buffersOf(4, 1);
    const refuse: Hand = async () => {
      throw new Error('disk full');
    };
    const failures: unknown[] = [];
    const ways: readonly ((hand: Hand) => Promise<unknown>)[] = [
      async (hand) => {
        const filling = fillingOf({ buffers, write: hand, failed: (error) => failures.push(error) });
        await filling.add(Buffer.from('abcdef'));
        await filling.drop();
      },
      async (hand) => {
        const filling = fillingOf({ buffers, write: hand, failed: (error) => failures.push(error) });
        await filling.add(Buffer.from('abcdef'));
        await filling.end(hand);
      },
    ];
    await ways[0]?.(write);
    await ways[1]?.(write);
    await ways[0]?.(refuse);
    await failed(ways[1]?.(refuse) ?? Promise.resolve());
    expect(failures).to.have.length(2);
    expect(await settled(buffers.take())).to.equal(true);
  });
});
