import { expect } from 'chai';
import { decodeJwt } from 'jose';
import { registryFor } from '../support/app.ts';
import { basic, pushImage, tagsOf } from '../support/http.ts';
import { randomImage } from '../support/images.ts';
import { ADMIN } from '../support/registryProcess.ts';
import { exchange, exchanges, jsonOf } from './exchanges.ts';

const IMAGE = randomImage('modes', { layers: 1 });

describe('a registry with authentication off', () => {
  const registry = registryFor({ GHOSTDOCK_AUTH: 'off' });

  exchanges(registry, [
    {
      it: 'challenges nobody',
      by: ({ anonymous }) => anonymous,
      send: ['GET', '/v2/'],
      gets: { status: 200, headers: { 'www-authenticate': undefined } },
    },
    {
      it: 'gives a token to clients that ask for one all the same',
      by: ({ anonymous }) => anonymous,
      send: ['GET', '/auth?service=x&scope=repository:open/app:pull,push'],
      gets: { status: 200 },
    },
  ]);

  it('lets everyone push, pull, list and delete', async () => {
    const { anonymous } = registry();
    await pushImage(anonymous, 'open/app', 'latest', IMAGE);
    await exchange(anonymous, ['GET', '/v2/open/app/manifests/latest'], { status: 200, bytes: IMAGE.manifest.bytes });
    await exchange(anonymous, ['GET', '/v2/_catalog'], { status: 200, json: { repositories: ['open/app'] } });
    await exchange(anonymous, ['DELETE', '/v2/open/app/manifests/latest'], { status: 202 });
    expect(await tagsOf(anonymous, 'open/app')).to.deep.equal([]);
  });

  it('does not look at credentials, which clients send out of habit', async () => {
    for (const authorization of [basic('whoever', 'whatever'), 'Bearer of-another-registry', 'nonsense'])
      await pushImage(registry().admin.as(authorization), 'open/habit', 'latest', IMAGE);
  });

  it('refuses what is wrong all the same', async () => {
    await exchange(registry().anonymous, ['PUT', '/v2/open/app/manifests/x', { body: 'nonsense' }], { status: 400 });
    await exchange(registry().anonymous, ['GET', '/v2/open/none/tags/list'], { status: 404, code: 'NAME_UNKNOWN' });
  });
});

for (const pull of ['on', 'off'] as const) {
  describe(`a registry with anonymous pull ${pull}`, () => {
    const registry = registryFor({ GHOSTDOCK_ANONYMOUS_PULL: pull });
    const open = pull === 'on';

    before(async () => {
      await registry().createPublic('shared/image');
      for (const name of ['shared/image', 'private/image']) await pushImage(registry().admin, name, 'latest', IMAGE);
    });

    const pulls = (name: string) =>
      [
        `/v2/${name}/manifests/latest`,
        `/v2/${name}/manifests/${IMAGE.manifest.digest}`,
        `/v2/${name}/blobs/${IMAGE.config.digest}`,
        `/v2/${name}/tags/list`,
      ] as const;

    it('still challenges at /v2/, because that makes clients log in', async () => {
      await exchange(registry().anonymous, ['GET', '/v2/'], { status: 401, headers: { 'www-authenticate': /^Bearer realm=/ } });
    });

    it(`${open ? 'gives' : 'refuses'} a token to those without an account`, async () => {
      const { anonymous, admin } = registry();
      const scopes = 'scope=repository:shared/image:pull,push&scope=repository:private/image:pull';
      const answer = await anonymous.send('GET', `/auth?service=x&offline_token=true&${scopes}`);
      expect(answer.status).to.equal(open ? 200 : 401);
      if (!open) return;
      const body = jsonOf(answer);
      expect(body).not.to.have.property('refresh_token');
      expect(decodeJwt(String(body.token)).access, 'pull of what is public, and no more').to.deep.equal([
        { type: 'repository', name: 'shared/image', actions: ['pull'] },
      ]);
      const client = admin.as(`Bearer ${body.token}`);
      await exchange(client, ['GET', '/v2/'], { status: 200 });
      for (const path of pulls('shared/image')) await exchange(client, ['GET', path], { status: 200 });
      for (const path of pulls('private/image')) await exchange(client, ['GET', path], { status: 401 });
      await exchange(client, ['POST', '/v2/shared/image/blobs/uploads/'], { status: 401 });
      await exchange(client, ['GET', `/v2/unknown/image/tags/list`], { status: 401 });
    });

    it(`${open ? 'lets' : 'does not let'} those without a token pull what is public`, async () => {
      for (const path of pulls('shared/image')) await exchange(registry().anonymous, ['GET', path], { status: open ? 200 : 401 });
    });

    it('never lets them pull what is private, push or delete', async () => {
      const { anonymous } = registry();
      const before = await registry().head();
      for (const path of pulls('private/image')) await exchange(anonymous, ['GET', path], { status: 401 });
      await exchange(anonymous, ['POST', '/v2/shared/image/blobs/uploads/'], { status: 401 });
      const { bytes, mediaType } = IMAGE.manifest;
      const push = { body: bytes, headers: { 'content-type': mediaType } };
      await exchange(anonymous, ['PUT', '/v2/shared/image/manifests/x', push], { status: 401 });
      await exchange(anonymous, ['DELETE', '/v2/shared/image/manifests/latest'], { status: 401 });
      expect(await registry().head()).to.equal(before);
    });

    it('lists nothing that is private', async () => {
      const answer = await registry().anonymous.send('GET', '/v2/_catalog');
      expect(answer.status).to.equal(open ? 200 : 401);
      expect(answer.body.toString()).not.to.contain('private/image');
    });

    it('lets every user pull what is public, and no other', async () => {
      const ann = await registry().register('ann');
      for (const path of pulls('shared/image')) await exchange(ann, ['GET', path], { status: 200 });
      for (const path of pulls('private/image')) await exchange(ann, ['GET', path], { status: 403 });
      await exchange(ann, ['POST', '/v2/shared/image/blobs/uploads/'], { status: 403 });
      await exchange(ann, ['POST', `/v2/ann/copy/blobs/uploads/?mount=${IMAGE.config.digest}&from=shared/image`], {
        status: 201,
      });
    });

    it('refuses a wrong password where none would do', async () => {
      const wrong = registry().admin.as(basic(ADMIN, 'wrong'));
      for (const path of pulls('shared/image')) await exchange(wrong, ['GET', path], { status: 401 });
    });
  });
}
