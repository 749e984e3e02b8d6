import { expect } from 'chai';
import { registryFor } from '../support/app.ts';
import { basic, type HttpClient, pushBlob } from '../support/http.ts';
import { digestOf, noise } from '../support/images.ts';
import { waitUntil } from '../support/processes.ts';
import { ADMIN, PASSWORD } from '../support/registryProcess.ts';
import { exchange, exchanges } from './exchanges.ts';
import { connection, head } from './raw.ts';

// Larger than a copy's two buffers, so that turns are taken.
const BYTES = noise(3_000_000, 'blob');
const DIGEST = digestOf(BYTES);
const SIZE = BYTES.length;
const EMPTY = digestOf('');
const ETAG = `"${DIGEST}"`;
const PATH = `/v2/blobs/app/blobs/${DIGEST}`;
const HEADERS = {
  'docker-content-digest': DIGEST,
  'accept-ranges': 'bytes',
  'content-type': 'application/octet-stream',
  'transfer-encoding': undefined,
  etag: ETAG,
};
const WHOLE = { status: 200, headers: { ...HEADERS, 'content-length': String(SIZE), 'content-range': undefined }, bytes: BYTES };

const part = (start: number, end: number) => ({
  status: 206,
  headers: { ...HEADERS, 'content-range': `bytes ${start}-${end}/${SIZE}`, 'content-length': String(end - start + 1) },
  bytes: BYTES.subarray(start, end + 1),
});

describe('GET of a blob', () => {
  const registry = registryFor();

  before(async () => {
    const { admin } = registry();
    await pushBlob(admin, 'blobs/app', { digest: DIGEST, bytes: BYTES, mediaType: '' });
    await pushBlob(admin, 'blobs/app', { digest: EMPTY, bytes: Buffer.alloc(0), mediaType: '' });
    await pushBlob(admin, 'blobs/other', { digest: digestOf('other'), bytes: Buffer.from('other'), mediaType: '' });
  });

  exchanges(registry, [
    { it: 'gives the very bytes, their length and their digest', send: ['GET', PATH], gets: WHOLE },
    {
      it: 'lets nobody but the caller keep them, because a shared cache asks nobody for a password',
      send: ['GET', PATH],
      gets: { status: 200, headers: { 'cache-control': 'private, max-age=31536000, immutable' } },
    },
    {
      it: 'gives HEAD the same without the bytes',
      send: ['HEAD', PATH],
      gets: { status: 200, headers: { ...HEADERS, 'content-length': String(SIZE) } },
    },
    {
      it: 'gives the no bytes of the empty blob',
      send: ['GET', `/v2/blobs/app/blobs/${EMPTY}`],
      gets: { status: 200, headers: { 'content-length': '0', 'docker-content-digest': EMPTY }, bytes: Buffer.alloc(0) },
    },
    ...['bytes=0-', 'bytes=-5', 'bytes=0-0', 'bytes=5-9', 'bytes=-0', 'bytes=0-0,2-3', 'bytes=x'].map((range) => ({
      it: `gives all of the empty blob to those who ask for a range of it: ${range}`,
      send: ['GET', `/v2/blobs/app/blobs/${EMPTY}`, { headers: { range } }] as const,
      gets: { status: 200, headers: { 'content-length': '0', 'content-range': undefined } } as const,
    })),
    {
      it: 'does not know a blob that only another repository has',
      send: ['GET', `/v2/blobs/app/blobs/${digestOf('other')}`],
      gets: { status: 404, code: 'BLOB_UNKNOWN', detail: { digest: digestOf('other') } },
    },
    {
      it: 'does not know the blob in a repository that it was not pushed to',
      send: ['GET', `/v2/blobs/other/blobs/${DIGEST}`],
      gets: { status: 404, code: 'BLOB_UNKNOWN' },
    },
    {
      it: 'says so when it is the repository that does not exist',
      send: ['GET', `/v2/blobs/none/blobs/${DIGEST}`],
      gets: { status: 404, code: 'NAME_UNKNOWN', detail: { name: 'blobs/none' } },
    },
    { it: 'says neither to HEAD', send: ['HEAD', `/v2/blobs/other/blobs/${DIGEST}`], gets: { status: 404 } },
    ...[
      'latest',
      'sha256:abc',
      DIGEST.toUpperCase(),
      `${DIGEST}0`,
      `md5:${'0'.repeat(32)}`,
      'sha256:',
      ':',
      '%00',
      `sha256:${'g'.repeat(64)}`,
    ].map((digest) => ({
      it: `refuses what is no digest: ${digest.slice(0, 20)} (${digest.length})`,
      send: ['GET', `/v2/blobs/app/blobs/${digest}`] as const,
      gets: { status: 400, code: 'DIGEST_INVALID' } as const,
    })),
  ]);

  describe('with a range', () => {
    const ranged = (range: string, headers: Readonly<Record<string, string>> = {}) =>
      ['GET', PATH, { headers: { range, ...headers } }] as const;
    const satisfiable: readonly (readonly [range: string, start: number, end: number])[] = [
      ['bytes=0-0', 0, 0],
      ['bytes=0-999', 0, 999],
      ['bytes=1000-1999999', 1000, 1_999_999],
      [`bytes=0-${SIZE - 1}`, 0, SIZE - 1],
      ['bytes=2999999-', SIZE - 1, SIZE - 1],
      ['bytes=500-', 500, SIZE - 1],
      ['bytes=-1', SIZE - 1, SIZE - 1],
      ['bytes=-1000', SIZE - 1000, SIZE - 1],
      ['bytes=-99999999', 0, SIZE - 1],
      ['bytes=10-99999999', 10, SIZE - 1],
      ['bytes=10-18446744073709551615', 10, SIZE - 1],
      ['Bytes=10-19', 10, 19],
      [' bytes=10-19 ', 10, 19],
    ];
    exchanges(
      registry,
      satisfiable.map(([range, start, end]) => ({
        it: `gives that part: ${range}`,
        send: ranged(range),
        gets: part(start, end),
      })),
    );
    exchanges(
      registry,
      [`bytes=${SIZE}-`, `bytes=${SIZE}-${SIZE + 5}`, 'bytes=99999999999999999999-', 'bytes=-0', 'bytes=9-0'].map((range) => ({
        it: `refuses what lies outside or backwards, and says how much there is: ${range}`,
        send: ranged(range),
        gets: {
          status: 416,
          code: 'BLOB_UPLOAD_INVALID',
          headers: { 'content-range': `bytes */${SIZE}`, 'cache-control': undefined, etag: undefined },
          detail: { size: SIZE },
        } as const,
      })),
    );
    const ignored = [
      'bytes=0-9,20-29',
      'bytes=0-9, 5-14',
      'bytes=0-9,-5',
      'bytes=0-9,',
      `bytes=${SIZE}-,${SIZE + 1}-`,
      `bytes=${Array.from({ length: 1000 }, (_, index) => `${index}-`).join()}`,
      'bytes=0-9, items=0-9',
      'bytes=0x0-0x9',
      'bytes=1e1-2e1',
      'bytes=0 - 9',
      'bytes=+0-9',
      'bytes=0-9/3000000',
      'bytes=',
      'bytes=-',
      'bytes=a-b',
      'bytes',
      'items=0-9',
      'bytes=0-9;',
      'bytes=--5',
      '0-9',
      'bytes 0-9',
    ];
    exchanges(
      registry,
      ignored.map((range) => ({ it: `gives everything for ${range.slice(0, 40)}`, send: ranged(range), gets: WHOLE })),
    );
    exchanges(registry, [
      { it: 'gives the part while If-Range names the blob', send: ranged('bytes=0-9', { 'if-range': ETAG }), gets: part(0, 9) },
      { it: 'gives everything when If-Range names another', send: ranged('bytes=0-9', { 'if-range': '"other"' }), gets: WHOLE },
      {
        it: 'gives everything when If-Range names another, also where the range lies outside',
        send: ranged('bytes=99999999-', { 'if-range': '"other"' }),
        gets: WHOLE,
      },
      {
        it: 'refuses what lies outside while If-Range names the blob',
        send: ranged('bytes=99999999-', { 'if-range': ETAG }),
        gets: { status: 416 },
      },
      {
        it: 'gives everything when If-Range is a list',
        send: ranged('bytes=0-9', { 'if-range': `"other", ${ETAG}` }),
        gets: WHOLE,
      },
      { it: 'gives everything when If-Range is a star', send: ranged('bytes=0-9', { 'if-range': '*' }), gets: WHOLE },
      {
        it: 'gives everything when If-Range is the digest without quotes',
        send: ranged('bytes=0-9', { 'if-range': DIGEST }),
        gets: WHOLE,
      },
      { it: 'gives everything when If-Range is nothing', send: ranged('bytes=0-9', { 'if-range': '' }), gets: WHOLE },
      {
        it: 'gives everything when If-Range stands without a range',
        send: ['GET', PATH, { headers: { 'if-range': ETAG } }],
        gets: WHOLE,
      },
      {
        it: 'gives the part when If-None-Match names another',
        send: ranged('bytes=0-9', { 'if-none-match': '"other"' }),
        gets: part(0, 9),
      },
      { it: 'gives everything when If-Range is weak', send: ranged('bytes=0-9', { 'if-range': `W/${ETAG}` }), gets: WHOLE },
      {
        it: 'gives everything when If-Range is a time',
        send: ranged('bytes=0-9', { 'if-range': 'Wed, 21 Oct 2026 07:28:00 GMT' }),
        gets: WHOLE,
      },
      {
        it: 'looks at If-None-Match before the range',
        send: ranged('bytes=99999999-', { 'if-none-match': ETAG }),
        gets: { status: 304 },
      },
      {
        it: 'plays no part in HEAD, also where it could be satisfied',
        send: ['HEAD', PATH, { headers: { range: 'bytes=0-9' } }],
        gets: { status: 200, headers: { ...HEADERS, 'content-length': String(SIZE), 'content-range': undefined } },
      },
      {
        it: 'plays no part in HEAD',
        send: ['HEAD', PATH, { headers: { range: 'bytes=99999999-' } }],
        gets: { status: 200, headers: { 'content-length': String(SIZE), 'content-range': undefined } },
      },
    ]);
  });

  describe('with If-None-Match', () => {
    const matching = [ETAG, `W/${ETAG}`, `"other", ${ETAG}`, '*', ` ${ETAG} `];
    const others = ['"other"', DIGEST, '', `"${DIGEST}`];
    for (const method of ['GET', 'HEAD']) {
      exchanges(registry, [
        ...matching.map((tag) => ({
          it: `answers ${method} with 304 for ${tag.replace(DIGEST, '<digest>')}`,
          send: [method, PATH, { headers: { 'if-none-match': tag } }] as const,
          gets: { status: 304, headers: { etag: ETAG, 'cache-control': /immutable/ }, bytes: Buffer.alloc(0) },
        })),
        ...others.map((tag) => ({
          it: `answers ${method} in full for ${tag === '' ? 'nothing' : tag.replace(DIGEST, '<digest>')}`,
          send: [method, PATH, { headers: { 'if-none-match': tag } }] as const,
          gets: { status: 200 },
        })),
      ]);
    }
  });

  it('gives many clients at once each the bytes that it asked for', async () => {
    const spans = Array.from({ length: 20 }, (_, index) => [index * 1000, SIZE - 1 - index * 999] as const);
    await Promise.all(
      spans.map(([start, end]) =>
        exchange(registry().admin, ['GET', PATH, { headers: { range: `bytes=${start}-${end}` } }], part(start, end)),
      ),
    );
  });

  it('is still there for others when a client hangs up in the middle', async () => {
    const socket = await connection(registry().port);
    socket.write(head(`GET ${PATH}`, `Authorization: ${basic(ADMIN, PASSWORD)}`));
    await waitUntil('some bytes have come', () => socket.bytesRead > 1000);
    socket.destroy();
    await exchange(registry().admin, ['GET', PATH], WHOLE);
  });

  it('is whole on a connection of the old HTTP, which ends with the blob', async () => {
    const socket = await connection(registry().port);
    const received: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => received.push(chunk));
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.write(`GET ${PATH} HTTP/1.0\r\nAuthorization: ${basic(ADMIN, PASSWORD)}\r\n\r\n`);
    await closed;
    expect(Buffer.concat(received).subarray(-SIZE).equals(BYTES)).to.equal(true);
  });
});

describe('GET of a sha512 blob', () => {
  const registry = registryFor();
  let admin: HttpClient;
  const digest = digestOf(BYTES, 'sha512');

  before(async () => {
    admin = registry().admin;
    await pushBlob(admin, 'blobs/app', { digest, bytes: BYTES, mediaType: '' });
  });

  it('finds it by the digest that it was pushed with, and by no other', async () => {
    const headers = { 'docker-content-digest': digest, etag: `"${digest}"` };
    await exchange(admin, ['GET', `/v2/blobs/app/blobs/${digest}`], { status: 200, headers, bytes: BYTES });
    await exchange(admin, ['GET', `/v2/blobs/app/blobs/${DIGEST}`], { status: 404, code: 'BLOB_UNKNOWN' });
  });
});
