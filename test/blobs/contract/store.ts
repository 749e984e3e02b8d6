import type { Blobs } from '../../../src/blobs/blobs.ts';
import type { Digest } from '../../../src/oci/digest.ts';
import { OWNER, sourceOf } from '../bytes.ts';

/** One store. Each `open` gives a handle of its own, as another process would have one; the suite closes them. */
export type BlobsFixture = Readonly<{
  open: () => Promise<Blobs>;
  /** Takes the bytes away, as a collector does. */
  collect: (digest: Digest) => void;
  dispose: () => void;
}>;

/** The store of the test that runs. */
export type OpenStore = Readonly<{
  blobs: () => Blobs;
  /** A further handle, as another process has one. */
  another: () => Promise<Blobs>;
  /** Closes every handle and opens the store anew. */
  restart: () => Promise<void>;
  /** Begins an upload and adds chunks. @returns its id */
  begun: (...chunks: readonly (Buffer | string)[]) => Promise<string>;
  sizeOf: (id: string) => Promise<number>;
  collect: (digest: Digest) => void;
}>;

/** Opens a store before each test of a suite, and closes all its handles afterwards. */
export const openStore = (prepare: () => BlobsFixture): OpenStore => {
  let fixture: BlobsFixture;
  let blobs: Blobs;
  let opened: Blobs[];

  const another = async (): Promise<Blobs> => {
    const handle = await fixture.open();
    opened.push(handle);
    return handle;
  };

  beforeEach(async () => {
    fixture = prepare();
    opened = [];
    blobs = await another();
  });

  afterEach(async () => {
    for (const handle of opened) await handle.close();
    fixture.dispose();
  });

  return {
    blobs: () => blobs,
    another,
    restart: async () => {
      for (const handle of opened.splice(0)) await handle.close();
      blobs = await another();
    },
    begun: async (...chunks) => {
      const { id } = await blobs.uploads.begin(OWNER, 'sha256');
      for (const chunk of chunks) await blobs.uploads.append(id, OWNER, sourceOf(chunk));
      return id;
    },
    sizeOf: async (id) => (await blobs.uploads.status(id, OWNER)).size,
    collect: (digest) => fixture.collect(digest),
  };
};
