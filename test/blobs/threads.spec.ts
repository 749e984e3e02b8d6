import { expect } from 'chai';
import { type Threads, threads } from '../../src/blobs/threads.ts';
import { failed, refused } from './refused.ts';

describe('the threads of the blob store', () => {
  let workers: Threads;

  beforeEach(() => {
    const setup = { root: '/nowhere', counters: new SharedArrayBuffer(8) };
    workers = threads(2, setup, new URL('./dying.worker.ts', import.meta.url));
  });

  afterEach(() => workers.close());

  it('fail what was ordered from one that dies, and go on with another', async () => {
    const order = workers.thread(0);
    const failures = [failed(order('discard', { part: 'a' })), failed(order('remove', { id: 'b' }))];
    for (const failure of failures)
      expect(await failure)
        .to.have.property('message')
        .that.includes('out of memory');
    expect(await order('remove', { id: 'b' })).to.equal(true);
    expect(await workers.thread(1)('remove', { id: 'b' })).to.equal(true);
  });

  it('that cannot even start fail what is ordered, and can be closed', async () => {
    const unable = threads(
      1,
      { root: '/nowhere', counters: new SharedArrayBuffer(8) },
      new URL('./missing.worker.ts', import.meta.url),
    );
    for (let orders = 0; orders < 3; orders += 1) {
      expect(await failed(unable.thread(0)('remove', { id: 'b' }))).to.have.property('code', 'ERR_WORKER_DIED');
    }
    await unable.close();
  });

  it('finish what was ordered before they end, and take nothing afterwards', async () => {
    const answers = [0, 1, 2, 3].map((thread) => workers.thread(thread)('remove', { id: 'b' }));
    const closing = workers.close();
    expect(await Promise.all(answers)).to.deep.equal([true, true, true, true]);
    await closing;
    await refused(workers.thread(0)('remove', { id: 'b' }), 'UNAVAILABLE');
  });
});
