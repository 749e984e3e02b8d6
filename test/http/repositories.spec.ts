import { expect } from 'chai';
import { endedLives } from '../../src/projections/endedLives.ts';
import { releasedManifests } from '../../src/projections/releasedManifests.ts';
import { registryFor } from '../support/app.ts';
import { basic, finishUpload, type HttpClient, pushBlob, pushImage, pushManifest, startUpload } from '../support/http.ts';
import { digestOf, indexOf, noise, randomImage } from '../support/images.ts';
import { waitUntil } from '../support/processes.ts';
import { ADMIN, PASSWORD } from '../support/registryProcess.ts';
import { exchange, exchanges, jsonOf } from './exchanges.ts';
import { descriptor, imageManifest, manifestOf } from './manifestSamples.ts';

const IMAGE = randomImage('repositories', { layers: 1 });
const OTHER = randomImage('another repository', { layers: 1 });
const { digest: DIGEST, mediaType, bytes: BYTES } = IMAGE.manifest;
const NOTE = manifestOf(
  imageManifest({
    config: descriptor(IMAGE.config.digest, IMAGE.config.bytes.length),
    layers: [],
    subject: { mediaType, digest: DIGEST, size: BYTES.length },
  }),
);
const NAME_GONE = { status: 404, code: 'NAME_UNKNOWN' } as const;
const DELETED = (manifestsDeleted: number) => ({
  status: 202,
  headers: { 'content-type': /^application\/json/ },
  json: { message: 'Repository deleted', manifestsDeleted },
});
const managed = (name: string): string => `/api/v1/repositories/${name}`;
const rulesOf = (name: string): string => `${managed(name)}/-/immutability`;
const ruling = (...rules: readonly unknown[]) => ({
  body: JSON.stringify({ rules }),
  headers: { 'content-type': 'application/json' },
});

const catalogOf = async (client: HttpClient): Promise<unknown> =>
  jsonOf(await client.send('GET', '/v2/_catalog?n=1000')).repositories;

describe('DELETE /v2/<name>', () => {
  const registry = registryFor();
  let admin: HttpClient;

  before(() => {
    admin = registry().admin;
  });

  const isCleared = () =>
    waitUntil('all that was deleted is cleared away', async () => (await registry().app.views.count(endedLives)) === 0);

  it('takes everything at once: tags, manifests, blobs, referrers and the place in the catalog', async () => {
    for (const tag of ['v1', 'v2']) await pushImage(admin, 'r/all', tag, IMAGE);
    await pushManifest(admin, 'r/all', 'note', NOTE);
    await pushImage(admin, 'r/all', 'other', OTHER);
    await pushImage(admin, 'r/all-but-this', 'v1', IMAGE);
    await exchange(admin, ['DELETE', '/v2/r/all'], DELETED(3));
    for (const path of ['tags/list', 'manifests/v1', `manifests/${IMAGE.manifest.digest}`, `blobs/${IMAGE.config.digest}`])
      await exchange(admin, ['GET', `/v2/r/all/${path}`], NAME_GONE);
    const referrers = await exchange(admin, ['GET', `/v2/r/all/referrers/${IMAGE.manifest.digest}`], { status: 200 });
    expect(jsonOf(referrers).manifests).to.deep.equal([]);
    expect(await catalogOf(admin))
      .to.include('r/all-but-this')
      .and.not.to.include('r/all');
    await exchange(admin, ['GET', '/v2/r/all-but-this/manifests/v1'], { status: 200, bytes: IMAGE.manifest.bytes });
    await exchange(admin, ['GET', `/v2/r/all-but-this/blobs/${IMAGE.config.digest}`], { status: 200 });
    await isCleared();
  });

  it('is found under any spelling of the path', async () => {
    for (const path of ['/v2/r/s/1', '/v2/r%2Fs%2F1', '/v2/r%2fs/1/', '/v2/r/%73/1?x=y']) {
      await pushImage(admin, 'r/s/1', 'v1', IMAGE);
      await exchange(admin, ['DELETE', path], DELETED(1));
      await exchange(admin, ['GET', '/v2/r/s/1/tags/list'], NAME_GONE);
    }
  });

  it('takes repositories that are called like something else', async () => {
    for (const name of ['tags', 'manifests', 'blobs/x', 'a/manifests/b/c', 'v2', 'tags/list', 'blobs/uploads']) {
      await pushImage(admin, name, 'v1', IMAGE);
      await exchange(admin, ['DELETE', `/v2/${name}`], DELETED(1));
      await exchange(admin, ['GET', `/v2/${name}/tags/list`], NAME_GONE);
    }
  });

  exchanges(registry, [
    { it: 'is refused where there is no such repository', send: ['DELETE', '/v2/r/none'], gets: NAME_GONE },
    { it: 'is refused for what can be no name', send: ['DELETE', '/v2/R/None'], gets: { status: 400, code: 'NAME_INVALID' } },
    {
      it: 'takes no repository for a manifest whose digest was forgotten',
      send: ['DELETE', '/v2/r/kept/manifests/'],
      gets: NAME_GONE,
    },
    ...(['GET', 'HEAD', 'POST', 'PUT', 'PATCH'] as const).map((method) => ({
      it: `is all that the path takes, and not ${method}`,
      send: [method, '/v2/r/kept'] as const,
      gets: { status: 405, headers: { allow: 'DELETE' } },
    })),
  ]);

  it('twice finds nothing the second time', async () => {
    await pushImage(admin, 'r/twice', 'v1', IMAGE);
    await exchange(admin, ['DELETE', '/v2/r/twice'], DELETED(1));
    await exchange(admin, ['DELETE', '/v2/r/twice'], NAME_GONE);
  });

  it('at once with others is done once', async () => {
    await pushImage(admin, 'r/race', 'v1', IMAGE);
    const answers = await Promise.all(Array.from({ length: 5 }, () => admin.send('DELETE', '/v2/r/race')));
    expect(answers.map(({ status }) => status).sort()).to.deep.equal([202, 404, 404, 404, 404]);
  });

  it('of a repository without manifests counts none', async () => {
    await pushBlob(admin, 'r/blobs', IMAGE.config);
    await exchange(admin, ['DELETE', '/v2/r/blobs'], DELETED(0));
    await exchange(admin, ['GET', `/v2/r/blobs/blobs/${IMAGE.config.digest}`], NAME_GONE);
  });

  it('lets the name be used again, with nothing of what was there, before and after that is cleared away', async () => {
    await pushImage(admin, 'r/again', 'old', IMAGE);
    await exchange(admin, ['DELETE', '/v2/r/again'], DELETED(1));
    await pushImage(admin, 'r/again', 'new', OTHER);
    const expectNew = async (): Promise<void> => {
      await exchange(admin, ['GET', '/v2/r/again/tags/list'], { status: 200, json: { name: 'r/again', tags: ['new'] } });
      await exchange(admin, ['GET', '/v2/r/again/manifests/old'], { status: 404, code: 'MANIFEST_UNKNOWN' });
      await exchange(admin, ['GET', `/v2/r/again/manifests/${IMAGE.manifest.digest}`], { status: 404, code: 'MANIFEST_UNKNOWN' });
      await exchange(admin, ['GET', `/v2/r/again/blobs/${IMAGE.config.digest}`], { status: 404, code: 'BLOB_UNKNOWN' });
      await exchange(admin, ['GET', '/v2/r/again/manifests/new'], { status: 200, bytes: OTHER.manifest.bytes });
      for (const { digest, bytes } of OTHER.layers)
        await exchange(admin, ['GET', `/v2/r/again/blobs/${digest}`], { status: 200, bytes });
    };
    await expectNew();
    await isCleared();
    await expectNew();
    expect(await catalogOf(admin)).to.include('r/again');
  });

  it('gives nobody a blob of it to mount', async () => {
    const blob = { bytes: noise(100, 'to mount'), digest: digestOf(noise(100, 'to mount')), mediaType: '' };
    await pushBlob(admin, 'r/source', blob);
    await exchange(admin, ['DELETE', '/v2/r/source'], DELETED(0));
    for (const from of ['&from=r/source', ''])
      await exchange(admin, ['POST', `/v2/r/target/blobs/uploads/?mount=${blob.digest}${from}`], { status: 202 });
  });

  it('lets an upload go on that has begun: its end begins another life of the repository', async () => {
    await pushImage(admin, 'r/upload', 'v1', IMAGE);
    const location = await startUpload(admin, 'r/upload');
    await exchange(admin, ['DELETE', '/v2/r/upload'], DELETED(1));
    const bytes = noise(100, 'under way');
    await finishUpload(admin, location, digestOf(bytes), { body: bytes });
    await exchange(admin, ['GET', `/v2/r/upload/blobs/${digestOf(bytes)}`], { status: 200, bytes });
    await exchange(admin, ['GET', '/v2/r/upload/tags/list'], { status: 200, json: { name: 'r/upload', tags: [] } });
    // What was uploaded before is of the former life: the manifest that needs it has to wait until it is there again.
    await exchange(
      admin,
      ['PUT', '/v2/r/upload/manifests/v1', { body: IMAGE.manifest.bytes, headers: { 'content-type': IMAGE.manifest.mediaType } }],
      { status: 400, code: 'MANIFEST_BLOB_UNKNOWN' },
    );
  });

  it('is for those who may delete there, and tells others nothing', async () => {
    const ann = await registry().register('ann');
    const bob = await registry().register('bob');
    await pushImage(ann, 'ann/app', 'v1', IMAGE);
    for (const name of ['ann/app', 'ann/none']) {
      await exchange(bob, ['DELETE', `/v2/${name}`], { status: 403, code: 'DENIED' });
      await exchange(registry().anonymous, ['DELETE', `/v2/${name}`], { status: 401, code: 'UNAUTHORIZED' });
    }
    const pulling = await registry().withToken('ann', 'repository:ann/app:pull');
    await exchange(pulling, ['DELETE', '/v2/ann/app'], {
      status: 401,
      headers: { 'www-authenticate': /scope="repository:ann\/app:delete"/ },
    });
    await exchange(await registry().withToken('ann', 'repository:ann/app:delete'), ['DELETE', '/v2/ann/app'], DELETED(1));
  });

  it('is true for the very next request', async () => {
    const { inject } = registry();
    const headers = { authorization: basic(ADMIN, PASSWORD) };
    for (let round = 0; round < 20; round += 1) {
      await pushImage(admin, 'r/next', 'v1', IMAGE);
      expect((await inject({ method: 'DELETE', url: '/v2/r/next', headers })).statusCode).to.equal(202);
      expect((await inject({ method: 'GET', url: '/v2/r/next/tags/list', headers })).statusCode).to.equal(404);
    }
  });

  it('has the same done by the management API', async () => {
    for (const path of [managed('r/m'), managed('r%2Fm'), `${managed('r/m')}/`]) {
      await pushImage(admin, 'r/m', 'v1', IMAGE);
      await exchange(admin, ['DELETE', path], { status: 204 });
      await exchange(admin, ['GET', '/v2/r/m/tags/list'], NAME_GONE);
    }
    const again = await exchange(admin, ['DELETE', managed('r/m')], { status: 404 });
    expect(jsonOf(again).error).to.include({ code: 'REPOSITORY_NOT_FOUND' });
    await exchange(registry().anonymous, ['DELETE', managed('r/m')], { status: 401 });
    const eve = await registry().register('eve');
    await pushImage(admin, 'r/m', 'v1', IMAGE);
    for (const name of ['r/m', 'r/none']) await exchange(eve, ['DELETE', managed(name)], { status: 403 });
  });
});

describe('DELETE /v2/<name> where deletes are switched off', () => {
  const registry = registryFor({ GHOSTDOCK_DELETES: 'off' });

  it('is refused on both surfaces, and nothing is recorded', async () => {
    const { admin, head } = registry();
    await pushImage(admin, 'r/kept', 'v1', IMAGE);
    const before = await head();
    await exchange(admin, ['DELETE', '/v2/r/kept'], { status: 405, code: 'UNSUPPORTED', headers: { allow: '' } });
    await exchange(admin, ['DELETE', managed('r/kept')], { status: 405, headers: { allow: '' } });
    expect(await head()).to.equal(before);
  });
});

describe('immutable tags', () => {
  const registry = registryFor();
  let admin: HttpClient;
  const IMMUTABLE = {
    status: 409,
    code: 'DENIED',
    message: 'The tag v1 is immutable',
    detail: { tag: 'v1', rule: 'v*' },
  } as const;
  const sending = (image: typeof IMAGE, headers: Readonly<Record<string, string>> = {}) => ({
    body: image.manifest.bytes,
    headers: { 'content-type': image.manifest.mediaType, ...headers },
  });

  before(async () => {
    admin = registry().admin;
    for (const image of [OTHER, IMAGE]) await pushImage(admin, 'i/app', 'v1', image);
    await pushManifest(admin, 'i/app', 'latest', IMAGE.manifest);
    await pushManifest(admin, 'i/app', 'v2', indexOf([OTHER]).manifest);
  });

  it('are told by rules, which are none at first', async () => {
    for (const path of [rulesOf('i/app'), rulesOf('i%2Fapp'), `${rulesOf('i/app')}/`])
      await exchange(admin, ['GET', path], { status: 200, json: { rules: [] } });
    await exchange(admin, ['PUT', rulesOf('i/app'), ruling('v*')], { status: 200, json: { rules: ['v*'] } });
    await exchange(admin, ['GET', rulesOf('i/app')], { status: 200, json: { rules: ['v*'] } });
  });

  it('are not moved or deleted, on any path', async () => {
    const before = await registry().head();
    const path = '/v2/i/app/manifests';
    await exchange(admin, ['PUT', `${path}/v1`, sending(OTHER)], IMMUTABLE);
    await exchange(admin, ['PUT', `${path}/v1`, sending(OTHER, { 'if-match': `"${IMAGE.manifest.digest}"` })], IMMUTABLE);
    await exchange(admin, ['PUT', `${path}/${OTHER.manifest.digest}?tag=new&tag=v1`, sending(OTHER)], IMMUTABLE);
    await exchange(admin, ['DELETE', `${path}/v1`], IMMUTABLE);
    await exchange(admin, ['DELETE', `${path}/${IMAGE.manifest.digest}`], IMMUTABLE);
    await exchange(admin, ['DELETE', `${path}/${OTHER.manifest.digest}`], {
      ...IMMUTABLE,
      message: 'The tag v2',
      detail: { tag: 'v2', rule: 'v*' },
    });
    await exchange(admin, ['DELETE', `/v2/i/app/blobs/${IMAGE.config.digest}`], { status: 405 });
    await exchange(admin, ['DELETE', '/v2/i/app'], {
      status: 409,
      code: 'DENIED',
      message: 'Remove the rules',
      detail: { rules: ['v*'] },
    });
    const managing = await exchange(admin, ['DELETE', managed('i/app')], { status: 409 });
    expect(jsonOf(managing).error).to.include({ code: 'CONFLICT' });
    expect(await registry().head(), 'nothing is recorded').to.equal(before);
    await exchange(admin, ['GET', `${path}/v1`], { status: 200, bytes: IMAGE.manifest.bytes });
  });

  it('are pushed again as they are, and new ones are made', async () => {
    const path = '/v2/i/app/manifests';
    await exchange(admin, ['PUT', `${path}/v1`, sending(IMAGE)], { status: 201 });
    await exchange(admin, ['PUT', `${path}/v3`, sending(OTHER)], { status: 201 });
    await exchange(admin, ['PUT', `${path}/v3`, sending(IMAGE)], {
      ...IMMUTABLE,
      message: 'The tag v3',
      detail: { tag: 'v3', rule: 'v*' },
    });
    await exchange(admin, ['PUT', `${path}/latest`, sending(OTHER)], { status: 201 });
    await exchange(admin, ['DELETE', `${path}/latest`], { status: 202 });
  });

  it('are so no longer without rules', async () => {
    await exchange(admin, ['PUT', rulesOf('i/app'), ruling()], { status: 200, json: { rules: [] } });
    await exchange(admin, ['DELETE', '/v2/i/app/manifests/v3'], { status: 202 });
    await exchange(admin, ['DELETE', '/v2/i/app'], { status: 202 });
  });

  it('are ruled by who owns the repository, or the registry, and seen by auditors', async () => {
    const own = await registry().register('owner');
    const other = await registry().register('other');
    const auditor = await registry().register('auditor', 'auditor');
    await pushImage(own, 'owner/app', 'v1', IMAGE);
    await exchange(own, ['PUT', rulesOf('owner/app'), ruling('v*')], { status: 200 });
    await exchange(admin, ['PUT', rulesOf('owner/app'), ruling('v*', 'w')], { status: 200, json: { rules: ['v*', 'w'] } });
    for (const [client, status] of [
      [other, 403],
      [registry().anonymous, 401],
    ] as const)
      for (const name of ['owner/app', 'owner/none']) {
        if (client !== auditor) await exchange(client, ['GET', rulesOf(name)], { status });
        await exchange(client, ['PUT', rulesOf(name), ruling()], { status });
      }
    await exchange(auditor, ['GET', rulesOf('owner/app')], { status: 200 });
    await exchange(auditor, ['PUT', rulesOf('owner/app'), ruling()], { status: 403 });
    for (const client of [own, auditor])
      await exchange(client, ['GET', rulesOf('owner/app')], { status: 200, json: { rules: ['v*', 'w'] } });
    await exchange(own, ['PUT', rulesOf('owner/none'), ruling()], { status: 404 });
  });

  for (const [what, body] of [
    ['no rules', '{}'],
    ['something else beside the rules', '{"rules":[],"more":1}'],
    ['rules that are no list', '{"rules":"v*"}'],
    ['a rule that is no text', '{"rules":[1]}'],
    ['a regular expression', '{"rules":["v[0-9]+"]}'],
    ['a rule twice', '{"rules":["v*","v*"]}'],
    ['too many rules', JSON.stringify({ rules: Array.from({ length: 51 }, (_, n) => `v${n}`) })],
    ['no JSON', '{"rules":'],
  ] as const)
    it(`are not ruled by ${what}`, async () => {
      await pushBlob(admin, 'i/rules', IMAGE.config);
      const answer = await exchange(
        admin,
        ['PUT', rulesOf('i/rules'), { body, headers: { 'content-type': 'application/json' } }],
        { status: 400 },
      );
      expect(jsonOf(answer).error).to.include({ code: 'INVALID_REQUEST' });
      await exchange(admin, ['GET', rulesOf('i/rules')], { status: 200, json: { rules: [] } });
    });

  exchanges(registry, [
    {
      it: 'have no other methods than GET and PUT',
      send: ['DELETE', rulesOf('i/rules')],
      gets: { status: 405, headers: { allow: 'GET, HEAD, PUT' } },
    },
    {
      it: 'are nothing beside which there is something else',
      send: ['GET', `${managed('i/rules')}/-/else`],
      gets: { status: 404 },
    },
  ]);
});

describe('released manifests', () => {
  const registry = registryFor();

  it('are counted, with the cause, until something holds them again', async () => {
    const { admin, app } = registry();
    await pushImage(admin, 'h/app', 'v1', IMAGE);
    await pushImage(admin, 'h/app', 'v1', OTHER);
    const [{ value } = { value: undefined }] = (await app.views.find(releasedManifests, { limit: 10 })).items;
    expect(value).to.include({ repository: 'h/app', digest: IMAGE.manifest.digest, cause: 'tagMoved' });
    expect((await app.views.totals(releasedManifests)).sums).to.deep.equal({ manifests: 1 });
    await pushManifest(admin, 'h/app', 'v2', indexOf([IMAGE]).manifest);
    expect(await app.views.count(releasedManifests)).to.equal(0);
  });
});
