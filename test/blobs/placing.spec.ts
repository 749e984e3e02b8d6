import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'chai';
import { countersIn } from '../../src/blobs/counters.ts';
import { layoutOf } from '../../src/blobs/layout.ts';
import { placing } from '../../src/blobs/placing.ts';
import { sessionFolders } from '../../src/blobs/sessionFolders.ts';
import { scratchFolder } from '../support/processes.ts';
import { contentOf, OWNER } from './bytes.ts';
import { failed } from './refused.ts';

const ID = '11111111-1111-4111-8111-111111111111';
const HELLO = contentOf('hello, world');

describe('placing bytes that the disk does not take', () => {
  const { path, remove } = scratchFolder();
  const layout = layoutOf(path);
  const counters = countersIn();
  const diskError = Object.assign(new Error('EIO: i/o error, fsync'), { code: 'EIO' });
  const folders = sessionFolders(layout, counters);
  const place = placing({ layout, counters, fsync: () => Promise.reject(diskError), removeSession: folders.remove });
  const finished = { id: ID, size: 12, digest: HELLO.digest, beat: () => undefined };

  const session = (...chunks: readonly string[]): void => {
    folders.begin(ID, { owner: OWNER, algorithm: 'sha256', startedAt: 0 });
    let offset = 0;
    for (const chunk of chunks) {
      writeFileSync(layout.chunk(ID, offset), chunk);
      offset += chunk.length;
    }
  };

  before(() => {
    mkdirSync(layout.uploads);
    mkdirSync(layout.blobFolder(HELLO.digest), { recursive: true });
  });
  after(remove);

  it('leaves nothing in place and ends the session: a second sync would succeed over lost bytes', async () => {
    session('hello, world');
    expect(await failed(place.verified(finished, HELLO.digest))).to.equal(diskError);
    expect(existsSync(layout.session(ID))).to.equal(false);
    expect(existsSync(layout.blob(HELLO.digest))).to.equal(false);
    await turn();
  });

  it('leaves nothing in place of several chunks, which stay to be copied again', async () => {
    session('hello', ', world');
    expect(await failed(place.verified(finished, HELLO.digest))).to.equal(diskError);
    expect(existsSync(layout.blob(HELLO.digest))).to.equal(false);
    expect(readdirSync(layout.session(ID))).to.have.members(['0000000000000000', '0000000000000005', 'session.json']);
  });

  it('leaves nothing in place of bytes that are put, and no file behind', async () => {
    const bytes = new Uint8Array(HELLO.bytes).buffer;
    expect(await failed(place.small({ digest: HELLO.digest, name: '1', bytes, length: 12 }))).to.equal(diskError);
    expect(existsSync(layout.blob(HELLO.digest))).to.equal(false);
    expect(readdirSync(layout.uploads)).to.deep.equal([ID]);
  });
});
