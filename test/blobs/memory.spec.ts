import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { run, scratchFolder } from '../support/processes.ts';

const GIBIBYTE = fileURLToPath(new URL('./gibibyte.ts', import.meta.url));

describe('a blob of 1 GiB', () => {
  const { path, remove } = scratchFolder();

  after(remove);

  it('streams in and out of a process that never has 300 MiB of memory', async () => {
    const { same, mebibytes } = JSON.parse(await run(process.execPath, [GIBIBYTE, path, '1024']));
    expect(same).to.equal(true);
    expect(mebibytes).to.be.below(300);
  }).timeout(180_000);
});
