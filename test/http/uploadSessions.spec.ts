import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { expect } from 'chai';
import type { Position } from '../../src/events/event.ts';
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
    for (const digest of [digestOf('other bytes'), digestOf(BYTES, 'sha512')])
      await exchange(client, ['PUT', `${location}?digest=${digest}`, { body: BYTES }], GONE);
    await exchange(client, ['DELETE', location], GONE);
  };

  const linkedSince = async (position: Position): Promise<number> => {
    const events = await registry().app.log.readAll({ after: position, direction: 'forwards', limit: 100 });
    return events.filter(({ type }) => type === 'BlobLinked').length;
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

  for (const [what, headers] of [
    ['with its range', { 'content-range': '1000-2999' }],
    ['without one', {}],
  ] as const) {
    it(`keeps nothing of the last bytes of a PUT whose digest did not match, ${what}: it may be repeated, gone on with or cancelled`, async () => {
      const bytes = noise(3000, `refused ${what}`);
      const last = { body: bytes.subarray(1000), headers };
      const wrong = digestOf('other bytes');
      const repository = `ann/refused-${what.length}`;
      const at = await Promise.all([1, 2, 3].map(() => startUpload(ann, repository)));
      for (const location of at) {
        await sendChunk(ann, location, bytes.subarray(0, 1000));
        for (let tries = 0; tries < 2; tries += 1)
          await exchange(ann, ['PUT', `${location}?digest=${wrong}`, last], { status: 400, code: 'DIGEST_INVALID' });
        await expectAt(ann, location, '0-999');
      }
      const [repeated = '', goneOnWith = '', cancelled = ''] = at;
      await exchange(ann, ['PUT', `${repeated}?digest=${digestOf(bytes)}`, last], { status: 201 });
      await exchange(ann, ['PATCH', goneOnWith, last], { status: 202, headers: { range: '0-2999' } });
      await exchange(ann, ['PUT', `${goneOnWith}?digest=${digestOf(bytes)}`], { status: 201 });
      await exchange(ann, ['DELETE', cancelled], { status: 204 });
      await exchange(ann, ['GET', `/v2/${repository}/blobs/${digestOf(bytes)}`], { status: 200, bytes });
      await exchange(ann, ['GET', `/v2/${repository}/blobs/${wrong}`], { status: 404 });
    });
  }

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

  it('says again how it was finished, to who did that and has lost the answer', async () => {
    const blob = { bytes: noise(3000, 'answer lost'), digest: digestOf(noise(3000, 'answer lost')) };
    const location = await startUpload(ann, 'ann/lost');
    const put = `${location}?digest=${blob.digest}`;
    await exchange(ann, ['PUT', put, { body: blob.bytes }], { status: 201 });
    const before = await registry().head();
    const done = {
      status: 201,
      headers: { 'docker-content-digest': blob.digest, location: `/v2/ann/lost/blobs/${blob.digest}` },
    };
    for (const sending of [{ body: blob.bytes }, {}, { body: Readable.from([blob.bytes]) }])
      await exchange(ann, ['PUT', put, sending], done);
    await exchange(registry().admin, ['PUT', put, { body: blob.bytes }], GONE);
    await exchange(ann, ['PUT', put.replace('ann/lost', 'ann/app'), { body: blob.bytes }], GONE);
    expect(await registry().head()).to.equal(before);
    await exchange(ann, ['DELETE', `/v2/ann/lost/blobs/${blob.digest}`], { status: 202 });
    await exchange(ann, ['PUT', put, { body: blob.bytes }], GONE);
  });

  it('does not take its last bytes twice, when the PUT that brought them was refused and comes again', async () => {
    const location = await startUpload(ann, 'ann/again');
    await sendChunk(ann, location, BYTES);
    const last = { body: BYTES.subarray(2000), headers: { 'content-range': '2000-2999' } };
    await exchange(ann, ['PUT', `${location}?digest=${DIGEST}`, last], { status: 201, headers: { range: undefined } });
    await exchange(ann, ['GET', `/v2/ann/again/blobs/${DIGEST}`], { status: 200, bytes: BYTES });
    await expectClosed(ann, location);
    const withoutRange = await startUpload(ann, 'ann/again');
    await sendChunk(ann, withoutRange, BYTES);
    await exchange(ann, ['PUT', `${withoutRange}?digest=${DIGEST}`, { body: last.body }], { status: 201 });
    await expectClosed(ann, withoutRange);
  });

  it('is over once it is cancelled', async () => {
    const location = await startUpload(ann, 'ann/app');
    await sendChunk(ann, location, BYTES);
    await exchange(ann, ['DELETE', location], { status: 204 });
    await exchange(ann, ['PUT', `${location}?digest=${DIGEST}`, { body: BYTES }], GONE);
    await expectClosed(ann, location);
  });

  const finishes: readonly (readonly [what: string, before: number, range: boolean])[] = [
    ['without a body', 3000, false],
    ['with the last bytes', 1000, false],
    ['with the last bytes and their range', 1000, true],
    ['with all bytes', 0, false],
  ];
  for (const [what, before, range] of finishes) {
    it(`that several finish at once ${what} is finished once, and well for all`, async () => {
      const bytes = noise(3000, `at once ${what}`);
      const [location, repository] = [await startUpload(ann, 'ann/at-once'), 'ann/at-once'];
      if (before > 0) await sendChunk(ann, location, bytes.subarray(0, before));
      const headers = range ? { 'content-range': `${before}-2999` } : {};
      const sending = before === 3000 ? {} : { body: bytes.subarray(before), headers };
      const put = ['PUT', `${location}?digest=${digestOf(bytes)}`, sending] as const;
      const path = `/v2/${repository}/blobs/${digestOf(bytes)}`;
      const done = { status: 201, headers: { location: path, 'docker-content-digest': digestOf(bytes), range: undefined } };
      const from = await registry().head();
      await Promise.all([1, 2, 3, 4].map(() => exchange(ann, put, done)));
      await exchange(ann, ['GET', path], { status: 200, bytes });
      await expectClosed(ann, location);
      expect(await linkedSince(from), 'facts').to.equal(1);
    });
  }

  it('that is cancelled while it is finished is one or the other', async () => {
    for (let round = 0; round < 20; round += 1) {
      const bytes = noise(3000, `cancelled ${round}`);
      const location = await startUpload(ann, 'ann/cancelled');
      await sendChunk(ann, location, bytes.subarray(0, 1000));
      await sendChunk(ann, location, bytes.subarray(1000));
      const [put, cancelled] = await Promise.all([
        ann.send('PUT', `${location}?digest=${digestOf(bytes)}`),
        ann.send('DELETE', location),
      ]);
      expect([put.status, cancelled.status]).to.be.deep.oneOf([
        [201, 404],
        [201, 204],
        [404, 204],
      ]);
      const there = await ann.send('GET', `/v2/ann/cancelled/blobs/${digestOf(bytes)}`);
      expect(there.status).to.equal(put.status === 201 ? 200 : 404);
      await exchange(ann, ['GET', location], GONE);
    }
  });

  it('that is finished with two digests at once has the right one', async () => {
    const bytes = noise(3000, 'two digests');
    const location = await startUpload(ann, 'ann/two-digests');
    await sendChunk(ann, location, bytes);
    const digests = [digestOf(bytes), digestOf('other'), digestOf(bytes, 'sha512')];
    const statuses = await Promise.all(
      digests.map(async (digest) => (await ann.send('PUT', `${location}?digest=${digest}`)).status),
    );
    // Both of the right ones are right; which comes too late is told so, unless it was under way already.
    expect(statuses[1]).to.be.oneOf([400, 404]);
    for (const [index, digest] of digests.entries()) {
      expect(statuses[index]).to.be.oneOf([201, 400, 404]);
      const expected = statuses[index] === 201 ? { status: 200, bytes } : { status: 404 };
      await exchange(ann, ['GET', `/v2/ann/two-digests/blobs/${digest}`], expected);
    }
    expect(statuses).to.include(201);
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
    await exchange(registry().admin, ['PUT', `${location}?digest=${digestOf('')}`], GONE);
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
