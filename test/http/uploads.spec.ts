import { once } from 'node:events';
import { Readable } from 'node:stream';
import { expect } from 'chai';
import { registryFor } from '../support/app.ts';
import { basic, pushBlob, startUpload } from '../support/http.ts';
import { type Blob, digestOf, noise } from '../support/images.ts';
import { ADMIN, PASSWORD } from '../support/registryProcess.ts';
import { blobOf, expectBlob, expectNoBlob } from './blobSamples.ts';
import { exchange, exchanges, expectAnswer, jsonOf } from './exchanges.ts';
import { connection, head, readAnswer } from './raw.ts';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

describe('a blob upload', () => {
  const registry = registryFor();
  const finished = ({ digest }: Blob, repository: string) =>
    ({
      status: 201,
      headers: { location: `/v2/${repository}/blobs/${digest}`, 'docker-content-digest': digest, 'content-length': '0' },
    }) as const;

  for (const path of ['/v2/ways/app/blobs/uploads/', '/v2/ways/app/blobs/uploads']) {
    it(`begins with POST ${path}`, async () => {
      const { headers } = await exchange(registry().admin, ['POST', path], { status: 202, headers: { range: '0-0' } });
      expect(headers['docker-upload-uuid']).to.match(UUID);
      expect(headers.location).to.equal(`/v2/ways/app/blobs/uploads/${headers['docker-upload-uuid']}`);
    });
  }

  it('ends with one PUT of all the bytes', async () => {
    const blob = blobOf('one-put');
    const location = await startUpload(registry().admin, 'ways/app');
    const put = await exchange(
      registry().admin,
      ['PUT', `${location}?digest=${blob.digest}`, { body: blob.bytes }],
      finished(blob, 'ways/app'),
    );
    await exchange(registry().admin, ['GET', String(put.headers.location)], { status: 200, bytes: blob.bytes });
  });

  it('takes bytes in PATCHes without a range, of any length, and ends with an empty PUT: docker’s way', async () => {
    const blob = blobOf('docker', 200_000);
    const { admin } = registry();
    const location = await startUpload(admin, 'ways/app');
    const chunked = { body: Readable.from([blob.bytes.subarray(0, 70_000), blob.bytes.subarray(70_000, 150_000)]) };
    await exchange(admin, ['PATCH', location, chunked], { status: 202, headers: { range: '0-149999', location } });
    const rest = { body: blob.bytes.subarray(150_000) };
    await exchange(admin, ['PATCH', location, rest], { status: 202, headers: { range: '0-199999', location } });
    await exchange(admin, ['PUT', `${location}?digest=${blob.digest}`], finished(blob, 'ways/app'));
    await expectBlob(admin, 'ways/app', blob);
  });

  for (const [spelling, ranged] of [
    ['a-b', (a: number, b: number) => `${a}-${b}`],
    ['bytes a-b', (a: number, b: number) => `bytes ${a}-${b}`],
    ['bytes a-b/*', (a: number, b: number) => `bytes ${a}-${b}/*`],
    ['bytes a-b/total', (a: number, b: number) => `bytes ${a}-${b}/3000`],
  ] as const) {
    it(`takes chunks with Content-Range: ${spelling}, the last one with the PUT`, async () => {
      const blob = blobOf(spelling);
      const { admin } = registry();
      const location = await startUpload(admin, 'ways/app');
      const chunk = (from: number, to: number) => ({
        body: blob.bytes.subarray(from, to),
        headers: { 'content-range': ranged(from, to - 1) },
      });
      await exchange(admin, ['PATCH', location, chunk(0, 1000)], { status: 202, headers: { range: '0-999' } });
      await exchange(admin, ['PATCH', location, chunk(1000, 2500)], { status: 202, headers: { range: '0-2499' } });
      await exchange(admin, ['PUT', `${location}?digest=${blob.digest}`, chunk(2500, 3000)], finished(blob, 'ways/app'));
      await expectBlob(admin, 'ways/app', blob);
    });
  }

  it('is done in one POST with the digest', async () => {
    const blob = blobOf('single-post');
    const send = ['POST', `/v2/ways/app/blobs/uploads/?digest=${blob.digest}`, { body: blob.bytes }] as const;
    await exchange(registry().admin, send, finished(blob, 'ways/app'));
    await expectBlob(registry().admin, 'ways/app', blob);
  });

  it('is done in one POST of chunks whose sum nobody announced', async () => {
    const blob = blobOf('single-post-chunked');
    const body = Readable.from([blob.bytes.subarray(0, 10), blob.bytes.subarray(10)]);
    const send = ['POST', `/v2/ways/app/blobs/uploads/?digest=${blob.digest}`, { body }] as const;
    await exchange(registry().admin, send, finished(blob, 'ways/app'));
    await expectBlob(registry().admin, 'ways/app', blob);
  });

  it('is of any type that the client gives it', async () => {
    for (const type of [
      'application/octet-stream',
      'application/json',
      'text/plain; charset=utf-8',
      'application/x-www-form-urlencoded',
    ]) {
      const blob = blobOf(type);
      const location = await startUpload(registry().admin, 'ways/app');
      const sending = { body: blob.bytes, headers: { 'content-type': type } };
      await exchange(registry().admin, ['PUT', `${location}?digest=${blob.digest}`, sending], finished(blob, 'ways/app'));
      await expectBlob(registry().admin, 'ways/app', blob);
    }
  });

  it('is sent when the registry asks for it, by clients that wait to be asked', async () => {
    const blob = blobOf('expected');
    const location = await startUpload(registry().admin, 'ways/app');
    const socket = await connection(registry().port);
    const authorization = `Authorization: ${basic(ADMIN, PASSWORD)}`;
    const length = `Content-Length: ${blob.bytes.length}`;
    socket.write(
      head(`PUT ${location}?digest=${blob.digest}`, authorization, length, 'Expect: 100-continue', 'Connection: close'),
    );
    expect(String((await once(socket, 'data'))[0])).to.equal('HTTP/1.1 100 Continue\r\n\r\n');
    const answer = readAnswer(socket);
    socket.write(blob.bytes);
    expectAnswer(await answer, { status: 201 });
    await expectBlob(registry().admin, 'ways/app', blob);
  });

  it('is recorded for callers with any user agent', async () => {
    for (const userAgent of ['', 'x'.repeat(12_000), '\u00e9\u00ff', '{"a":"b"}']) {
      const blob = blobOf(`by ${userAgent}`);
      const sending = { body: blob.bytes, headers: { 'user-agent': userAgent } };
      await exchange(registry().admin, ['POST', `/v2/ways/agents/blobs/uploads/?digest=${blob.digest}`, sending], {
        status: 201,
      });
    }
  });

  it('is of sha512 as well, announced at the beginning or not', async () => {
    const bytes = noise(5000, 'sha512');
    const blob = { digest: digestOf(bytes, 'sha512'), bytes, mediaType: '' };
    for (const [index, query] of ['', '?digest-algorithm=sha512', '?digest-algorithm=sha256'].entries()) {
      const repository = `ways/sha512-${index}`;
      const begun = await exchange(registry().admin, ['POST', `/v2/${repository}/blobs/uploads/${query}`], { status: 202 });
      const end = ['PUT', `${begun.headers.location}?digest=${blob.digest}`, { body: bytes }] as const;
      await exchange(registry().admin, end, finished(blob, repository));
      await expectBlob(registry().admin, repository, blob);
    }
  });

  it('may be of no bytes at all', async () => {
    const empty = { digest: digestOf(''), bytes: Buffer.alloc(0), mediaType: '' };
    const { admin } = registry();
    await exchange(admin, ['POST', `/v2/ways/empty-1/blobs/uploads/?digest=${empty.digest}`], finished(empty, 'ways/empty-1'));
    const location = await startUpload(admin, 'ways/empty-2');
    await exchange(admin, ['PATCH', location, { body: '' }], { status: 202, headers: { range: '0-0' } });
    await exchange(admin, ['PUT', `${location}?digest=${empty.digest}`], finished(empty, 'ways/empty-2'));
    for (const repository of ['ways/empty-1', 'ways/empty-2']) await expectBlob(admin, repository, empty);
  });

  it('of a blob that is there already ends as well, and records nothing', async () => {
    const blob = blobOf('again');
    await pushBlob(registry().admin, 'ways/app', blob);
    const before = await registry().head();
    await pushBlob(registry().admin, 'ways/app', blob);
    expect(await registry().head()).to.equal(before);
  });

  it('ends well for all who push the same blob at once', async () => {
    const blob = blobOf('at-once', 100_000);
    const pushes = Array.from({ length: 8 }, (_, index) => pushBlob(registry().admin, `ways/once-${index % 2}`, blob));
    await Promise.all(pushes);
    for (const repository of ['ways/once-0', 'ways/once-1']) await expectBlob(registry().admin, repository, blob);
  });

  it('makes the repository exist, with no tags yet', async () => {
    await exchange(registry().admin, ['GET', '/v2/ways/new/tags/list'], { status: 404, code: 'NAME_UNKNOWN' });
    await pushBlob(registry().admin, 'ways/new', blobOf('first'));
    await exchange(registry().admin, ['GET', '/v2/ways/new/tags/list'], { status: 200, json: { name: 'ways/new', tags: [] } });
    const { repositories } = jsonOf(await registry().admin.send('GET', '/v2/_catalog'));
    expect(repositories, 'what holds no manifest is not listed').to.deep.equal([]);
  });

  it('makes no repository exist when it only begins', async () => {
    await startUpload(registry().admin, 'ways/begun');
    await exchange(registry().admin, ['GET', '/v2/ways/begun/tags/list'], { status: 404, code: 'NAME_UNKNOWN' });
  });

  const DIGEST = `sha256:${'a'.repeat(64)}`;
  exchanges(registry, [
    {
      it: 'refuses to begin with an algorithm that is not known',
      send: ['POST', '/v2/ways/app/blobs/uploads/?digest-algorithm=md5'],
      gets: { status: 400, code: 'DIGEST_INVALID', detail: { algorithm: 'md5' } },
    },
    {
      it: 'refuses to begin in a repository that cannot be called so',
      send: ['POST', '/v2/Ways/blobs/uploads/'],
      gets: { status: 400, code: 'NAME_INVALID' },
    },
    {
      it: 'refuses a single POST whose body does not match',
      send: ['POST', `/v2/ways/app/blobs/uploads/?digest=${DIGEST}`, { body: 'other bytes' }],
      gets: { status: 400, code: 'DIGEST_INVALID' },
    },
    ...['', 'sha256:', 'sha256:abc', DIGEST.toUpperCase(), `md5:${'a'.repeat(32)}`, `sha512:${'a'.repeat(64)}`].map((digest) => ({
      it: `refuses a single POST with the digest "${digest.slice(0, 14)}" of ${digest.length} characters`,
      send: ['POST', `/v2/ways/app/blobs/uploads/?digest=${digest}`, { body: 'bytes' }] as const,
      gets: { status: 400, code: 'DIGEST_INVALID' } as const,
    })),
    {
      it: 'refuses two digests for one blob',
      send: ['POST', `/v2/ways/app/blobs/uploads/?digest=${DIGEST}&digest=${DIGEST}`, { body: 'bytes' }],
      gets: { status: 400, code: 'DIGEST_INVALID' },
    },
  ]);

  it('that was refused leaves nothing behind: no session, no bytes, no event', async () => {
    const wrong = blobOf('wrong');
    const { app, admin } = registry();
    const before = await registry().head();
    const sessions = async (): Promise<number> => {
      let count = 0;
      for await (const _session of app.blobs.uploads.list()) count += 1;
      return count;
    };
    const held = await sessions();
    const send = ['POST', `/v2/ways/refused/blobs/uploads/?digest=${DIGEST}`, { body: wrong.bytes }] as const;
    await exchange(admin, send, { status: 400, code: 'DIGEST_INVALID' });
    expect(await sessions()).to.equal(held);
    expect(await app.blobs.stat(wrong.digest as never)).to.equal(undefined);
    expect(await registry().head()).to.equal(before);
    await expectNoBlob(admin, 'ways/refused', wrong);
  });
});
