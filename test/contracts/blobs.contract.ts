import { atOnceContract } from '../blobs/contract/atOnce.ts';
import { brokenSourcesContract } from '../blobs/contract/brokenSources.ts';
import { placedContract } from '../blobs/contract/placed.ts';
import { readingContract } from '../blobs/contract/reading.ts';
import { sessionsContract } from '../blobs/contract/sessions.ts';
import { type BlobsFixture, openStore } from '../blobs/contract/store.ts';
import { uploadingContract } from '../blobs/contract/uploading.ts';

/** What every adapter of `Blobs` owes. */
export const blobsContract = (prepare: () => BlobsFixture): void => {
  const store = openStore(prepare);
  readingContract(store);
  uploadingContract(store);
  brokenSourcesContract(store);
  placedContract(store);
  atOnceContract(store);
  sessionsContract(store);
};
