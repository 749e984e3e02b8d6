import { expect } from 'chai';
import { registryFor } from '../support/app.ts';
import { pushBlob, pushImage, pushManifest, tagsOf } from '../support/http.ts';
import { digestOf, randomImage } from '../support/images.ts';
import { exchange, exchanges } from './exchanges.ts';
import { BAD_N, pageOf } from './pages.ts';

const IMAGE = randomImage('tags', { layers: 1 });

/** In byte order: digits, upper case, underscore, lower case. */
const TAGS = [
  '0',
  '1.0',
  '10',
  '2',
  'A',
  'B-1',
  'Z',
  '_',
  '_a',
  'a',
  'a-b',
  'a.b',
  'a0',
  'aB',
  'a_b',
  'ab',
  'latest',
  'list',
  'z',
];

describe('GET of tags', () => {
  const registry = registryFor();

  before(async () => {
    const { admin } = registry();
    await pushImage(admin, 't/app', TAGS[0] ?? '', IMAGE);
    for (const tag of TAGS.slice(1).reverse()) await pushManifest(admin, 't/app', tag, IMAGE.manifest);
    await pushBlob(admin, 't/untagged', { digest: digestOf('x'), bytes: Buffer.from('x'), mediaType: '' });
  });

  exchanges(registry, [
    {
      it: 'lists them in byte order, and nothing else',
      send: ['GET', '/v2/t/app/tags/list'],
      gets: {
        status: 200,
        headers: { 'content-type': /^application\/json/, link: undefined },
        json: { name: 't/app', tags: TAGS },
      },
    },
    { it: 'answers HEAD', send: ['HEAD', '/v2/t/app/tags/list'], gets: { status: 200 } },
    {
      it: 'lists no tags of a repository that has none',
      send: ['GET', '/v2/t/untagged/tags/list'],
      gets: { status: 200, json: { name: 't/untagged', tags: [] } },
    },
    {
      it: 'does not know a repository that nobody pushed to',
      send: ['GET', '/v2/t/none/tags/list'],
      gets: { status: 404, code: 'NAME_UNKNOWN', detail: { name: 't/none' } },
    },
    {
      it: 'does not take the parent of a repository for one',
      send: ['GET', '/v2/t/tags/list'],
      gets: { status: 404, code: 'NAME_UNKNOWN' },
    },
    {
      it: 'gives none for n=0, and no link',
      send: ['GET', '/v2/t/app/tags/list?n=0'],
      gets: { status: 200, headers: { link: undefined }, json: { name: 't/app', tags: [] } },
    },
    { it: 'knows no repository for n=0 either', send: ['GET', '/v2/t/none/tags/list?n=0'], gets: { status: 404 } },
    {
      it: 'gives the first n, and the link to the rest',
      send: ['GET', '/v2/t/app/tags/list?n=2'],
      gets: {
        status: 200,
        headers: { link: '</v2/t/app/tags/list?n=2&last=1.0>; rel="next"' },
        json: { name: 't/app', tags: TAGS.slice(0, 2) },
      },
    },
    {
      it: 'gives no link when n is just what there is',
      send: ['GET', `/v2/t/app/tags/list?n=${TAGS.length}`],
      gets: { status: 200, headers: { link: undefined }, json: { name: 't/app', tags: TAGS } },
    },
    {
      it: 'gives everything for an n beyond every page',
      send: ['GET', '/v2/t/app/tags/list?n=999999999999999'],
      gets: { status: 200, headers: { link: undefined }, json: { name: 't/app', tags: TAGS } },
    },
    {
      it: 'goes on behind a last tag without n',
      send: ['GET', '/v2/t/app/tags/list?last=a'],
      gets: { status: 200, json: { name: 't/app', tags: TAGS.slice(TAGS.indexOf('a') + 1) } },
    },
    {
      it: 'goes on behind a tag that need not exist',
      send: ['GET', '/v2/t/app/tags/list?n=2&last=Zz'],
      gets: { status: 200, json: { name: 't/app', tags: ['_', '_a'] } },
    },
    {
      it: 'has nothing behind the last one',
      send: ['GET', '/v2/t/app/tags/list?last=z'],
      gets: { status: 200, headers: { link: undefined }, json: { name: 't/app', tags: [] } },
    },
    ...['~', '%00', '%F0%9F%90%B3', '%ED%A0%80', '../..', 'x'.repeat(5000), '%25', '"', "'", '%zz'].map((last) => ({
      it: `takes any text for the last one: ${last.slice(0, 20)}`,
      send: ['GET', `/v2/t/app/tags/list?last=${last}`] as const,
      gets: { status: 200 } as const,
    })),
    ...BAD_N.map((n) => ({
      it: `refuses n=${n}`,
      send: ['GET', `/v2/t/app/tags/list?n=${n}`] as const,
      gets: { status: 400, code: 'UNSUPPORTED' } as const,
    })),
  ]);

  it('gives each tag once to those who follow the links, whatever the size of a page', async () => {
    for (const size of [1, 2, 5, TAGS.length - 1]) expect(await tagsOf(registry().admin, 't/app', size)).to.deep.equal(TAGS);
  });

  it('misses nothing and repeats nothing while others push', async () => {
    const { admin } = registry();
    const first = await pageOf(admin, '/v2/t/app/tags/list?n=3');
    await pushManifest(admin, 't/app', '0-new', IMAGE.manifest);
    await pushManifest(admin, 't/app', 'zz-new', IMAGE.manifest);
    const second = await pageOf(admin, first.next ?? '');
    expect(second.names).to.deep.equal(TAGS.slice(3, 6));
    const rest = await pageOf(admin, `/v2/t/app/tags/list?last=${second.names.at(-1)}`);
    expect(rest.names).to.deep.equal([...TAGS.slice(6), 'zz-new']);
  });

  it('shows a tag to the next request after its push', async () => {
    await pushImage(registry().admin, 't/own-writes', 'first', IMAGE);
    for (let round = 0; round < 20; round += 1) {
      await pushManifest(registry().admin, 't/own-writes', `r${round}`, IMAGE.manifest);
      expect(await tagsOf(registry().admin, 't/own-writes')).to.contain(`r${round}`);
    }
  });

  it('gives at most a thousand without being asked, and the link to the rest', async () => {
    const { admin } = registry();
    await pushImage(admin, 't/many', 'v0', IMAGE);
    const { digest, bytes, mediaType } = IMAGE.manifest;
    for (let hundred = 0; hundred < 11; hundred += 1) {
      const query = Array.from({ length: 100 }, (_, index) => `tag=v${hundred * 100 + index}`).join('&');
      const sending = { body: bytes, headers: { 'content-type': mediaType } };
      await exchange(admin, ['PUT', `/v2/t/many/manifests/${digest}?${query}`, sending], { status: 201 });
    }
    for (const query of ['', '?n=1000', '?n=5000']) {
      const { names, next } = await pageOf(admin, `/v2/t/many/tags/list${query}`);
      expect(names).to.have.length(1000);
      expect((await pageOf(admin, next ?? '')).names).to.have.length(100);
    }
  });
});
