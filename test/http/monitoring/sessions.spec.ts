import { expect } from 'chai';
import { registryFor } from '../../support/app.ts';
import { finishUpload, pushImage, sendChunk, startUpload } from '../../support/http.ts';
import { digestOf, randomImage } from '../../support/images.ts';
import { get, stateOf } from './calls.ts';

type Session = Readonly<{ id: string; startTime: number; lastActivity: number; blobCount: number; duration: number }>;
type Sessions = Readonly<{ activeSessions: readonly Session[]; totalActiveSessions: number; timestamp: number }>;

const CHUNK = Buffer.from('a chunk of a layer');

describe('GET /api/registry/sessions', () => {
  const registry = registryFor();
  const list = async (): Promise<Sessions> => (await get(registry().admin, '/api/registry/sessions')) as unknown as Sessions;
  const idIn = (location: string): string => /uploads\/([^?]+)/.exec(location)?.[1] ?? '';
  const find = async (location: string): Promise<Session | undefined> =>
    (await list()).activeSessions.find(({ id }) => id === idIn(location));
  const found = async (location: string): Promise<Session> => (await find(location)) ?? expect.fail('It is not listed.');

  it('is empty where nobody pushes, also after whole pushes', async () => {
    await pushImage(registry().admin, 'whole', 'latest', randomImage('sessions'));
    const { timestamp, ...rest } = await list();
    expect(rest).to.deep.equal({ activeSessions: [], totalActiveSessions: 0 });
    expect(timestamp).to.be.closeTo(Date.now(), 60_000);
  });

  it('“returns information about currently active upload sessions”: from POST until PUT', async () => {
    const { admin } = registry();
    const before = Date.now();
    const location = await startUpload(admin, 'half');
    const session = await found(location);
    expect(session.startTime).to.be.within(before, Date.now());
    expect(session.lastActivity).to.be.at.least(session.startTime);
    await finishUpload(admin, location, digestOf(CHUNK), { body: CHUNK });
    expect(await find(location)).to.equal(undefined);
  });

  it('id = upload UUID', async () => {
    const answer = await registry().admin.send('POST', '/v2/half/blobs/uploads/');
    const uuid = answer.headers['docker-upload-uuid'];
    expect((await list()).activeSessions.map(({ id }) => id)).to.include(uuid);
    await registry().admin.send('DELETE', String(answer.headers.location));
    expect((await list()).activeSessions.map(({ id }) => id)).not.to.include(uuid);
  });

  it('`blobCount` = chunks: 0 right after POST, +1 per PATCH', async () => {
    const { admin } = registry();
    const location = await startUpload(admin, 'half');
    expect(await found(location)).to.have.property('blobCount', 0);
    let next = location;
    for (let chunks = 1; chunks <= 3; chunks++) {
      next = await sendChunk(admin, next, CHUNK);
      expect(await found(location)).to.have.property('blobCount', chunks);
    }
    await admin.send('DELETE', next);
  });

  it('`duration` = response `timestamp` - `startTime` in ms', async () => {
    const { admin } = registry();
    await startUpload(admin, 'half');
    const { activeSessions, timestamp } = await list();
    expect(activeSessions).not.to.have.length(0);
    for (const { duration, startTime } of activeSessions) expect(duration).to.equal(timestamp - startTime);
  });

  it('`lastActivity` = last PATCH/PUT or start: between the start and the answer', async () => {
    const { admin } = registry();
    const location = await startUpload(admin, 'half');
    const { lastActivity: atFirst, startTime } = await found(location);
    // Files are stamped by a clock that only moves every few milliseconds.
    while (Date.now() <= startTime + 20) await new Promise(setImmediate);
    await sendChunk(admin, location, CHUNK);
    const { lastActivity } = await found(location);
    expect(lastActivity).to.be.greaterThan(atFirst);
    expect(lastActivity).to.be.at.most((await list()).timestamp);
  });

  it('`count` = `totalActiveSessions` = `metrics.activeSessions`', async () => {
    const { admin } = registry();
    await Promise.all(Array.from({ length: 130 }, () => startUpload(admin, 'many/at-once')));
    const { activeSessions, totalActiveSessions } = await list();
    expect(totalActiveSessions).to.be.at.least(130);
    expect(activeSessions).to.have.length(totalActiveSessions);
    const { count, sessions } = (await stateOf(registry())).activeSessions;
    expect(count).to.equal(totalActiveSessions);
    expect(sessions).to.have.length(count);
    const { metrics } = await get(admin, '/api/registry/health');
    expect(metrics).to.have.property('activeSessions', totalActiveSessions);
    const { id, startTime, lastActivity, blobCount } = activeSessions[0] as Session;
    expect(sessions.find((session) => session.id === id)).to.deep.equal({ id, startTime, lastActivity, blobCount });
  });

  it('ends with expiry', async () => {
    await registry().app.blobs.uploads.expire(-1000);
    expect((await list()).totalActiveSessions).to.equal(0);
  });
});
