import { expect } from 'chai';
import { access } from '../../../src/projections/accessGroup.ts';
import { auditTrail } from '../../../src/projections/auditTrail.ts';
import { reporting, serving } from '../../../src/projections/groups.ts';
import type { Document, Projection } from '../../../src/projections/projection.ts';
import { LARGEST_PAGE, type Views } from '../../../src/projections/views/views.ts';
import { registryFor } from '../../support/app.ts';
import { basic, type HttpClient, pushImage } from '../../support/http.ts';
import { accessTokenOf } from '../../support/identities.ts';
import { randomImage } from '../../support/images.ts';
import { waitUntil } from '../../support/processes.ts';
import { call, calls, sessionBy } from './calls.ts';

const USERS = '/api/v1/users';
const GOOD = 'blue cars sing loudly';
const IMAGE = randomImage('of somebody who is erased', { layers: 1 });

describe('DELETE /api/v1/users/{id}/personal-data', () => {
  const registry = registryFor();
  const admin = (): HttpClient => registry().admin;
  const erase = (id: unknown) => call(admin(), 'DELETE', `${USERS}/${id}/personal-data`);
  const create = async (username: string, more: object = {}) => {
    const body = { username, password: GOOD, email: `${username}@example.com`, ...more };
    const { status, body: user } = await call(admin(), 'POST', USERS, body);
    expect(status).to.equal(201);
    return { id: Number(user.id), client: admin().as(basic(username, GOOD)) };
  };
  const statusOf = async (client: HttpClient): Promise<number> => (await client.send('GET', '/v2/')).status;

  /** The documents of a view that say something of a text. */
  const naming = async (views: Views, view: Projection, text: string): Promise<readonly Document[]> => {
    // Those of the access log are not waited for at the start.
    const { items } = await waitUntil(`${view.view} can be read`, () => views.find(view, { limit: LARGEST_PAGE }));
    return items.filter((item) => JSON.stringify(item).includes(text)).map(({ value }) => value);
  };

  it('ends the account with its logins and tokens, and takes the person out of every view', async () => {
    const { id, client } = await create('erasable');
    const token = await accessTokenOf(client, { permissions: ['pull'] });
    const session = await sessionBy(admin(), 'erasable', GOOD);
    const clients = [client, session, admin().as(`Bearer ${token.value}`)];
    for (const one of clients) expect(await statusOf(one)).to.equal(200);

    expect((await erase(id)).status).to.equal(204);

    for (const one of clients) expect(await statusOf(one)).to.equal(401);
    expect((await call(admin(), 'GET', `${USERS}/${id}`)).status).to.equal(404);
    const { app, head } = registry();
    const last = await head();
    await waitUntil('the audit shows it', async () => (await app.reporting.checkpoint()) >= last);
    for (const [views, { views: all }] of [
      [app.views, serving],
      [app.reporting, reporting],
      [app.access, access],
    ] as const)
      for (const view of all) expect(await naming(views, view, 'erasable'), view.view).to.deep.equal([]);
  });

  it('stays on record, with the id and without the person', async () => {
    const { id } = await create('recorded');
    await erase(id);
    const { app, head } = registry();
    const last = await head();
    await waitUntil('the audit shows it', async () => (await app.reporting.checkpoint()) >= last);
    const { items } = await app.reporting.find(auditTrail, { where: { resource: `user:${id}` }, limit: 10 });
    expect(items.map(({ value }) => value.action)).to.deep.equal([
      'user.create',
      'user.reserveName',
      'user.delete',
      'user.erase',
    ]);
  });

  it('frees neither the name nor the id', async () => {
    const { id } = await create('once-and-never-again');
    await erase(id);
    for (const username of ['once-and-never-again', 'Once-And-Never-Again']) {
      const { status } = await call(admin(), 'POST', USERS, { username, password: GOOD });
      expect(status).to.equal(username === 'once-and-never-again' ? 409 : 400);
    }
    expect((await create('somebody-new')).id).to.be.greaterThan(id);
  });

  it('erases one who was deleted before, and does nothing more the second time', async () => {
    const { id } = await create('deleted-before');
    expect((await call(admin(), 'DELETE', `${USERS}/${id}`)).status).to.equal(204);
    expect((await erase(id)).status).to.equal(204);
    const before = await registry().head();
    expect((await erase(id)).status).to.equal(204);
    expect(await registry().head()).to.equal(before);
  });

  it('leaves what the person pushed', async () => {
    const { id, client } = await create('pusher');
    await pushImage(client, 'pusher/app', 'v1', IMAGE);
    await erase(id);
    expect((await admin().send('GET', '/v2/pusher/app/manifests/v1')).status).to.equal(200);
  });

  it('keeps what the person owned from being found by the former name', async () => {
    const { id, client } = await create('former-owner');
    const { client: other } = await create('looking-for-owners');
    await pushImage(client, 'former-owner/app', 'v1', IMAGE);
    await call(client, 'PATCH', '/api/v1/repositories/former-owner/app', { visibility: 'public' });
    const total = async (query: string) => (await call(other, 'GET', `/api/v1/repositories?${query}`)).body.total;
    expect(await total('owner=former-owner')).to.equal(1);
    await erase(id);
    expect(await total('owner=former-owner')).to.equal(0);
    expect(await total('prefix=former-owner/'), 'it is still there').to.equal(1);
  });

  calls(registry, [
    {
      it: 'is refused for one who never was',
      send: ['DELETE', `${USERS}/999/personal-data`],
      gets: { status: 404, code: 'NOT_FOUND' },
    },
    {
      it: 'is refused for what is no id',
      send: ['DELETE', `${USERS}/ada/personal-data`],
      gets: { status: 404, code: 'NOT_FOUND' },
    },
    {
      it: 'is refused for the last administrator',
      send: ['DELETE', `${USERS}/1/personal-data`],
      gets: { status: 409, code: 'CONFLICT', field: 'id' },
    },
    { it: 'is the one method of its path', send: ['GET', `${USERS}/1/personal-data`], gets: { status: 405 } },
  ]);
});
