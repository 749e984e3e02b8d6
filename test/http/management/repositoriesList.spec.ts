import { expect } from 'chai';
import { SORTS } from '../../../src/http/management/repositoriesOrder.ts';
import { registryFor } from '../../support/app.ts';
import { expectStatus, type HttpClient, pushBlob, pushImage, pushManifest } from '../../support/http.ts';
import { randomImage } from '../../support/images.ts';
import { waitUntil } from '../../support/processes.ts';
import { type Json, jsonOf } from '../exchanges.ts';
import { call, calls } from './calls.ts';

const LIST = '/api/v1/repositories';
const SMALL = randomImage('small', { layers: 1 });
const LARGE = randomImage('large', { layers: 3 });

type Item = Json & Readonly<{ name: string; visibility: string; owner: string | null; size: number; pull_count: number }>;

const itemsOf = (body: Json): readonly Item[] => body.repositories as readonly Item[];
const namesOf = (body: Json): readonly string[] => itemsOf(body).map(({ name }) => name);

describe('"APIs that return lists support pagination": GET /api/v1/repositories', () => {
  const registry = registryFor({ GHOSTDOCK_ANONYMOUS_PULL: 'on' });
  const admin = (): HttpClient => registry().admin;
  /** Who asks, by what they are. */
  let callers: Readonly<Record<string, HttpClient>>;

  const list = async (query = '', client = admin()): Promise<Json> => {
    const { status, body } = await call(client, 'GET', `${LIST}${query === '' ? '' : `?${query}`}`);
    expect(status, JSON.stringify(body)).to.equal(200);
    return body;
  };
  const change = async (client: HttpClient, method: string, path: string, body: object): Promise<void> => {
    const { status } = await call(client, method, path, body);
    expect([200, 201], `${method} ${path}`).to.include(status);
  };

  const NAMES = ['ann/api', 'ann/web-front', 'bob/front', 'shop/cart', 'shop/front_end', 'tools/x.front'];

  before(async () => {
    const ann = await registry().register('ann');
    const bob = await registry().register('bob');
    const eve = await registry().register('eve');
    const auditor = await registry().register('auditor', 'auditor');
    callers = { admin: admin(), auditor, ann, bob, eve, anonymous: registry().anonymous };
    await pushImage(admin(), 'tools/x.front', 'v1', SMALL);
    await pushImage(admin(), 'shop/cart', 'v1', LARGE);
    await pushImage(admin(), 'shop/front_end', 'v1', SMALL);
    await pushImage(ann, 'ann/api', 'v1', LARGE);
    await pushImage(ann, 'ann/web-front', 'v1', SMALL);
    await pushImage(bob, 'bob/front', 'v1', SMALL);
    await pushManifest(admin(), 'tools/x.front', 'v2', SMALL.manifest);
    await pushBlob(ann, 'ann/empty', SMALL.config);
    await change(ann, 'PATCH', `${LIST}/ann/api`, { visibility: 'public' });
    await change(admin(), 'PATCH', `${LIST}/tools/x.front`, { owner: 'bob' });
    await change(admin(), 'POST', '/api/v1/grants', { scope: 'shop/*', user: 'eve', level: 'read' });
    await change(ann, 'POST', `${LIST}/ann/web-front/-/grants`, { user: 'eve', level: 'read' });
    for (let n = 0; n < 3; n += 1) expectStatus('pull', await admin().send('GET', '/v2/shop/cart/manifests/v1'), 200);
    expectStatus('pull', await admin().send('GET', '/v2/bob/front/manifests/v1'), 200);
    await waitUntil('the pulls are counted', async () => {
      const counts = itemsOf(await list('sort=-pulls')).map(({ pull_count: count }) => count);
      return counts[0] === 3 && counts[1] === 1;
    });
  });

  it('"page (int): Page number (default: 1)", "limit (int): Items per page (default: 50, max: 100)"', async () => {
    const all = await list();
    expect(namesOf(all)).to.deep.equal(NAMES);
    expect(all).to.deep.include({ page: 1, limit: 50, total: 6, total_is_exact: true, cursor: null });
    expect(all.pagination).to.deep.equal({ page: 1, limit: 50, total: 6, pages: 1 });
    expect(await list('limit=1000')).to.include({ limit: 100 });
    const second = await list('page=2&limit=4');
    expect(namesOf(second)).to.deep.equal(NAMES.slice(4));
    expect(second.pagination).to.deep.equal({ page: 2, limit: 4, total: 6, pages: 2 });
    expect(namesOf(await list('page=3&limit=4'))).to.deep.equal([]);
  });

  it('each with what its details say, but for the tags', async () => {
    for (const item of itemsOf(await list('sort=-size'))) {
      const { tags: _tags, ...details } = jsonOf(expectStatus('details', await admin().send('GET', `${LIST}/${item.name}`), 200));
      expect(item).to.deep.equal(details);
    }
  });

  const inOrder: readonly (readonly [query: string, names: readonly string[]])[] = [
    ['sort=name', NAMES],
    ['sort=-name', [...NAMES].reverse()],
    ['sort=-updated', ['tools/x.front', 'bob/front', 'ann/web-front', 'ann/api', 'shop/front_end', 'shop/cart']],
    ['sort=updated', ['shop/cart', 'shop/front_end', 'ann/api', 'ann/web-front', 'bob/front', 'tools/x.front']],
    ['sort=created', ['tools/x.front', 'shop/cart', 'shop/front_end', 'ann/api', 'ann/web-front', 'bob/front']],
    ['sort=-created', ['bob/front', 'ann/web-front', 'ann/api', 'shop/front_end', 'shop/cart', 'tools/x.front']],
    ['sort=-size&limit=2', ['shop/cart', 'ann/api']],
    ['sort=-pulls&limit=2', ['shop/cart', 'bob/front']],
    ['sort=pulls&limit=4', ['ann/api', 'ann/web-front', 'shop/front_end', 'tools/x.front']],
    ['q=front', ['ann/web-front', 'bob/front', 'shop/front_end', 'tools/x.front']],
    ['q=FRO', ['ann/web-front', 'bob/front', 'shop/front_end', 'tools/x.front']],
    ['q=web-fr', ['ann/web-front']],
    ['q=shop/', ['shop/cart', 'shop/front_end']],
    ['q=ront', []],
    ['q=front%20end', []],
    ['q=', NAMES],
    ['q=front&sort=-created&limit=2', ['bob/front', 'ann/web-front']],
    ['visibility=public', ['ann/api']],
    ['visibility=private&q=a', ['ann/web-front']],
    ['owner=bob', ['bob/front', 'tools/x.front']],
    ['owner=BOB&prefix=tools/', ['tools/x.front']],
    ['owner=nobody-at-all', []],
    ['prefix=shop/', ['shop/cart', 'shop/front_end']],
    ['prefix=shop/&sort=-name', ['shop/front_end', 'shop/cart']],
    ['prefix=ann', ['ann/api', 'ann/web-front']],
    ['prefix=Shop/', []],
    ['unknown=parameter', NAMES],
  ];
  for (const [query, names] of inOrder)
    it(`${query}: ${names.length === 0 ? 'nothing' : names.join(', ')}`, async () => {
      const found = namesOf(await list(query));
      // What is equally large may stand in either order.
      if (query.startsWith('sort=-size')) expect(found).to.have.members(names);
      else expect(found).to.deep.equal(names);
    });

  it('goes on by its cursor in any order, and ends', async () => {
    for (const sort of SORTS) {
      const whole = namesOf(await list(`sort=${sort}`));
      const found: string[] = [];
      const pages: unknown[] = [];
      let cursor: unknown = '';
      while (cursor !== null) {
        const body = await list(`sort=${sort}&limit=4${cursor === '' ? '' : `&cursor=${cursor}`}`);
        found.push(...namesOf(body));
        pages.push(body.page);
        expect(body.total).to.equal(6);
        cursor = body.cursor;
      }
      expect(found).to.deep.equal(whole);
      expect(pages).to.deep.equal([1, 2]);
    }
  });

  it('shows in no cursor where it goes on', async () => {
    const { cursor } = await list('limit=1&sort=name');
    const text = Buffer.from(String(cursor), 'base64url').toString('latin1');
    expect(text).not.to.contain('ann/api');
  });

  describe('has exactly what the caller may read, under any sort and filter', () => {
    const MAY_READ: Readonly<Record<string, readonly string[]>> = {
      admin: NAMES,
      auditor: NAMES,
      ann: ['ann/api', 'ann/web-front'],
      bob: ['ann/api', 'bob/front', 'tools/x.front'],
      eve: ['ann/api', 'ann/web-front', 'shop/cart', 'shop/front_end'],
      anonymous: ['ann/api'],
    };
    const FILTERS = ['', 'q=front', 'visibility=private', 'visibility=public', 'owner=ann', 'owner=bob', 'prefix=shop/'];
    const all = new Map<string, readonly string[]>();

    before(async () => {
      for (const filter of FILTERS) all.set(filter, namesOf(await list(filter)));
    });

    for (const [caller, readable] of Object.entries(MAY_READ))
      it(`as ${caller}`, async () => {
        // Every filter comes to several sorts: all of them with each other are asked of `findRepositories`.
        for (const [index, sort] of SORTS.entries())
          for (const filter of ['', FILTERS[1 + (index % (FILTERS.length - 1))] ?? '']) {
            const body = await list(`sort=${sort}&${filter}`, callers[caller]);
            const wanted = (all.get(filter) ?? []).filter((name) => readable.includes(name));
            expect(namesOf(body), `${sort} ${filter}`).to.have.members(wanted);
            expect(body, 'and counts nothing else').to.include({ total: wanted.length, total_is_exact: true });
          }
      });

    it('also in the moment after it was made private', async () => {
      for (let round = 0; round < 5; round += 1) {
        await change(admin(), 'PATCH', `${LIST}/bob/front`, { visibility: 'public' });
        expect(namesOf(await list('sort=-updated', callers.eve))).to.include('bob/front');
        await change(admin(), 'PATCH', `${LIST}/bob/front`, { visibility: 'private' });
        expect(namesOf(await list('sort=-updated', callers.eve))).not.to.include('bob/front');
      }
    });
  });

  const wrong: readonly (readonly [query: string, field: string])[] = [
    ['sort=stars', 'sort'],
    ['sort=Name', 'sort'],
    ['sort=', 'sort'],
    ['sort=name&sort=size', 'sort'],
    ['visibility=internal', 'visibility'],
    ['page=0', 'page'],
    ['page=-1', 'page'],
    ['page=two', 'page'],
    ['page=1.5', 'page'],
    ['page=10001', 'page'],
    ['page=201', 'page'],
    ['sort=-size&q=a&limit=100&page=101', 'page'],
    ['limit=many', 'limit'],
    ['cursor=none', 'cursor'],
    ['cursor=', 'cursor'],
    ['page=2&cursor=none', 'page'],
    [`q=${'a'.repeat(256)}`, 'q'],
    [`prefix=${'a'.repeat(256)}`, 'prefix'],
    [`owner=${'a'.repeat(256)}`, 'owner'],
    [`cursor=${'a'.repeat(2001)}`, 'cursor'],
    ['q=a&q=b', 'q'],
  ];
  calls(
    registry,
    wrong.map(([query, field]) => ({
      it: `"INVALID_REQUEST", 400: ${query.length > 50 ? `${query.slice(0, 10)}… of ${query.length} characters` : query}`,
      send: ['GET', `${LIST}?${query}`] as const,
      gets: { status: 400, code: 'INVALID_REQUEST', field },
    })),
  );

  it('"INVALID_REQUEST", 400: the cursor of another list', async () => {
    const { cursor } = await list('limit=1&sort=-size');
    for (const query of ['sort=size', 'sort=-size&q=front', 'sort=-size&visibility=private']) {
      const { status, error } = await call(admin(), 'GET', `${LIST}?${query}&cursor=${cursor}`);
      expect(status, query).to.equal(400);
      expect(error.details).to.deep.equal({ field: 'cursor' });
    }
    expect((await list(`sort=-size&limit=2&cursor=${cursor}`)).page, 'with another limit it goes on').to.equal(2);
  });
});
