import { closeSync, openSync, writeFileSync } from 'node:fs';
import { Writable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'chai';
import { copyOut, sharedLanes } from '../../src/blobs/copyOut.ts';
import { scratchFolder } from '../support/processes.ts';
import { KIB, randomContent, sink } from './bytes.ts';
import { failed } from './refused.ts';

describe('copying out of a file', () => {
  const { path, remove } = scratchFolder();
  const { bytes } = randomContent(900 * KIB);
  let fd: number;

  const source = (end = bytes.length - 1) => ({ fd, start: 0, end, mayGoOn: () => undefined });

  before(() => {
    writeFileSync(`${path}/file`, bytes);
    fd = openSync(`${path}/file`, 'r');
  });

  after(() => {
    closeSync(fd);
    remove();
  });

  it('goes on with a small buffer of its own while stalled readers hold all the shared ones', async () => {
    const lanes = sharedLanes(100 * KIB, 2);
    const stalled = new Writable({ write: () => undefined });
    const waiting = failed(copyOut(lanes, source(), stalled));
    await turn();
    expect(lanes.take(1_000_000).buffer).to.have.length(64 * KIB);
    const { stream, bytes: received } = sink();
    await copyOut(lanes, source(), stream);
    expect(received().equals(bytes)).to.equal(true);
    stalled.destroy();
    await waiting;
    expect(lanes.take(1_000_000).buffer).to.have.length(100 * KIB);
  });

  it('has at most two buffers on their way to a destination that does not take them', async () => {
    const pieces: number[] = [];
    const slow = new Writable({
      highWaterMark: 10_000_000,
      write: (chunk: Buffer) => {
        pieces.push(chunk.length);
      },
    });
    const waiting = failed(copyOut(sharedLanes(100 * KIB, 2), source(), slow));
    for (let turns = 0; turns < 100; turns += 1) await turn();
    expect(pieces).to.have.length(1);
    expect(slow.writableLength).to.be.at.most(200 * KIB);
    slow.destroy();
    await waiting;
  });

  it('uses the buffers again after a copy that ended well, and never after one that broke off', async () => {
    const lanes = sharedLanes(100 * KIB, 1);
    const lane = lanes.take(1_000_000);
    lanes.giveBack(lane);
    await copyOut(lanes, source(), sink().stream);
    const again = lanes.take(1_000_000);
    expect(again.buffer === lane.buffer).to.equal(true);
    lanes.giveBack(again);
    const broken = new Writable({ write: (_chunk, _encoding, done) => done(new Error('no carrier')) });
    broken.on('error', () => undefined);
    await failed(copyOut(lanes, source(), broken));
    const { buffer } = lanes.take(1_000_000);
    expect(buffer).to.have.length(100 * KIB);
    expect(buffer === lane.buffer).to.equal(false);
  });

  it('takes a buffer no larger than what is asked for', async () => {
    expect(sharedLanes().take(1).buffer).to.have.length(1);
  });

  it('leaves no listener behind', async () => {
    const { stream } = sink();
    const count = (): number => stream.eventNames().reduce((sum, name) => sum + stream.listenerCount(name), 0);
    const before = count();
    for (let copies = 0; copies < 20; copies += 1) await copyOut(sharedLanes(), source(10), stream);
    expect(count()).to.equal(before);
  });

  it('fails when the file ends early', async () => {
    const failure = await failed(copyOut(sharedLanes(), source(bytes.length), sink().stream));
    expect(failure.message).to.include('ends at');
  });
});
