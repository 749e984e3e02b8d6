import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { expect } from 'chai';
import { registryFor } from '../support/app.ts';
import { type HttpClient, sendChunk, startUpload } from '../support/http.ts';
import { digestOf, noise } from '../support/images.ts';
import { exchange, exchanges } from './exchanges.ts';

const BYTES = noise(3000, 'session');
const DIGEST = digestOf(BYTES);
const GONE = { status: 404, code: 'BLOB_UPLOAD_UNKNOWN' } as const;

describe('an upload session', () => {
  const registry = registryFor();
  let ann: HttpClient;
  let bob: HttpClient;

  before(async () => {
    ann = await registry().register('ann');
    bob = await registry().register('bob');
  });

  /** Every way to touch a session, none of which may work. */
  const expectClosed = async (client: HttpClient, location: string): Promise<void> => {
    await exchange(client, ['GET', location], GONE);
    await exchange(client, ['HEAD', location], { status: 404 });
    await exchange(client, ['PATCH', location, { body: 'more' }], GONE);
    await exchange(client, ['PUT', `${location}?digest=${DIGEST}`, { body: BYTES }], GONE);
    await exchange(client, ['DELETE', location], GONE);
  };

  const expectAt = (client: HttpClient, location: string, range: string): Promise<unknown> =>
    exchange(client, ['GET', location], {
      status: 204,
      headers: { range, location, 'docker-upload-uuid': location.slice(location.lastIndexOf('/') + 1) },
    });

  it('says how far it is, so that an interrupted push goes on', async () => {
    const location = await startUpload(ann, 'ann/app');
    await expectAt(ann, location, '0-0');
    await sendChunk(ann, location, BYTES.subarray(0, 1));
    await expectAt(ann, location, '0-0');
    await sendChunk(ann, location, BYTES.subarray(1, 1234));
    await expectAt(ann, location, '0-1233');
    await exchange(ann, ['HEAD', location], { status: 204, headers: { range: '0-1233' } });
  });

  it('refuses a chunk that is out of order or overlaps, says where it is, and goes on from there', async () => {
    const location = await startUpload(ann, 'ann/app');
    await sendChunk(ann, location, BYTES.subarray(0, 1000));
    for (const from of [0, 999, 1001, 2000]) {
      const chunk = { body: BYTES.subarray(from, 3000), headers: { 'content-range': `${from}-2999` } };
      await exchange(ann, ['PATCH', location, chunk], {
        status: 416,
        code: 'BLOB_UPLOAD_INVALID',
        headers: { range: '0-999', location },
        detail: { size: 1000 },
      });
      await exchange(ann, ['PUT', `${location}?digest=${DIGEST}`, chunk], { status: 416, headers: { range: '0-999', location } });
    }
    const rest = { body: BYTES.subarray(1000), headers: { 'content-range': '1000-2999' } };
    await exchange(ann, ['PATCH', location, rest], { status: 202, headers: { range: '0-2999' } });
    await exchange(ann, ['PUT', `${location}?digest=${DIGEST}`], { status: 201 });
  });

  it('refuses a first chunk that does not begin at 0', async () => {
    const location = await startUpload(ann, 'ann/app');
    const chunk = { body: BYTES.subarray(10, 20), headers: { 'content-range': '10-19' } };
    await exchange(ann, ['PATCH', location, chunk], { status: 416, headers: { range: '0-0' } });
  });

  for (const range of ['a-b', '0', '-5', '5-', '9-0', 'bytes', 'items 0-9', '0-9, 20-29', '', '0-99999999999999999999']) {
    it(`refuses Content-Range: ${range === '' ? '(nothing)' : range}`, async () => {
      const location = await startUpload(ann, 'ann/app');
      const chunk = { body: BYTES.subarray(0, 10), headers: { 'content-range': range } };
      await exchange(ann, ['PATCH', location, chunk], { status: 400, code: 'BLOB_UPLOAD_INVALID' });
      await expectAt(ann, location, '0-0');
    });
  }

  it('refuses a range that disagrees with the length, and keeps nothing of it', async () => {
    const location = await startUpload(ann, 'ann/app');
    await sendChunk(ann, location, BYTES.subarray(0, 100));
    for (const range of ['100-198', '100-200']) {
      const chunk = { body: BYTES.subarray(100, 200), headers: { 'content-range': range } };
      const [from = 0, to = 0] = range.split('-').map(Number);
      const detail = { contentLength: 100, contentRange: to - from + 1 };
      await exchange(ann, ['PATCH', location, chunk], { status: 400, code: 'SIZE_INVALID', detail });
      const streamed = { ...chunk, body: Readable.from([BYTES.subarray(100, 150), BYTES.subarray(150, 200)]) };
      await exchange(ann, ['PATCH', location, streamed], { status: 400, code: 'SIZE_INVALID' });
    }
    await expectAt(ann, location, '0-99');
  });

  it('goes on after a digest that did not match, and stored nothing', async () => {
    const { app } = registry();
    const bytes = noise(3000, 'mismatch');
    const digest = digestOf(bytes);
    const location = await startUpload(ann, 'ann/mismatch');
    await sendChunk(ann, location, bytes);
    const before = await registry().head();
    const other = digestOf('other bytes');
    const { headers } = await exchange(ann, ['PUT', `${location}?digest=${other}`], { status: 400, code: 'DIGEST_INVALID' });
    expect(headers).not.to.have.property('docker-content-digest');
    expect(await registry().head()).to.equal(before);
    for (const named of [other, digest]) expect(await app.blobs.stat(named as never)).to.equal(undefined);
    await exchange(ann, ['GET', `/v2/ann/mismatch/blobs/${digest}`], { status: 404, code: 'NAME_UNKNOWN' });
    await exchange(ann, ['PUT', `${location}?digest=${digest}`], { status: 201 });
  });

  it('does not end without a digest that it must match', async () => {
    const location = await startUpload(ann, 'ann/app');
    await sendChunk(ann, location, BYTES);
    for (const query of ['', '?digest=', '?digest=sha256:abc', `?digest=${DIGEST}&digest=${DIGEST}`, `?Digest=${DIGEST}`])
      await exchange(ann, ['PUT', `${location}${query}`], { status: 400, code: 'DIGEST_INVALID' });
    await expectAt(ann, location, '0-2999');
  });

  it('is over once it is finished', async () => {
    const location = await startUpload(ann, 'ann/app');
    await exchange(ann, ['PUT', `${location}?digest=${DIGEST}`, { body: BYTES }], { status: 201 });
    await expectClosed(ann, location);
  });

  it('does not take its last bytes twice, when the PUT that brought them was refused and comes again', async () => {
    const location = await startUpload(ann, 'ann/again');
    await sendChunk(ann, location, BYTES);
    const last = { body: BYTES.subarray(2000), headers: { 'content-range': '2000-2999' } };
    await exchange(ann, ['PUT', `${location}?digest=${DIGEST}`, last], { status: 201 });
    await exchange(ann, ['GET', `/v2/ann/again/blobs/${DIGEST}`], { status: 200, bytes: BYTES });
    await expectClosed(ann, location);
  });

  it('is over once it is cancelled', async () => {
    const location = await startUpload(ann, 'ann/app');
    await sendChunk(ann, location, BYTES);
    await exchange(ann, ['DELETE', location], { status: 204 });
    await expectClosed(ann, location);
  });

  it('that two finish at once is finished once', async () => {
    const location = await startUpload(ann, 'ann/app');
    await sendChunk(ann, location, BYTES);
    const answers = await Promise.all([1, 2, 3].map(() => ann.send('PUT', `${location}?digest=${DIGEST}`)));
    expect(answers.filter(({ status }) => status === 201)).to.have.length.at.least(1);
    for (const { status } of answers) expect(status).to.be.oneOf([201, 400, 404]);
    await exchange(ann, ['GET', `/v2/ann/app/blobs/${DIGEST}`], { status: 200, bytes: BYTES });
  });

  it('takes one of two chunks that come for the same place at once', async () => {
    const location = await startUpload(ann, 'ann/app');
    const chunk = { body: BYTES, headers: { 'content-range': '0-2999' } };
    const answers = await Promise.all([1, 2, 3].map(() => ann.send('PATCH', location, chunk)));
    expect(answers.map(({ status }) => status).sort()).to.deep.equal([202, 416, 416]);
    await exchange(ann, ['PUT', `${location}?digest=${DIGEST}`], { status: 201 });
  });

  it('belongs to its repository', async () => {
    const location = await startUpload(ann, 'ann/app');
    await expectClosed(ann, location.replace('ann/app', 'ann/other'));
    await expectAt(ann, location, '0-0');
  });

  it('belongs to its user, whoever else may push there', async () => {
    const location = await startUpload(ann, 'ann/app');
    await expectClosed(registry().admin, location);
    for (const method of ['GET', 'HEAD', 'PATCH', 'PUT', 'DELETE']) {
      const sending = method.startsWith('P') ? { body: 'x' } : {};
      await exchange(bob, [method, location, sending], { status: 403 });
      await exchange(registry().anonymous, [method, location, sending], { status: 401 });
    }
    await expectAt(ann, location, '0-0');
  });

  it('goes on with another credential of the same user', async () => {
    const token = await registry().withToken('ann', 'repository:ann/app:pull,push');
    const location = await startUpload(token, 'ann/app');
    await sendChunk(ann, location, BYTES);
    await exchange(token, ['PUT', `${location}?digest=${DIGEST}`], { status: 201 });
  });

  exchanges(
    registry,
    [randomUUID(), 'no-such-session', '..%2f..%2fblobs', 'x'.repeat(2000), `${randomUUID()}%00`, '%F0%9F%90%B3'].map((id) => ({
      it: `that nobody began is not known: ${id.slice(0, 40)}`,
      send: ['PATCH', `/v2/ann/app/blobs/uploads/${id}`, { body: 'bytes' }] as const,
      gets: GONE,
    })),
  );
});
