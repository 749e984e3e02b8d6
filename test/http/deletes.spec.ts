import { expect } from 'chai';
import { registryFor, type TestApp } from '../support/app.ts';
import { basic, type HttpClient, pushBlob, pushImage, pushManifest, tagsOf } from '../support/http.ts';
import { type Blob, digestOf, type Image, imageOf, indexOf, noise, randomImage, tarOf } from '../support/images.ts';
import { ADMIN, PASSWORD } from '../support/registryProcess.ts';
import { exchange } from './exchanges.ts';

const IMAGE = randomImage('deletes');
const manifestAt = (repository: string, reference: string): string => `/v2/${repository}/manifests/${reference}`;
const blobAt = (repository: string, digest: string): string => `/v2/${repository}/blobs/${digest}`;
const MANIFEST_GONE = { status: 404, code: 'MANIFEST_UNKNOWN' } as const;
const BLOB_GONE = { status: 404, code: 'BLOB_UNKNOWN' } as const;
const ACCEPTED = { status: 202, headers: { 'content-length': '0' } } as const;

describe('DELETE', () => {
  const registry = registryFor();
  let admin: HttpClient;

  before(() => {
    admin = registry().admin;
  });

  describe('of a tag', () => {
    it('takes the tag alone, at once', async () => {
      await pushImage(admin, 'd/tag', 'one', IMAGE);
      await pushManifest(admin, 'd/tag', 'two', IMAGE.manifest);
      await exchange(admin, ['DELETE', manifestAt('d/tag', 'one')], ACCEPTED);
      await exchange(admin, ['GET', manifestAt('d/tag', 'one')], MANIFEST_GONE);
      for (const reference of ['two', IMAGE.manifest.digest])
        await exchange(admin, ['GET', manifestAt('d/tag', reference)], { status: 200 });
      expect(await tagsOf(admin, 'd/tag')).to.deep.equal(['two']);
    });

    it('keeps the manifest of the last tag', async () => {
      await pushImage(admin, 'd/last-tag', 'only', IMAGE);
      await exchange(admin, ['DELETE', manifestAt('d/last-tag', 'only')], ACCEPTED);
      await exchange(admin, ['GET', '/v2/d/last-tag/tags/list'], { status: 200, json: { name: 'd/last-tag', tags: [] } });
      await exchange(admin, ['GET', manifestAt('d/last-tag', IMAGE.manifest.digest)], { status: 200 });
    });

    it('twice finds nothing the second time, and records nothing', async () => {
      await pushImage(admin, 'd/twice', 'tag', IMAGE);
      await exchange(admin, ['DELETE', manifestAt('d/twice', 'tag')], ACCEPTED);
      const before = await registry().head();
      await exchange(admin, ['DELETE', manifestAt('d/twice', 'tag')], MANIFEST_GONE);
      expect(await registry().head()).to.equal(before);
    });

    it('lets it be pushed again', async () => {
      await pushImage(admin, 'd/again', 'tag', IMAGE);
      await exchange(admin, ['DELETE', manifestAt('d/again', 'tag')], ACCEPTED);
      await pushManifest(admin, 'd/again', 'tag', IMAGE.manifest);
      await exchange(admin, ['GET', manifestAt('d/again', 'tag')], { status: 200 });
    });
  });

  describe('of a manifest', () => {
    it('takes every tag that points at it, and no other', async () => {
      const other = randomImage('another');
      for (const tag of ['a', 'b']) await pushImage(admin, 'd/manifest', tag, IMAGE);
      await pushImage(admin, 'd/manifest', 'c', other);
      await exchange(admin, ['DELETE', manifestAt('d/manifest', IMAGE.manifest.digest)], ACCEPTED);
      for (const reference of ['a', 'b', IMAGE.manifest.digest])
        await exchange(admin, ['GET', manifestAt('d/manifest', reference)], MANIFEST_GONE);
      expect(await tagsOf(admin, 'd/manifest')).to.deep.equal(['c']);
      await exchange(admin, ['GET', manifestAt('d/manifest', 'c')], { status: 200, bytes: other.manifest.bytes });
      await exchange(admin, ['DELETE', manifestAt('d/manifest', IMAGE.manifest.digest)], MANIFEST_GONE);
    });

    it('with more tags than go into one event takes them all', async () => {
      await pushImage(admin, 'd/many', 'latest', IMAGE);
      const { digest, bytes, mediaType } = IMAGE.manifest;
      for (let page = 0; page < 5; page += 1) {
        const tags = Array.from({ length: 90 }, (_, index) => `tag=t${page}-${index}`).join('&');
        const sending = { body: bytes, headers: { 'content-type': mediaType } };
        await exchange(admin, ['PUT', `${manifestAt('d/many', digest)}?${tags}`, sending], { status: 201 });
      }
      await exchange(admin, ['DELETE', manifestAt('d/many', digest)], ACCEPTED);
      await exchange(admin, ['GET', '/v2/d/many/tags/list'], { status: 200, json: { name: 'd/many', tags: [] } });
      await exchange(admin, ['GET', manifestAt('d/many', digest)], MANIFEST_GONE);
    });

    it('leaves the same manifest of another repository alone', async () => {
      for (const repository of ['d/left', 'd/right']) await pushImage(admin, repository, 'latest', IMAGE);
      await exchange(admin, ['DELETE', manifestAt('d/left', IMAGE.manifest.digest)], ACCEPTED);
      await exchange(admin, ['GET', manifestAt('d/right', 'latest')], { status: 200 });
    });

    it('takes the repository out of the catalog with its last one, and leaves its blobs', async () => {
      await pushImage(admin, 'd/emptied', 'latest', IMAGE);
      await exchange(admin, ['DELETE', manifestAt('d/emptied', IMAGE.manifest.digest)], ACCEPTED);
      const catalog = await exchange(admin, ['GET', '/v2/_catalog'], { status: 200 });
      expect(catalog.body.toString()).not.to.contain('d/emptied');
      await exchange(admin, ['GET', '/v2/d/emptied/tags/list'], { status: 200, json: { name: 'd/emptied', tags: [] } });
      await exchange(admin, ['HEAD', blobAt('d/emptied', IMAGE.config.digest)], { status: 200 });
    });

    it('lets it be pushed again, without its blobs', async () => {
      await pushImage(admin, 'd/pushed-again', 'latest', IMAGE);
      await exchange(admin, ['DELETE', manifestAt('d/pushed-again', IMAGE.manifest.digest)], ACCEPTED);
      await pushManifest(admin, 'd/pushed-again', 'latest', IMAGE.manifest);
      await exchange(admin, ['GET', manifestAt('d/pushed-again', 'latest')], { status: 200, bytes: IMAGE.manifest.bytes });
    });

    it('at once with others is done once', async () => {
      await pushImage(admin, 'd/race', 'latest', IMAGE);
      const sending = Array.from({ length: 5 }, () => admin.send('DELETE', manifestAt('d/race', IMAGE.manifest.digest)));
      const statuses = (await Promise.all(sending)).map(({ status }) => status).sort();
      expect(statuses).to.deep.equal([202, 404, 404, 404, 404]);
    });
  });

  describe('of a blob', () => {
    const blob: Blob = { digest: digestOf('alone'), bytes: Buffer.from('alone'), mediaType: '' };

    it('takes it out of this repository alone, at once', async () => {
      for (const repository of ['d/blob', 'd/other-blob']) await pushBlob(admin, repository, blob);
      await exchange(admin, ['DELETE', blobAt('d/blob', blob.digest)], ACCEPTED);
      await exchange(admin, ['GET', blobAt('d/blob', blob.digest)], BLOB_GONE);
      await exchange(admin, ['GET', blobAt('d/other-blob', blob.digest)], { status: 200, bytes: blob.bytes });
      await exchange(admin, ['DELETE', blobAt('d/blob', blob.digest)], BLOB_GONE);
    });

    it('lets it be pushed again', async () => {
      await pushBlob(admin, 'd/blob-again', blob);
      await exchange(admin, ['DELETE', blobAt('d/blob-again', blob.digest)], ACCEPTED);
      await pushBlob(admin, 'd/blob-again', blob);
      await exchange(admin, ['GET', blobAt('d/blob-again', blob.digest)], { status: 200, bytes: blob.bytes });
    });

    it('that a manifest needs is refused until the manifest is gone: images stay whole', async () => {
      await pushImage(admin, 'd/needed', 'latest', IMAGE);
      const digests = [IMAGE.config, ...IMAGE.layers].map(({ digest }) => digest);
      for (const digest of digests)
        await exchange(admin, ['DELETE', blobAt('d/needed', digest)], {
          status: 405,
          code: 'UNSUPPORTED',
          headers: { allow: 'GET, HEAD' },
          detail: { digest },
        });
      await exchange(admin, ['DELETE', manifestAt('d/needed', 'latest')], ACCEPTED);
      await exchange(admin, ['DELETE', blobAt('d/needed', IMAGE.config.digest)], { status: 405 });
      await exchange(admin, ['DELETE', manifestAt('d/needed', IMAGE.manifest.digest)], ACCEPTED);
      for (const digest of digests) await exchange(admin, ['DELETE', blobAt('d/needed', digest)], ACCEPTED);
      await exchange(admin, ['GET', blobAt('d/needed', IMAGE.config.digest)], BLOB_GONE);
    });

    it('that two manifests need is refused until both are gone', async () => {
      const layer = tarOf({ shared: noise(100, 'shared') });
      const [first, second] = ['1', '2'].map((n) => imageOf([layer, tarOf({ n })])) as [Image, Image];
      for (const [tag, image] of [
        ['1', first],
        ['2', second],
      ] as const)
        await pushImage(admin, 'd/shared', tag, image);
      const digest = digestOf(layer);
      await exchange(admin, ['DELETE', manifestAt('d/shared', first.manifest.digest)], ACCEPTED);
      await exchange(admin, ['DELETE', blobAt('d/shared', digest)], { status: 405 });
      await exchange(admin, ['DELETE', manifestAt('d/shared', second.manifest.digest)], ACCEPTED);
      await exchange(admin, ['DELETE', blobAt('d/shared', digest)], ACCEPTED);
    });
  });

  it('is true for the very next request, as a push is', async () => {
    const { inject } = registry();
    await pushImage(admin, 'd/next', 'first', IMAGE);
    const headers = { authorization: basic(ADMIN, PASSWORD), 'content-type': IMAGE.manifest.mediaType };
    const url = manifestAt('d/next', 'latest');
    // Without a network between them the views have no time to catch up by themselves.
    for (let round = 0; round < 50; round += 1) {
      expect((await inject({ method: 'PUT', url, headers, payload: IMAGE.manifest.bytes })).statusCode).to.equal(201);
      expect((await inject({ method: 'HEAD', url, headers })).statusCode, 'after the push').to.equal(200);
      expect((await inject({ method: 'DELETE', url, headers })).statusCode).to.equal(202);
      expect((await inject({ method: 'HEAD', url, headers })).statusCode, 'after the delete').to.equal(404);
    }
  });

  it('of an image that an index names is the client’s affair, and the index stays', async () => {
    const index = indexOf([IMAGE]);
    await pushImage(admin, 'd/index', IMAGE.manifest.digest, IMAGE);
    await pushManifest(admin, 'd/index', 'multi', index.manifest);
    await exchange(admin, ['DELETE', manifestAt('d/index', IMAGE.manifest.digest)], ACCEPTED);
    await exchange(admin, ['GET', manifestAt('d/index', 'multi')], { status: 200, bytes: index.manifest.bytes });
  });

  it('of what is not there, or cannot be, is answered like a GET of it', async () => {
    await pushImage(admin, 'd/absent', 'latest', IMAGE);
    const absent = digestOf('absent');
    await exchange(admin, ['DELETE', manifestAt('d/absent', 'other')], MANIFEST_GONE);
    await exchange(admin, ['DELETE', manifestAt('d/absent', '-no-tag')], MANIFEST_GONE);
    await exchange(admin, ['DELETE', manifestAt('d/absent', absent)], MANIFEST_GONE);
    await exchange(admin, ['DELETE', manifestAt('d/absent', 'sha256:abc')], { status: 400, code: 'DIGEST_INVALID' });
    await exchange(admin, ['DELETE', blobAt('d/absent', absent)], BLOB_GONE);
    await exchange(admin, ['DELETE', blobAt('d/absent', 'sha256:abc')], { status: 400, code: 'DIGEST_INVALID' });
    for (const path of [manifestAt('d/none', 'x'), manifestAt('d/none', absent), blobAt('d/none', absent)])
      await exchange(admin, ['DELETE', path], { status: 404, code: 'NAME_UNKNOWN' });
    await exchange(admin, ['DELETE', manifestAt('D/None', 'x')], { status: 400, code: 'NAME_INVALID' });
  });

  it('may carry a body, which nobody reads', async () => {
    await pushImage(admin, 'd/body', 'latest', IMAGE);
    const sending = { body: '{"because":"I say so"}', headers: { 'content-type': 'application/json' } };
    await exchange(admin, ['DELETE', manifestAt('d/body', 'latest'), sending], ACCEPTED);
    await exchange(admin, ['GET', manifestAt('d/body', 'latest')], MANIFEST_GONE);
  });
});

describe('DELETE where it is switched off', () => {
  const registry = registryFor({ GHOSTDOCK_DELETES: 'off' });

  const refused = (allow: string) => ({ status: 405, code: 'UNSUPPORTED', headers: { allow } }) as const;

  it('is refused for tags, manifests and blobs, with what else the path takes', async () => {
    const { admin }: TestApp = registry();
    const loose: Blob = { digest: digestOf('loose'), bytes: Buffer.from('loose'), mediaType: '' };
    await pushImage(admin, 'd/kept', 'latest', IMAGE);
    await pushBlob(admin, 'd/kept', loose);
    const before = await registry().head();
    await exchange(admin, ['DELETE', manifestAt('d/kept', 'latest')], refused('GET, HEAD, PUT'));
    await exchange(admin, ['DELETE', manifestAt('d/kept', IMAGE.manifest.digest)], refused('GET, HEAD, PUT'));
    await exchange(admin, ['DELETE', blobAt('d/kept', loose.digest)], refused('GET, HEAD'));
    expect(await registry().head()).to.equal(before);
  });

  it('still cancels uploads, which are no content yet', async () => {
    const { headers } = await exchange(registry().admin, ['POST', '/v2/d/kept/blobs/uploads/'], { status: 202 });
    await exchange(registry().admin, ['DELETE', String(headers.location)], { status: 204 });
  });
});
