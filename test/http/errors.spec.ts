import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { registryFor } from '../support/app.ts';
import { pushBlob, pushImage, pushManifest } from '../support/http.ts';
import { digestOf, randomImage } from '../support/images.ts';
import { errorsOf, exchange, jsonOf } from './exchanges.ts';

const IMAGE = randomImage('errors');

describe('an error of /v2', () => {
  const registry = registryFor();

  it('is OCI’s, with the management API’s beside it', async () => {
    const answer = await exchange(registry().admin, ['GET', '/v2/e/none/tags/list'], { status: 404 });
    expect(jsonOf(answer)).to.deep.equal({
      errors: [{ code: 'NAME_UNKNOWN', message: 'Repository e/none not found', detail: { name: 'e/none' } }],
      error: { code: 'REPOSITORY_NOT_FOUND', message: 'Repository e/none not found', details: { repository: 'e/none' } },
    });
  });

  it('quotes what the client sent only in part', async () => {
    const long = 'x'.repeat(10_000);
    for (const path of [
      `/v2/${long}/tags/list`,
      `/v2/a/blobs/${long}`,
      `/v2/a/manifests/a:${long}`,
      `/v2/_catalog?n=${long}`,
      `/v2/a/${long}`,
    ]) {
      const answer = await registry().admin.send('GET', path);
      expect(answer.body.length, path.slice(0, 20)).to.be.below(1500);
    }
  });

  it('never lets a browser take its text for a page', async () => {
    const answer = await registry().admin.send('GET', '/v2/<script>alert(1)</script>/tags/list');
    expect(answer.headers['content-type']).to.equal('application/json; charset=utf-8');
  });
});

describe('a failure of the registry', () => {
  const registry = registryFor();

  /** Loses bytes behind the registry’s back. */
  const lose = (digest: string): void => {
    const [algorithm = '', hex = ''] = digest.split(':');
    const folder = join(registry().dataDir, 'blobs', algorithm, hex.slice(0, 2));
    expect(readdirSync(folder)).to.contain(hex);
    rmSync(join(folder, hex));
  };

  const expectFailure = async (path: string): Promise<void> => {
    const answer = await exchange(registry().admin, ['GET', path], {
      status: 500,
      code: 'UNKNOWN',
      headers: { etag: undefined, 'cache-control': undefined },
    });
    const [error] = errorsOf(answer);
    expect(Object.keys(error?.detail ?? {})).to.deep.equal(['requestId']);
    expect(answer.body.toString(), 'no path of ours').not.to.contain(registry().dataDir);
    const logged = registry().takeFailures();
    expect(logged).to.have.length(1);
    expect(logged[0], 'the log has the request’s id and the cause').to.contain(error?.detail.requestId).and.contain('missing');
  };

  it('shows a request id, and the log has the cause under it: a blob that is lost', async () => {
    await pushImage(registry().admin, 'e/app', 'latest', IMAGE);
    lose(IMAGE.config.digest);
    await expectFailure(`/v2/e/app/blobs/${IMAGE.config.digest}`);
  });

  it('and a manifest that is lost', async () => {
    await pushManifest(registry().admin, 'e/app', 'latest', IMAGE.manifest);
    lose(IMAGE.manifest.digest);
    await expectFailure('/v2/e/app/manifests/latest');
  });

  it('is mended by pushing again, though the registry holds the blob for there', async () => {
    const blob = { digest: digestOf('mended'), bytes: Buffer.from('mended'), mediaType: '' };
    await pushBlob(registry().admin, 'e/app', blob);
    lose(blob.digest);
    await pushBlob(registry().admin, 'e/app', blob);
    await exchange(registry().admin, ['GET', `/v2/e/app/blobs/${blob.digest}`], { status: 200, bytes: blob.bytes });
    await pushManifest(registry().admin, 'e/app', 'latest', IMAGE.manifest);
    await exchange(registry().admin, ['GET', '/v2/e/app/manifests/latest'], { status: 200, bytes: IMAGE.manifest.bytes });
  });

  it('of a mount’s source is an ordinary upload', async () => {
    const blob = { digest: digestOf('mounted'), bytes: Buffer.from('mounted'), mediaType: '' };
    await pushBlob(registry().admin, 'e/app', blob);
    lose(blob.digest);
    await exchange(registry().admin, ['POST', `/v2/e/copy/blobs/uploads/?mount=${blob.digest}&from=e/app`], { status: 202 });
  });
});

describe('a write that nobody may make', () => {
  const registry = registryFor();
  const { bytes, mediaType, digest } = IMAGE.manifest;

  it('changes nothing, whatever it is and whoever sends it', async () => {
    const { admin, anonymous, app } = registry();
    await pushImage(admin, 'e/app', 'latest', IMAGE);
    const stranger = await registry().register('stranger');
    const before = await registry().head();
    const blob = Buffer.from('new');
    const writes = [
      ['POST', '/v2/e/app/blobs/uploads/'],
      ['POST', `/v2/e/new/blobs/uploads/?digest=${digestOf(blob)}`, { body: blob }],
      ['POST', `/v2/e/new/blobs/uploads/?mount=${IMAGE.config.digest}&from=e/app`],
      ['PUT', '/v2/e/app/manifests/new', { body: bytes, headers: { 'content-type': mediaType } }],
      ['PUT', '/v2/e/new/manifests/new', { body: bytes, headers: { 'content-type': mediaType } }],
      ['DELETE', '/v2/e/app/manifests/latest'],
      ['DELETE', `/v2/e/app/manifests/${digest}`],
      ['DELETE', `/v2/e/app/blobs/${IMAGE.config.digest}`],
    ] as const;
    const wrong = admin.as('Bearer wrong');
    for (const [client, status] of [
      [anonymous, 401],
      [wrong, 401],
      [stranger, 403],
    ] as const)
      for (const write of writes) await exchange(client, write, { status });
    expect(await registry().head()).to.equal(before);
    expect(await app.blobs.stat(digestOf(blob) as never)).to.equal(undefined);
    const sessions: string[] = [];
    for await (const { id } of app.blobs.uploads.list()) sessions.push(id);
    expect(sessions).to.deep.equal([]);
  });
});
