import { expect } from 'chai';
import { registryFor } from '../../support/app.ts';
import { basic, type HttpClient, pushBlob, pushImage } from '../../support/http.ts';
import { accessTokenOf, robotBy } from '../../support/identities.ts';
import { digestOf, noise, randomImage } from '../../support/images.ts';
import { PASSWORD } from '../../support/registryProcess.ts';
import { exchange, type Json } from '../exchanges.ts';
import { call, calls } from './calls.ts';

const IMAGE = randomImage('grants', { layers: 1 });
const at = (name: string): string => `/api/v1/repositories/${name}`;
const grantsOn = (name: string): string => `${at(name)}/-/grants`;

describe('repositories', () => {
  const registry = registryFor();
  const admin = (): HttpClient => registry().admin;
  let ann: HttpClient;
  let bob: HttpClient;

  const expectStatus = async (
    status: number,
    client: HttpClient,
    method: string,
    path: string,
    body?: unknown,
  ): Promise<Json> => {
    const answer = await call(client, method, path, body);
    expect(answer.status, `${method} ${path}: ${JSON.stringify(answer.body)}`).to.equal(status);
    return answer.body;
  };
  const pulls = async (client: HttpClient, name: string): Promise<number> =>
    (await client.send('GET', `/v2/${name}/manifests/v1`)).status;
  const begins = async (client: HttpClient, name: string): Promise<number> =>
    (await client.send('POST', `/v2/${name}/blobs/uploads/`)).status;
  const listed = async (client: HttpClient): Promise<unknown> =>
    JSON.parse((await client.send('GET', '/v2/_catalog')).body.toString()).repositories;

  before(async () => {
    ann = await registry().register('ann');
    bob = await registry().register('bob');
    await registry().register('eve');
    await pushImage(ann, 'ann/app', 'v1', IMAGE);
    await pushImage(ann, 'ann/shared', 'v1', IMAGE);
    await expectStatus(201, admin(), 'POST', '/api/v1/teams', { name: 'devs' });
  });

  describe('are described', () => {
    it('with what is known of them', async () => {
      const { created_at: created, updated_at: updated, ...rest } = await expectStatus(200, ann, 'GET', at('ann/app'));
      expect(rest).to.include({
        ...{ name: 'ann/app', description: '', visibility: 'private', owner: 'ann', manifest_count: 1, tag_count: 1 },
      });
      expect([created, updated]).to.satisfy((times: readonly string[]) => times.every((time) => /^\d{4}-.*Z$/.test(time)));
    });

    it('by those who own them, as far as is given, by PUT as by PATCH', async () => {
      const put = await expectStatus(200, ann, 'PUT', at('ann/app'), { description: 'An app.' });
      expect(put).to.include({ description: 'An app.', visibility: 'private' });
      const patched = await expectStatus(200, ann, 'PATCH', at('ann/app'), { visibility: 'public' });
      expect(patched).to.include({ description: 'An app.', visibility: 'public' });
      expect(await pulls(bob, 'ann/app')).to.equal(200);
      const before = await registry().head();
      await expectStatus(200, ann, 'PUT', at('ann/app'), { visibility: 'public' });
      expect(await registry().head(), 'no change').to.equal(before);
      await expectStatus(200, ann, 'PATCH', at('ann/app'), { visibility: 'private', description: '' });
      expect(await pulls(bob, 'ann/app')).to.equal(403);
    });

    const refused: readonly (readonly [what: string, body: object, field: string])[] = [
      ['a visibility that there is not', { visibility: 'internal' }, 'visibility'],
      ['a description that is too long', { description: 'x'.repeat(10_001) }, 'description'],
      ['a field that there is not', { name: 'ann/other' }, 'name'],
    ];
    calls(
      registry,
      refused.map(([what, body, field]) => ({
        it: `not with ${what}`,
        by: () => ann,
        send: ['PATCH', at('ann/app'), body],
        gets: { status: 400, code: 'INVALID_REQUEST', field },
      })),
    );

    it('not where there are none, and nobody is told which of both it is', async () => {
      await expectStatus(404, ann, 'GET', at('ann/none'));
      await expectStatus(404, ann, 'PATCH', at('ann/none'), { visibility: 'public' });
      for (const name of ['ann/app', 'ann/none']) {
        await expectStatus(403, bob, 'GET', at(name));
        await expectStatus(403, bob, 'PATCH', at(name), { visibility: 'public' });
        await expectStatus(403, bob, 'DELETE', at(name));
        await expectStatus(403, bob, 'POST', grantsOn(name), { user: 'bob', level: 'admin' });
      }
    });
  });

  describe('belong to who pushes first', () => {
    it('in his own namespace, and as much to who is given them', async () => {
      await pushImage(ann, 'ann/gift', 'v1', IMAGE);
      await expectStatus(404, ann, 'PATCH', at('ann/gift'), { owner: 'nobody-else' });
      expect(await expectStatus(200, ann, 'PATCH', at('ann/gift'), { owner: 'bob' })).to.include({ owner: 'bob' });
      expect(await pulls(bob, 'ann/gift')).to.equal(200);
      expect(await listed(bob)).to.deep.equal(['ann/gift']);
      await expectStatus(200, bob, 'PATCH', at('ann/gift'), { owner: 'ann' });
      expect(await pulls(bob, 'ann/gift')).to.equal(403);
      expect(await listed(bob)).to.deep.equal([]);
    });

    it('under a prefix that he may write to, and nowhere else', async () => {
      for (const client of [ann, bob]) expect(await begins(client, 'shop/app')).to.equal(403);
      const { id } = await expectStatus(201, admin(), 'POST', '/api/v1/grants', { scope: 'shop/*', user: 'ann', level: 'write' });
      await expectStatus(201, admin(), 'POST', '/api/v1/grants', { scope: 'shop/*', user: 'bob', level: 'read' });
      await pushImage(ann, 'shop/app', 'v1', IMAGE);
      expect(await expectStatus(200, ann, 'GET', at('shop/app'))).to.include({ owner: 'ann' });
      expect(await pulls(bob, 'shop/app')).to.equal(200);
      for (const name of ['shop/app', 'shop/new', 'shop', 'shopping/app']) expect(await begins(bob, name), name).to.equal(403);
      await expectStatus(204, admin(), 'DELETE', `/api/v1/grants/${id}`);
      expect(await begins(ann, 'shop/other')).to.equal(403);
      expect(await begins(ann, 'shop/app'), 'her own').to.equal(202);
    });

    it('unless that is a robot: what it pushes under a prefix is nobody’s, and not its to delete', async () => {
      const userId = await robotBy(admin(), 'ci');
      await expectStatus(201, admin(), 'POST', '/api/v1/grants', { scope: 'built/*', user: 'ci', level: 'write' });
      const { value } = await accessTokenOf(admin(), { permissions: ['pull', 'push', 'delete'], user_id: userId });
      const ci = admin().as(basic('ci', value));
      await pushImage(ci, 'built/app', 'v1', IMAGE);
      expect(await expectStatus(200, ci, 'GET', at('built/app'))).to.include({ owner: null });
      await exchange(ci, ['DELETE', '/v2/built/app/manifests/v1'], { status: 403 });
    });
  });

  describe('are granted', () => {
    it('to users and teams by those who administer them, and listed with whom', async () => {
      const { created_at: _at, ...granted } = await expectStatus(201, ann, 'POST', grantsOn('ann/shared'), {
        ...{ user: 'bob', level: 'read' },
      });
      expect(granted).to.deep.include({ scope: 'ann/shared', level: 'read', user: 'bob', user_id: 3, team: null, team_id: null });
      expect(await pulls(bob, 'ann/shared')).to.equal(200);
      expect(await begins(bob, 'ann/shared')).to.equal(403);
      expect(await listed(bob)).to.include('ann/shared');
      await expectStatus(201, ann, 'POST', grantsOn('ann/shared'), { team: 'devs', level: 'admin' });
      const { grants, total } = await expectStatus(200, ann, 'GET', grantsOn('ann/shared'));
      expect(total).to.equal(2);
      expect((grants as Json[]).map(({ user, team, level }) => [user, team, level])).to.deep.equal([
        ['bob', null, 'read'],
        [null, 'devs', 'admin'],
      ]);
    });

    it('once each: another level takes the place of the last, and the same is no change', async () => {
      await expectStatus(201, ann, 'POST', grantsOn('ann/shared'), { user: 'bob', level: 'write' });
      expect(await begins(bob, 'ann/shared')).to.equal(202);
      const before = await registry().head();
      const { id } = await expectStatus(200, ann, 'POST', grantsOn('ann/shared'), { user: 'bob', level: 'write' });
      expect(await registry().head()).to.equal(before);
      expect((await expectStatus(200, ann, 'GET', grantsOn('ann/shared'))).total).to.equal(2);
      await expectStatus(204, ann, 'DELETE', `${grantsOn('ann/shared')}/${id}`);
      expect(await pulls(bob, 'ann/shared')).to.equal(403);
      expect(await listed(bob)).not.to.include('ann/shared');
      await expectStatus(404, ann, 'DELETE', `${grantsOn('ann/shared')}/${id}`);
    });

    it('to a team for as long as it is there, and to users for as long as they are in it', async () => {
      const { id } = await expectStatus(201, admin(), 'POST', '/api/v1/teams', { name: 'guests' });
      await expectStatus(201, ann, 'POST', grantsOn('ann/shared'), { team: 'guests', level: 'read' });
      expect(await pulls(bob, 'ann/shared')).to.equal(403);
      await expectStatus(201, admin(), 'POST', `/api/v1/teams/${id}/members`, { user: 'bob' });
      await expectStatus(200, admin(), 'POST', `/api/v1/teams/${id}/members`, { user: 'bob' });
      expect(await pulls(bob, 'ann/shared')).to.equal(200);
      expect((await expectStatus(200, admin(), 'GET', `/api/v1/teams/${id}/members`)).members).to.deep.equal([
        { id: 3, username: 'bob' },
      ]);
      await expectStatus(204, admin(), 'DELETE', `/api/v1/teams/${id}/members/3`);
      expect(await pulls(bob, 'ann/shared')).to.equal(403);
      await expectStatus(201, admin(), 'POST', `/api/v1/teams/${id}/members`, { user: 'bob' });
      expect(await pulls(bob, 'ann/shared')).to.equal(200);
      await expectStatus(204, admin(), 'DELETE', `/api/v1/teams/${id}`);
      expect(await pulls(bob, 'ann/shared')).to.equal(403);
      await expectStatus(404, admin(), 'GET', `/api/v1/teams/${id}`);
      await expectStatus(201, admin(), 'POST', '/api/v1/teams', { name: 'guests' });
      expect(await pulls(bob, 'ann/shared'), 'another team of that name').to.equal(403);
    });

    it('for one life: who pushes to the name of what was deleted has granted nothing', async () => {
      await pushImage(ann, 'ann/twice', 'v1', IMAGE);
      await expectStatus(201, ann, 'POST', grantsOn('ann/twice'), { user: 'bob', level: 'admin' });
      expect(await pulls(bob, 'ann/twice')).to.equal(200);
      await expectStatus(204, ann, 'DELETE', at('ann/twice'));
      expect(await pulls(bob, 'ann/twice'), 'gone').to.equal(403);
      expect(await begins(bob, 'ann/twice'), 'not his to begin').to.equal(403);
      await pushImage(ann, 'ann/twice', 'v1', IMAGE);
      expect(await pulls(bob, 'ann/twice'), 'another').to.equal(403);
      expect((await expectStatus(200, ann, 'GET', grantsOn('ann/twice'))).grants).to.deep.equal([]);
      expect(await listed(bob)).not.to.include('ann/twice');
    });

    it('as sources of mounts, by name and without one', async () => {
      const blob = { digest: digestOf(noise(99, 'mounted')), bytes: noise(99, 'mounted'), mediaType: '' };
      await pushBlob(ann, 'ann/source', blob);
      const mount = async (to: string, from: string): Promise<number> =>
        (await bob.send('POST', `/v2/bob/${to}/blobs/uploads/?mount=${blob.digest}${from}`)).status;
      for (const from of ['', '&from=ann/source']) expect(await mount('one', from)).to.equal(202);
      const { id } = await expectStatus(201, ann, 'POST', grantsOn('ann/source'), { user: 'bob', level: 'read' });
      expect(await mount('two', '&from=ann/source')).to.equal(201);
      expect(await mount('three', '')).to.equal(201);
      await expectStatus(204, ann, 'DELETE', `${grantsOn('ann/source')}/${id}`);
      expect(await mount('four', '&from=ann/source')).to.equal(202);
    });

    const refusals: readonly (readonly [what: string, path: string, body: object, status: number, field?: string])[] = [
      ['to nobody', grantsOn('ann/shared'), { level: 'read' }, 400, 'user'],
      ['to a user and a team at once', grantsOn('ann/shared'), { user: 'bob', team: 'devs', level: 'read' }, 400, 'user'],
      ['to a user that there is not', grantsOn('ann/shared'), { user: 'nobody-here', level: 'read' }, 404, 'user'],
      ['to a team that there is not', grantsOn('ann/shared'), { team: 'none', level: 'read' }, 404, 'team'],
      ['at a level that there is not', grantsOn('ann/shared'), { user: 'bob', level: 'owner' }, 400, 'level'],
      ['where there is none', grantsOn('ann/none'), { user: 'bob', level: 'read' }, 404],
      ['by their names as prefixes', '/api/v1/grants', { scope: 'ann/shared', user: 'bob', level: 'read' }, 400, 'scope'],
      ['all at once', '/api/v1/grants', { scope: '*', user: 'bob', level: 'read' }, 400, 'scope'],
    ];
    calls(
      registry,
      refusals.map(([what, path, body, status, field]) => ({
        it: `not ${what}`,
        send: ['POST', path, body],
        gets: { status, ...(field !== undefined && { field }) },
      })),
    );

    it('by administrators of the registry under prefixes, which they list and revoke', async () => {
      await expectStatus(403, ann, 'POST', '/api/v1/grants', { scope: 'ann/*', user: 'bob', level: 'read' });
      const { id } = await expectStatus(201, admin(), 'POST', '/api/v1/grants', { scope: 'ann/*', user: 'bob', level: 'read' });
      const { grants } = await expectStatus(200, admin(), 'GET', '/api/v1/grants?limit=100');
      expect((grants as Json[]).map((grant) => grant.id)).to.include(id);
      expect((grants as Json[]).filter(({ scope }) => !String(scope).endsWith('/*'))).to.deep.equal([]);
      await expectStatus(404, ann, 'DELETE', `${grantsOn('ann/shared')}/${id}`);
      await expectStatus(204, admin(), 'DELETE', `/api/v1/grants/${id}`);
    });
  });

  it('are answered to those who may not see them as what there is not, to the last header', async () => {
    const eve = admin().as(basic('eve', PASSWORD));
    for (const [method, path] of [
      ['GET', '/v2/NAME/manifests/v1'],
      ['HEAD', '/v2/NAME/manifests/v1'],
      ['GET', '/v2/NAME/tags/list'],
      ['POST', '/v2/NAME/blobs/uploads/'],
      ['DELETE', '/v2/NAME'],
      ['GET', '/api/v1/repositories/NAME'],
      ['GET', '/api/v1/repositories/NAME/-/grants'],
    ] as const)
      for (const client of [eve, registry().anonymous]) {
        const [there, missing] = await Promise.all(
          ['ann/shared', 'ann/missed'].map((name) => client.send(method, path.replace('NAME', name))),
        );
        const shown = (answer: typeof there): string => {
          const { date: _date, ...headers } = answer?.headers ?? {};
          return JSON.stringify({ ...answer, headers, body: answer?.body.toString() }).replaceAll('ann/shared', 'ann/missed');
        };
        expect(shown(there), `${method} ${path}`).to.equal(shown(missing));
      }
  });
});
