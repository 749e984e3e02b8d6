import { expect } from 'chai';
import { registryFor } from '../support/app.ts';
import { pushBlob, pushImage } from '../support/http.ts';
import { digestOf, randomImage } from '../support/images.ts';
import { exchange, exchanges } from './exchanges.ts';
import { BAD_N, pageOf } from './pages.ts';

const IMAGE = randomImage('catalog', { layers: 1 });

describe('GET of the catalog', () => {
  const registry = registryFor();

  /** Names that stand close together, or look like something else. In byte order. */
  const NAMES = [
    ...[
      '0',
      'a',
      'a-b',
      'a-b/c',
      'a.b',
      'a/b',
      'a/b/c',
      'a/manifests/b',
      'a0',
      'a__b',
      'a_b',
      'aa',
      'ab',
      'auth',
      'blobs/uploads',
    ],
    ...['list', 'manifests/latest', 'tags/list', 'v2', 'v2/blobs/uploads', 'z'],
  ];

  before(async () => {
    const { admin } = registry();
    for (const name of NAMES.toReversed()) await pushImage(admin, name, 'latest', IMAGE);
    await pushBlob(admin, 'blobs-only', { digest: digestOf('x'), bytes: Buffer.from('x'), mediaType: '' });
  });

  exchanges(registry, [
    {
      it: 'lists what holds a manifest, in byte order',
      send: ['GET', '/v2/_catalog'],
      gets: { status: 200, headers: { 'content-type': /^application\/json/, link: undefined }, json: { repositories: NAMES } },
    },
    { it: 'answers HEAD', send: ['HEAD', '/v2/_catalog'], gets: { status: 200 } },
    {
      it: 'gives none for n=0, and no link',
      send: ['GET', '/v2/_catalog?n=0'],
      gets: { status: 200, headers: { link: undefined }, json: { repositories: [] } },
    },
    {
      it: 'gives the first n, and the link to the rest with its slashes encoded',
      send: ['GET', '/v2/_catalog?n=6'],
      gets: {
        status: 200,
        headers: { link: '</v2/_catalog?n=6&last=a%2Fb>; rel="next"' },
        json: { repositories: NAMES.slice(0, 6) },
      },
    },
    {
      it: 'goes on behind a name that need not exist',
      send: ['GET', '/v2/_catalog?n=2&last=a/c'],
      gets: { status: 200, json: { repositories: ['a/manifests/b', 'a0'] } },
    },
    ...BAD_N.map((n) => ({
      it: `refuses n=${n}`,
      send: ['GET', `/v2/_catalog?n=${n}`] as const,
      gets: { status: 400, code: 'UNSUPPORTED' } as const,
    })),
    ...['~', '%00', '%F0%9F%90%B3', '%ED%A0%80', 'x'.repeat(5000), '%zz'].map((last) => ({
      it: `takes any text for the last one: ${last.slice(0, 20)}`,
      send: ['GET', `/v2/_catalog?last=${last}`] as const,
      gets: { status: 200 } as const,
    })),
  ]);

  it('gives each name once to those who follow the links', async () => {
    for (const size of [1, 4, 7]) {
      const names: string[] = [];
      let path: string | undefined = `/v2/_catalog?n=${size}`;
      do {
        const page: Awaited<ReturnType<typeof pageOf>> = await pageOf(registry().admin, path);
        names.push(...page.names);
        path = page.next;
      } while (path !== undefined);
      expect(names).to.deep.equal(NAMES);
    }
  });

  it('shows each caller what he may read, page by page', async () => {
    const ann = await registry().register('a');
    const own = NAMES.filter((name) => name.startsWith('a/'));
    await exchange(ann, ['GET', '/v2/_catalog'], { status: 200, json: { repositories: own } });
    await exchange(ann, ['GET', '/v2/_catalog?n=1'], {
      status: 200,
      headers: { link: '</v2/_catalog?n=1&last=a%2Fb>; rel="next"' },
      json: { repositories: own.slice(0, 1) },
    });
    await exchange(ann, ['GET', '/v2/_catalog?last=a/c'], { status: 200, json: { repositories: ['a/manifests/b'] } });
    await exchange(ann, ['GET', '/v2/_catalog?last=zzz'], { status: 200, json: { repositories: [] } });
    await exchange(await registry().register('newcomer'), ['GET', '/v2/_catalog'], { status: 200, json: { repositories: [] } });
    const auditor = await registry().register('watcher', 'auditor');
    await exchange(auditor, ['GET', '/v2/_catalog'], { status: 200, json: { repositories: NAMES } });
  });
});
