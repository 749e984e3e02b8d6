import { rmSync } from 'node:fs';
import { diskBlobs } from '../../src/blobs/disk.ts';
import { algorithmOf, hexOf } from '../../src/oci/digest.ts';
import { blobsContract } from '../contracts/blobs.contract.ts';
import { scratchFolder } from '../support/processes.ts';

describe('blobs on disk', () => {
  blobsContract(() => {
    const { path, remove } = scratchFolder();
    return {
      // Handles stand for processes that share the folder.
      open: () => diskBlobs(path, { shared: true }),
      collect: (digest) => rmSync(`${path}/blobs/${algorithmOf(digest)}/${hexOf(digest).slice(0, 2)}/${hexOf(digest)}`),
      dispose: remove,
    };
  });
});
