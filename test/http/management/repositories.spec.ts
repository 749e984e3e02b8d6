import { expect } from 'chai';
import { registryFor } from '../../support/app.ts';
import { whileAway } from '../../support/away.ts';
import { expectStatus, type HttpClient, pushBlob, pushImage, pushManifest } from '../../support/http.ts';
import { indexOf, randomImage } from '../../support/images.ts';
import { waitUntil } from '../../support/processes.ts';
import { type Json, jsonOf } from '../exchanges.ts';
import { call, calls } from './calls.ts';

const IMAGE = randomImage('documented', { layers: 2 });
const OTHER = randomImage('another documented', { layers: 1 });
const MULTI = indexOf([IMAGE, OTHER]);
const at = (name: string): string => `/api/v1/repositories/${name}`;

type Sized = Readonly<{ bytes: Uint8Array }>;
const bytesOf = (...all: readonly Sized[]): number => all.reduce((sum, { bytes }) => sum + bytes.length, 0);
const sizeOf = ({ config, layers }: typeof IMAGE): number => bytesOf(config, ...layers);

/** The fields of the documented sample, in its order. */
const DOCUMENTED = [
  ...['name', 'description', 'visibility', 'owner', 'created_at', 'updated_at', 'size', 'pull_count', 'tags'],
] as const;
const SECONDS = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;

describe('the documented management of repositories', () => {
  const registry = registryFor();
  const admin = (): HttpClient => registry().admin;
  let ada: HttpClient;

  const get = async (path: string, client = ada): Promise<Json> => {
    const { status, body } = await call(client, 'GET', path);
    expect(status, JSON.stringify(body)).to.equal(200);
    return body;
  };

  before(async () => {
    ada = await registry().register('ada');
    await pushImage(ada, 'ada/frontend', 'latest', IMAGE);
    await pushImage(ada, 'ada/frontend', 'v1.0.0', OTHER);
    await pushManifest(ada, 'ada/frontend', 'v1.1.0', MULTI.manifest);
  });

  describe('"GET /api/v1/repositories/{repository}"', () => {
    it('answers with the fields of the sample, and the numbers of manifests and tags', async () => {
      const body = await get(at('ada/frontend'));
      expect(Object.keys(body).filter((field) => !field.endsWith('_count') || field === 'pull_count')).to.deep.equal(DOCUMENTED);
      expect(body).to.include({ name: 'ada/frontend', description: '', visibility: 'private', owner: 'ada' });
      expect(body).to.include({ manifest_count: 3, tag_count: 3 });
      expect(body.created_at).to.match(SECONDS);
      expect(body.updated_at).to.match(SECONDS);
    });

    it('"size": the bytes of its blobs and manifests, each once', async () => {
      const content = sizeOf(IMAGE) + sizeOf(OTHER) + bytesOf(IMAGE.manifest, OTHER.manifest, MULTI.manifest);
      expect(await get(at('ada/frontend'))).to.include({ size: content });
      await pushImage(ada, 'ada/frontend', 'again', IMAGE);
      expect(await get(at('ada/frontend'))).to.include({ size: content, tag_count: 4 });
      expectStatus('untag', await ada.send('DELETE', '/v2/ada/frontend/manifests/again'), 202);
    });

    it('"tags": by name, each with "name", "digest", "size" and "created_at"', async () => {
      const { tags } = await get(at('ada/frontend'));
      const shown = (tags as readonly Json[]).map(({ created_at: created, ...rest }) => {
        expect(created).to.match(SECONDS);
        return rest;
      });
      const together = sizeOf(IMAGE) + sizeOf(OTHER) + bytesOf(IMAGE.manifest, OTHER.manifest);
      expect(shown).to.deep.equal([
        { name: 'latest', digest: IMAGE.manifest.digest, size: sizeOf(IMAGE) },
        { name: 'v1.0.0', digest: OTHER.manifest.digest, size: sizeOf(OTHER) },
        { name: 'v1.1.0', digest: MULTI.manifest.digest, size: together },
      ]);
    });

    it('gives some of many tags, with "limit" and "after"', async () => {
      const names = async (query: string): Promise<unknown> =>
        ((await get(`${at('ada/frontend')}?${query}`)).tags as readonly Json[]).map(({ name }) => name);
      expect(await names('limit=2')).to.deep.equal(['latest', 'v1.0.0']);
      expect(await names('limit=2&after=v1.0.0')).to.deep.equal(['v1.1.0']);
      expect(await names('after=m')).to.deep.equal(['v1.0.0', 'v1.1.0']);
      expect(await names('limit=0')).to.deep.equal([]);
      expect(await names('limit=5&after=v9')).to.deep.equal([]);
    });

    it('"pull_count": how often a manifest was pulled, and not how often one looked whether it is there', async () => {
      await pushImage(ada, 'ada/pulled', 'v1', OTHER);
      expect(await get(at('ada/pulled'))).to.include({ pull_count: 0 });
      for (let n = 0; n < 3; n += 1) expectStatus('pull', await ada.send('GET', '/v2/ada/pulled/manifests/v1'), 200);
      expectStatus('look', await ada.send('HEAD', '/v2/ada/pulled/manifests/v1'), 200);
      await waitUntil('the pulls are counted', async () => (await get(at('ada/pulled'))).pull_count === 3);
    });

    it('"updated_at" is the last push, also of a tag to what was there', async () => {
      const before = await get(at('ada/frontend'));
      expect(String(before.updated_at) >= String(before.created_at)).to.equal(true);
      // Times are told in whole seconds: wait until there is another one.
      await waitUntil('the next second', () => new Date().toISOString().slice(0, 19) > String(before.updated_at).slice(0, 19));
      await pushManifest(ada, 'ada/frontend', 'stable', IMAGE.manifest);
      expect(String((await get(at('ada/frontend'))).updated_at) > String(before.updated_at)).to.equal(true);
    });

    it('is found under any spelling of its name, and answers HEAD without a body', async () => {
      for (const path of [at('ada%2Ffrontend'), at('ada%2ffrontend'), `${at('ada/frontend')}/`])
        expect(await get(path)).to.include({ name: 'ada/frontend' });
      const head = await ada.send('HEAD', at('ada/frontend'));
      expect(head.status).to.equal(200);
      expect(head.body.length).to.equal(0);
    });

    it('has nothing of a former life', async () => {
      await pushImage(ada, 'ada/again', 'v1', IMAGE);
      expectStatus('pull', await ada.send('GET', '/v2/ada/again/manifests/v1'), 200);
      await waitUntil('the pull is counted', async () => (await get(at('ada/again'))).pull_count === 1);
      expectStatus('delete', await ada.send('DELETE', at('ada/again')), 204);
      await pushBlob(ada, 'ada/again', OTHER.config);
      const body = await get(at('ada/again'));
      expect(body).to.include({ size: bytesOf(OTHER.config), pull_count: 0, manifest_count: 0, tag_count: 0 });
      expect(body.tags).to.deep.equal([]);
    });
  });

  describe('"GET /api/v1/repositories/{repository}/-/tags"', () => {
    it('has the same tags in pages', async () => {
      const first = await get(`${at('ada/frontend')}/-/tags?limit=2`);
      const { tags: all } = await get(at('ada/frontend'));
      expect(first).to.deep.include({ page: 1, limit: 2, pagination: { page: 1, limit: 2, total: first.total, pages: 2 } });
      const second = await get(`${at('ada/frontend')}/-/tags?limit=2&page=2`);
      expect([...(first.tags as readonly Json[]), ...(second.tags as readonly Json[])]).to.deep.equal(all);
      expect((await get(`${at('ada/frontend')}/-/tags?page=9`)).tags).to.deep.equal([]);
    });
  });

  describe('"PUT /api/v1/repositories/{repository}"', () => {
    it('takes the documented body, and changes that and nothing else', async () => {
      await pushImage(ada, 'ada/put', 'v1', IMAGE);
      const { tags, ...before } = await get(at('ada/put'));
      const sample = { description: 'Updated description', visibility: 'public' };
      const { status, body } = await call(ada, 'PUT', at('ada/put'), sample);
      expect(status).to.equal(200);
      expect(body).to.deep.equal({ ...before, ...sample });
      expect(await get(at('ada/put'))).to.deep.equal({ ...before, ...sample, tags });
    });

    it('changes nothing where nothing is given, and all of it or nothing', async () => {
      const { tags: _tags, ...before } = await get(at('ada/put'));
      const head = await registry().head();
      expect((await call(ada, 'PUT', at('ada/put'), {})).body).to.deep.equal(before);
      const half = await call(ada, 'PUT', at('ada/put'), { description: 'Half', visibility: 'secret' });
      expect(half.status).to.equal(400);
      expect(await registry().head()).to.equal(head);
    });
  });

  describe('while the reporting views are being built', () => {
    const name = 'ada/unreported';
    const away = <T>(ask: () => Promise<T>): Promise<T> => whileAway(registry().app.reporting, ask);
    let known: Json;
    before(async () => {
      await pushImage(ada, name, 'v1', IMAGE);
      known = await get(at(name));
    });

    it('shows all of a repository but its size', async () => {
      expect(known.size).to.be.a('number');
      expect(await away(() => get(at(name)))).to.deep.equal({ ...known, size: null });
    });

    it('answers a change that was made as one', async () => {
      const { tags: _tags, ...shown } = known;
      for (const [method, description] of [
        ['PATCH', 'patched'],
        ['PUT', 'put'],
      ] as const) {
        const { status, body } = await away(() => call(ada, method, at(name), { description }));
        expect(status).to.equal(200);
        expect(body).to.deep.equal({ ...shown, description, size: null });
      }
    });

    it('lists by name without sizes, and what only they can find not at all', async () => {
      const list = '/api/v1/repositories';
      const [item, ...others] = (await get(`${list}?prefix=${name}`)).repositories as readonly Json[];
      expect(others).to.deep.equal([]);
      for (const query of ['', `prefix=${name}`, 'owner=ada&visibility=private', 'sort=name']) {
        const { repositories } = await away(() => get(`${list}?${query}`));
        expect(repositories, query).to.deep.include({ ...item, size: null });
      }
      for (const query of ['q=unreported', 'sort=-size', 'sort=-updated']) {
        const { status, error } = await away(() => call(ada, 'GET', `${list}?${query}`));
        expect([status, error.code], query).to.deep.equal([503, 'UNAVAILABLE']);
      }
    });
  });

  describe('"DELETE /api/v1/repositories/{repository}"', () => {
    it('answers 204, after which it is not found', async () => {
      await pushImage(ada, 'ada/gone', 'v1', IMAGE);
      expect((await call(ada, 'DELETE', at('ada/gone'))).status).to.equal(204);
      for (const method of ['GET', 'DELETE'])
        expect(await call(ada, method, at('ada/gone'))).to.deep.include({
          status: 404,
          error: {
            code: 'REPOSITORY_NOT_FOUND',
            message: 'Repository ada/gone not found',
            details: { repository: 'ada/gone' },
          },
        });
    });
  });

  describe('"All APIs use consistent error responses"', () => {
    it('as in the sample: the code, "Repository myapp/frontend not found", and which', async () => {
      const { status, body } = await call(admin(), 'GET', at('myapp/frontend'));
      expect(status).to.equal(404);
      expect(body).to.deep.equal({
        error: {
          code: 'REPOSITORY_NOT_FOUND',
          message: 'Repository myapp/frontend not found',
          details: { repository: 'myapp/frontend' },
        },
      });
    });

    const bodies: readonly (readonly [what: string, body: unknown, field: string])[] = [
      ['a visibility that there is not', { visibility: 'internal' }, 'visibility'],
      ['a visibility that is no text', { visibility: true }, 'visibility'],
      ['a description that is no text', { description: 1 }, 'description'],
      ['a description of null', { description: null }, 'description'],
      ['a description that is too long', { description: 'x'.repeat(10_001) }, 'description'],
      ['an owner that is no text', { owner: 7 }, 'owner'],
      ['a field that there is not', { descripton: '' }, 'descripton'],
      ['a list', [], 'body'],
      ['a text', '"public"', 'body'],
    ];
    calls(registry, [
      ...bodies.map(([what, body, field]) => ({
        it: `"INVALID_REQUEST", 400: an update with ${what}`,
        send: ['PUT', at('ada/frontend'), body] as const,
        gets: { status: 400, code: 'INVALID_REQUEST', field },
      })),
      {
        it: '"INVALID_REQUEST", 400: an update that is no JSON',
        send: ['PUT', at('ada/frontend'), '{"description":'],
        gets: { status: 400, code: 'INVALID_REQUEST' },
      },
      {
        it: '"INVALID_REQUEST", 400: a name that can be none',
        send: ['GET', at('Ada/frontend')],
        gets: { status: 400, code: 'INVALID_REQUEST' },
      },
      ...['limit=x', 'limit=-1', 'limit=1&limit=2'].map((query) => ({
        it: `"INVALID_REQUEST", 400: details with ${query}`,
        send: ['GET', `${at('ada/frontend')}?${query}`] as const,
        gets: { status: 400, code: 'INVALID_REQUEST', field: 'limit' },
      })),
      {
        it: '"INVALID_REQUEST", 400: details behind a tag that is too long',
        send: ['GET', `${at('ada/frontend')}?after=${'x'.repeat(129)}`],
        gets: { status: 400, code: 'INVALID_REQUEST', field: 'after' },
      },
      {
        it: '"NOT_FOUND", 404: an owner that there is not',
        send: ['PUT', at('ada/frontend'), { owner: 'nobody-else' }],
        gets: { status: 404, code: 'NOT_FOUND', field: 'owner' },
      },
      {
        it: '"UNAUTHORIZED", 401: details without a login',
        by: ({ anonymous }) => anonymous,
        send: ['GET', at('ada/frontend')],
        gets: { status: 401, code: 'UNAUTHORIZED' },
      },
    ]);

    it('"FORBIDDEN", 403: what is private, and what there is not, to others', async () => {
      const eve = await registry().register('eve');
      for (const name of ['ada/frontend', 'ada/none'])
        for (const [method, path, body] of [
          ['GET', at(name)],
          ['GET', `${at(name)}/-/tags`],
          ['PUT', at(name), { description: '' }],
          ['DELETE', at(name)],
        ] as const) {
          const { status, error } = await call(eve, method, path, body);
          expect([status, error.code], `${method} ${path}`).to.deep.equal([403, 'FORBIDDEN']);
        }
    });
  });

  it('streams many tags, with an answer that is JSON all the same', async () => {
    const names = Array.from({ length: 120 }, (_, n) => `t${String(n).padStart(3, '0')}`);
    await pushImage(ada, 'ada/many', 'a', IMAGE);
    await Promise.all(names.map((name) => pushManifest(ada, 'ada/many', name, IMAGE.manifest)));
    const answer = expectStatus('details', await ada.send('GET', at('ada/many')), 200);
    expect(answer.headers['content-type']).to.match(/^application\/json/);
    expect(answer.headers['content-length']).to.equal(undefined);
    const tags = jsonOf(answer).tags as readonly Json[];
    expect(tags.map(({ name }) => name)).to.deep.equal(['a', ...names]);
    expect(new Set(tags.map(({ size }) => size))).to.deep.equal(new Set([sizeOf(IMAGE)]));
  });
});
