import { expect } from 'chai';
import { registryFor } from '../support/app.ts';
import { type HttpClient, pushBlob } from '../support/http.ts';
import { digestOf, noise } from '../support/images.ts';
import { ADMIN } from '../support/registryProcess.ts';
import { blobOf, expectBlob, expectNoBlob } from './blobSamples.ts';
import { exchange } from './exchanges.ts';

describe('a mount', () => {
  const registry = registryFor();
  const blob = blobOf('mounted');
  const path = (to: string, from?: string, digest = blob.digest): string =>
    `/v2/${to}/blobs/uploads/?mount=${digest}${from === undefined ? '' : `&from=${encodeURIComponent(from)}`}`;
  let ann: HttpClient;
  let bob: HttpClient;

  before(async () => {
    ann = await registry().register('ann');
    bob = await registry().register('bob');
    await pushBlob(ann, 'ann/base', blob);
    await pushBlob(bob, 'bob/base', blobOf('of bob'));
  });

  const expectSession = async (client: HttpClient, path: string): Promise<void> => {
    const { headers } = await exchange(client, ['POST', path], { status: 202, headers: { range: '0-0' } });
    const bytes = noise(10, path);
    await exchange(client, ['PUT', `${headers.location}?digest=${digestOf(bytes)}`, { body: bytes }], { status: 201 });
  };

  it('from a repository that the caller may read sends no bytes', async () => {
    await exchange(ann, ['POST', path('ann/web', 'ann/base')], {
      status: 201,
      headers: { location: `/v2/ann/web/blobs/${blob.digest}`, 'docker-content-digest': blob.digest },
    });
    await expectBlob(ann, 'ann/web', blob);
  });

  it('works across namespaces for those who may read both', async () => {
    await exchange(registry().admin, ['POST', path('team/web', 'ann/base')], { status: 201 });
    await expectBlob(registry().admin, 'team/web', blob);
  });

  it('of what is mounted already changes nothing', async () => {
    const before = await registry().head();
    for (const from of ['ann/base', 'ann/web']) await exchange(ann, ['POST', path('ann/web', from)], { status: 201 });
    expect(await registry().head()).to.equal(before);
  });

  it('from a repository that the caller may not read is an ordinary upload, and shows nothing', async () => {
    await expectSession(bob, path('bob/web', 'ann/base'));
    await expectNoBlob(bob, 'bob/web', blob);
  });

  it('from a repository without that blob is an ordinary upload', async () => {
    await expectSession(bob, path('bob/web', 'bob/base'));
    await expectSession(bob, path('bob/web', 'bob/unknown'));
  });

  it('takes a token that covers both repositories', async () => {
    const scopes = 'repository:ann/mounted:pull,push repository:ann/base:pull';
    await exchange(await registry().withToken('ann', scopes), ['POST', path('ann/mounted', 'ann/base')], { status: 201 });
    const alone = await registry().withToken('ann', 'repository:ann/other:pull,push');
    await expectSession(alone, path('ann/other', 'ann/base'));
    await expectNoBlob(ann, 'ann/other', blob);
  });

  it('into a repository that the caller may not push to is refused', async () => {
    await exchange(bob, ['POST', path('ann/web', 'bob/base')], { status: 403, code: 'DENIED' });
    await exchange(registry().anonymous, ['POST', path('ann/web', 'ann/base')], { status: 401, code: 'UNAUTHORIZED' });
    const token = await registry().withToken(ADMIN, 'repository:ann/base:pull');
    await exchange(token, ['POST', path('ann/web', 'ann/base')], { status: 401, code: 'UNAUTHORIZED' });
  });

  it('of something that is no digest, or from what is no repository, is refused', async () => {
    await exchange(ann, ['POST', path('ann/web', 'ann/base', 'sha256:abc')], { status: 400, code: 'DIGEST_INVALID' });
    await exchange(ann, ['POST', path('ann/web', 'Not/A/Name')], { status: 400, code: 'NAME_INVALID' });
  });

  describe('without a source', () => {
    it('finds one that the caller may read', async () => {
      await exchange(ann, ['POST', path('ann/unsourced')], {
        status: 201,
        headers: { location: `/v2/ann/unsourced/blobs/${blob.digest}` },
      });
      await expectBlob(ann, 'ann/unsourced', blob);
      await exchange(registry().admin, ['POST', path('team/unsourced')], { status: 201 });
    });

    it('finds the one in the namespace of the caller behind many others', async () => {
      const common = blobOf('common');
      const { admin } = registry();
      for (let n = 0; n < 30; n++) await pushBlob(admin, `aaa/app-${n}`, common);
      await pushBlob(bob, 'bob/common', common);
      await exchange(bob, ['POST', path('bob/copy', undefined, common.digest)], { status: 201 });
      await expectBlob(bob, 'bob/copy', common);
    });

    it('is an ordinary upload where the caller may read none, and shows nothing', async () => {
      await expectSession(bob, path('bob/unsourced'));
      await expectNoBlob(bob, 'bob/unsourced', blob);
    });

    it('is an ordinary upload where nobody has the blob any more', async () => {
      const gone = blobOf('gone');
      await pushBlob(ann, 'ann/gone', gone);
      await exchange(ann, ['DELETE', `/v2/ann/gone/blobs/${gone.digest}`], { status: 202 });
      await expectSession(ann, path('ann/nothing', undefined, gone.digest));
    });
  });
});
