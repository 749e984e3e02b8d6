import { rmSync } from 'node:fs';
import { expect } from 'chai';
import { diskBlobs } from '../../src/blobs/disk.ts';
import { algorithmOf, hexOf } from '../../src/oci/digest.ts';
import { blobsContract } from '../contracts/blobs.contract.ts';
import { scratchFolder } from '../support/processes.ts';
import { filesBelow } from './bytes.ts';

describe('blobs on disk', () => {
  blobsContract(() => {
    const { path, remove } = scratchFolder();
    return {
      // Handles stand for processes that share the folder.
      open: () => diskBlobs(path, { shared: true }),
      collect: (digest) => rmSync(`${path}/blobs/${algorithmOf(digest)}/${hexOf(digest).slice(0, 2)}/${hexOf(digest)}`),
      dispose: () => {
        const left = filesBelow(`${path}/uploads`).filter((name) => /part-|finishing|loose-/.test(name));
        remove();
        expect(left, 'files of writes and finishes that are over').to.deep.equal([]);
      },
    };
  });
});
