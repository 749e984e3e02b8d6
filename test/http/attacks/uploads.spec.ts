import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import { registryFor } from '../../support/app.ts';
import { expectStatus, finishUpload, type HttpClient, type Sending, sendChunk, startUpload } from '../../support/http.ts';
import { digestOf } from '../../support/images.ts';
import { tellingOf } from './given.ts';

const BYTES = Buffer.from('half of a secret, and its other half');
const HALF = BYTES.length / 2;
const DIGEST = digestOf(BYTES);

describe('an upload of another user', () => {
  const registry = registryFor();
  let owner: HttpClient;
  let location: string;

  before(async () => {
    owner = await registry().register('ann');
    await registry().register('bob');
  });
  beforeEach(async () => {
    location = await sendChunk(owner, await startUpload(owner, 'ann/web'), BYTES.subarray(0, HALF), 0);
  });

  const idOfUpload = (): string => location.split('/').at(-1) ?? '';
  const touch = (at: string): readonly (readonly [method: string, path: string, sending?: Sending])[] => [
    ['GET', at],
    ['PATCH', at, { body: 'x' }],
    ['PATCH', at, { body: 'x', headers: { 'content-range': `${HALF}-${HALF}` } }],
    ['PUT', `${at}?digest=${DIGEST}`],
    ['PUT', `${at}?digest=${digestOf(BYTES.subarray(0, HALF))}`],
    ['PUT', `${at}?digest=${DIGEST}`, { body: BYTES.subarray(HALF) }],
    ['DELETE', at],
  ];

  /** Who may push into the repository that the path names, and has not begun the upload. */
  const OTHERS: readonly (readonly [who: string, client: () => HttpClient | Promise<HttpClient>, repository: string])[] = [
    ['an administrator in the same repository', () => registry().admin, 'ann/web'],
    ['an administrator in another one', () => registry().admin, 'bob/web'],
    ['another user in his own', () => registry().withToken('bob', 'repository:bob/web:pull,push'), 'bob/web'],
    ['its owner in another one', () => owner, 'ann/web2'],
  ];
  for (const [who, client, repository] of OTHERS)
    it(`is to ${who} as one that there is not, and goes on unharmed`, async () => {
      const other = await client();
      const unknown = randomUUID();
      const of = (id: string): string => `/v2/${repository}/blobs/uploads/${id}`;
      for (const [index, [method, path, sending]] of touch(of(idOfUpload())).entries()) {
        const [, missing = ''] = touch(of(unknown))[index] ?? [];
        const found = tellingOf(await other.send(method, path, sending), idOfUpload());
        expect(found.status, `${method} ${path}`).to.equal(404);
        expect(found, `${method} ${path}`).to.deep.equal(tellingOf(await other.send(method, missing, sending), unknown));
      }
      expect((await owner.send('GET', location)).headers.range).to.equal(`0-${HALF - 1}`);
      await finishUpload(owner, location, DIGEST, { body: BYTES.subarray(HALF) });
      const blob = expectStatus('blob', await owner.send('GET', `/v2/ann/web/blobs/${DIGEST}`), 200);
      expect(blob.body.equals(BYTES)).to.equal(true);
      await owner.send('DELETE', `/v2/ann/web/blobs/${DIGEST}`);
    });

  it('is not even told to be there to who may not push', async () => {
    const bob = await registry().withToken('bob', 'repository:ann/web:pull,push');
    for (const [method, path, sending] of touch(location))
      expect((await bob.send(method, path, sending)).status, method).to.be.oneOf([401, 403, 404]);
    for (const [method, path, sending] of touch(location))
      expect((await registry().anonymous.send(method, path, sending)).status, method).to.equal(401);
    expect((await owner.send('GET', location)).headers.range).to.equal(`0-${HALF - 1}`);
  });

  it('has an id that nobody guesses from another', async () => {
    const ids = [];
    for (let count = 0; count < 20; count += 1) ids.push((await startUpload(owner, 'ann/web')).split('/').at(-1) ?? '');
    for (const id of ids) expect(id).to.match(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    for (const place of [0, 1, 2, 4])
      expect(new Set(ids.map((id) => id.split('-')[place])).size, String(place)).to.be.at.least(18);
  });

  it('gives nobody a blob whose bytes were not sent: neither by its digest nor by an upload without any', async () => {
    await finishUpload(owner, location, DIGEST, { body: BYTES.subarray(HALF) });
    const bob = await registry().withToken('bob', 'repository:bob/web:pull,push');
    for (const sending of [{}, { body: '' }, { body: 'something else' }, { headers: { 'content-length': '0' } }]) {
      expect((await bob.send('POST', `/v2/bob/web/blobs/uploads/?digest=${DIGEST}`, sending)).status).to.equal(400);
      const at = await startUpload(bob, 'bob/web');
      expect((await bob.send('PUT', `${at}?digest=${DIGEST}`, sending)).status).to.equal(400);
    }
    expect((await bob.send('HEAD', `/v2/bob/web/blobs/${DIGEST}`)).status).to.equal(404);
  });

  it('is found by no other way of writing its id', async () => {
    const id = idOfUpload();
    const before = (await owner.send('GET', location)).status;
    expect(before).to.equal(204);
    for (const written of [
      id.toUpperCase() === id ? `${id}x` : id.toUpperCase(),
      `${id}%00`,
      `${id}%2F`,
      `${id}%2Fsession.json`,
      `.%2F${id}`,
      `..%2Fuploads%2F${id}`,
      `removed-${id}`,
      `%7B${id}%7D`,
    ])
      expect((await owner.send('GET', `/v2/ann/web/blobs/uploads/${written}`)).status, written).to.equal(404);
  });
});
