import { rmSync } from 'node:fs';
import { expect } from 'chai';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { isRefusal, RegistryError } from '../../src/errors.ts';
import type { HttpDeps } from '../../src/http/deps.ts';
import { mounting } from '../../src/http/oci/mounts.ts';
import { parseDigest } from '../../src/oci/digest.ts';
import { registryFor } from '../support/app.ts';
import { type HttpClient, pushBlob } from '../support/http.ts';
import { digestOf, noise } from '../support/images.ts';
import { ADMIN } from '../support/registryProcess.ts';
import { unhandledIn } from '../support/unhandled.ts';
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

  it('from the repository itself is done where it has the blob, and an ordinary upload where it does not', async () => {
    const before = await registry().head();
    await exchange(ann, ['POST', path('ann/base', 'ann/base')], { status: 201 });
    expect(await registry().head()).to.equal(before);
    const unknown = digestOf('of nobody');
    await expectSession(ann, path('ann/base', 'ann/base', unknown));
    await expectSession(ann, path('ann/itself', 'ann/itself'));
  });

  it('of a blob that the source gives up at this moment is one or the other, and the bytes are whole', async () => {
    for (let round = 0; round < 15; round += 1) {
      const given = blobOf(`given up ${round}`);
      const target = `ann/moved-${round}`;
      await pushBlob(ann, 'ann/giver', given);
      const [mounted, deleted] = await Promise.all([
        ann.send('POST', path(target, 'ann/giver', given.digest)),
        ann.send('DELETE', `/v2/ann/giver/blobs/${given.digest}`),
      ]);
      expect(deleted.status).to.equal(202);
      expect(mounted.status).to.be.oneOf([201, 202]);
      await expectNoBlob(ann, 'ann/giver', given);
      if (mounted.status === 201) await expectBlob(ann, target, given);
      else await expectNoBlob(ann, target, given);
    }
  });

  it('of a blob whose bytes are gone is an ordinary upload, which brings them again', async () => {
    const lost = blobOf('lost');
    await pushBlob(ann, 'ann/loser', lost);
    const [algorithm = '', hex = ''] = lost.digest.split(':');
    rmSync(`${registry().dataDir}/blobs/${algorithm}/${hex.slice(0, 2)}/${hex}`);
    const { headers } = await exchange(ann, ['POST', path('ann/finder', 'ann/loser', lost.digest)], { status: 202 });
    await exchange(ann, ['PUT', `${headers.location}?digest=${lost.digest}`, { body: lost.bytes }], { status: 201 });
    for (const repository of ['ann/finder', 'ann/loser']) await expectBlob(ann, repository, lost);
  });

  it('with an algorithm falls back to a session of that algorithm, and refuses one that is not known', async () => {
    const bytes = noise(3000, 'sha512 not mounted');
    const digest = digestOf(bytes, 'sha512');
    for (const query of ['', '&digest-algorithm=sha512', '&digest-algorithm=sha256']) {
      const { headers } = await exchange(ann, ['POST', `${path('ann/fallback', 'ann/base', digest)}${query}`], { status: 202 });
      await exchange(ann, ['PATCH', String(headers.location), { body: bytes }], { status: 202 });
      await exchange(ann, ['PUT', `${headers.location}?digest=${digest}`], { status: 201 });
      await exchange(ann, ['DELETE', `/v2/ann/fallback/blobs/${digest}`], { status: 202 });
    }
    const unknown = `${path('ann/fallback', 'ann/base')}&digest-algorithm=md5`;
    await exchange(ann, ['POST', unknown], { status: 400, code: 'DIGEST_INVALID' });
    const pushed = { bytes, digest, mediaType: '' };
    await pushBlob(ann, 'ann/base', pushed);
    await exchange(ann, ['POST', `${path('ann/fallback', 'ann/base', digest)}&digest-algorithm=sha256`], { status: 201 });
    await expectBlob(ann, 'ann/fallback', pushed);
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
  });

  // What a client fetches who is challenged for the target alone; told so, it comes back with a token for both.
  it('asks a token for the target alone to come back with one for both, named or not, where the caller may read the source', async () => {
    const alone = await registry().withToken('ann', 'repository:ann/other:pull,push');
    const both = 'repository:ann/other:pull,push repository:ann/base:pull';
    for (const asked of [path('ann/other', 'ann/base'), `/v2/ann/other/blobs/uploads/?mount=${blob.digest}`]) {
      const { headers } = await exchange(alone, ['POST', asked], { status: 401, code: 'UNAUTHORIZED' });
      expect(headers['www-authenticate']).to.contain(`scope="${both}"`);
      await expectNoBlob(ann, 'ann/other', blob);
    }
    const bobs = await registry().withToken('bob', 'repository:bob/other:pull,push');
    await expectSession(bobs, path('bob/other', 'ann/base'));
    await exchange(await registry().withToken('ann', both), ['POST', path('ann/other', 'ann/base')], { status: 201 });
  });

  it('into a repository that the caller may not push to is refused', async () => {
    await exchange(bob, ['POST', path('ann/web', 'bob/base')], { status: 403, code: 'DENIED' });
    await exchange(registry().anonymous, ['POST', path('ann/web', 'ann/base')], { status: 401, code: 'UNAUTHORIZED' });
    const token = await registry().withToken(ADMIN, 'repository:ann/base:pull');
    await exchange(token, ['POST', path('ann/web', 'ann/base')], { status: 401, code: 'UNAUTHORIZED' });
  });

  it('of something that is no digest, or from what is no repository, is refused', async () => {
    await exchange(ann, ['POST', path('ann/web', 'ann/base', 'sha256:abc')], { status: 400, code: 'DIGEST_INVALID' });
    for (const digest of [
      '',
      'latest',
      `sha512:${'a'.repeat(64)}`,
      `md5:${'a'.repeat(32)}`,
      `${blob.digest}&mount=${blob.digest}`,
    ])
      await exchange(ann, ['POST', path('ann/web', 'ann/base', digest)], { status: 400, code: 'DIGEST_INVALID' });
    for (const name of ['Not/A/Name', '../base', 'ann/base/', '/ann/base', 'x'.repeat(256)])
      await exchange(ann, ['POST', path('ann/web', name)], { status: 400, code: 'NAME_INVALID' });
    const twice = `${path('ann/web', 'ann/base')}&from=ann/base`;
    await exchange(ann, ['POST', twice], { status: 400, code: 'NAME_INVALID' });
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

    it('is one with an empty source, too', async () => {
      await exchange(ann, ['POST', path('ann/empty-source', '')], { status: 201 });
      await expectBlob(ann, 'ann/empty-source', blob);
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

  it('without a source is refused while the views are away, and leaves no failure behind that nobody waits for', async () => {
    const away = () => Promise.reject(new RegistryError('UNAVAILABLE', 'The views are away.'));
    const views = { get: async () => undefined, getAtOnce: () => undefined, getMany: away, find: away };
    const caller = { kind: 'user', userId: 1, username: 'ann', role: 'user', securityVersion: 1 };
    const mount = mounting({ views } as unknown as HttpDeps);
    const failures = await unhandledIn(async () => {
      const refused = mount({ caller } as FastifyRequest, {} as FastifyReply, 'ann/app', parseDigest(blob.digest), undefined);
      expect(isRefusal(await refused.catch((error: unknown) => error), 'UNAVAILABLE')).to.equal(true);
    });
    expect(failures).to.deep.equal([]);
  });
});
