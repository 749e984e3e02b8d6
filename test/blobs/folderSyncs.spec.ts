import { mkdirSync } from 'node:fs';
import { expect } from 'chai';
import { countersIn } from '../../src/blobs/counters.ts';
import { folderSyncs } from '../../src/blobs/folderSyncs.ts';
import { scratchFolder } from '../support/processes.ts';
import { failed } from './refused.ts';

describe('syncing folders', () => {
  const { path, remove } = scratchFolder();
  const counters = countersIn();
  const syncFolder = folderSyncs(counters);
  const syncs = (): number => counters.read().folderSyncs;

  after(remove);

  it('is shared by all who ask while one is running, and they wait for one that began after they asked', async () => {
    const before = syncs();
    const running = syncFolder(path);
    let over = false;
    const waiting = Array.from({ length: 20 }, () => syncFolder(path).then(() => expect(over).to.equal(true)));
    await running;
    over = true;
    expect(syncs() - before).to.equal(2);
    await Promise.all(waiting);
    expect(syncs() - before).to.equal(2);
    await syncFolder(path);
    expect(syncs() - before).to.equal(3);
  });

  it('is not shared between folders', async () => {
    const folders = ['a', 'b', 'c'].map((name) => `${path}/${name}`);
    for (const folder of folders) mkdirSync(folder);
    const before = syncs();
    await Promise.all(folders.map(syncFolder));
    expect(syncs() - before).to.equal(3);
  });

  it('goes on after one has failed', async () => {
    const missing = `${path}/missing`;
    const [first, second] = [failed(syncFolder(missing)), failed(syncFolder(missing))];
    await first;
    await second;
    mkdirSync(missing);
    await syncFolder(missing);
  });
});
