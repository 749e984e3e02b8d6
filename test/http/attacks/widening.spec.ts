import { expect } from 'chai';
import { decodeJwt } from 'jose';
import { registryFor } from '../../support/app.ts';
import { basic, bearer, expectStatus, type HttpClient, pushImage, type Sending, startUpload } from '../../support/http.ts';
import { accessTokenOf } from '../../support/identities.ts';
import { randomImage } from '../../support/images.ts';
import { PASSWORD } from '../../support/registryProcess.ts';
import { jsonOf } from '../exchanges.ts';
import { form, idOf, json, tellingOf } from './given.ts';

const IMAGE = randomImage('widening', { layers: 1 });
const OTHER = randomImage('widening, other', { layers: 1 });
const { digest } = IMAGE.manifest;
const BLOB = IMAGE.config.digest;
const PUSH: Sending = { body: IMAGE.manifest.bytes, headers: { 'content-type': IMAGE.manifest.mediaType } };

type Ask = readonly [method: string, path: string, sending?: Sending];

const pulls = (name: string): readonly Ask[] => [
  ['GET', `/v2/${name}/manifests/latest`],
  ['HEAD', `/v2/${name}/manifests/${digest}`],
  ['GET', `/v2/${name}/blobs/${BLOB}`],
  ['GET', `/v2/${name}/tags/list`],
  ['GET', `/v2/${name}/referrers/${digest}`],
  ['GET', `/api/v1/repositories/${name}`],
];
const pushes = (name: string): readonly Ask[] => [
  ['PUT', `/v2/${name}/manifests/v2`, PUSH],
  ['PUT', `/v2/${name}/manifests/${digest}?tag=v3&tag=v4`, PUSH],
  ['POST', `/v2/${name}/blobs/uploads/`],
  ['POST', `/v2/${name}/blobs/uploads/?mount=${BLOB}&from=ann/web`],
  ['POST', `/v2/${name}/blobs/uploads/?digest=${BLOB}`, { body: IMAGE.config.bytes }],
];
const deletes = (name: string): readonly Ask[] => [
  ['DELETE', `/v2/${name}/manifests/latest`],
  ['DELETE', `/v2/${name}/manifests/${digest}`],
  ['DELETE', `/v2/${name}/blobs/${BLOB}`],
  ['DELETE', `/v2/${name}`],
  ['DELETE', `/api/v1/repositories/${name}`],
];
const rules = (name: string): readonly Ask[] => [
  ['PATCH', `/api/v1/repositories/${name}`, json({ visibility: 'public' })],
  ['PUT', `/api/v1/repositories/${name}/-/immutability`, json({ rules: [] })],
  ['POST', `/api/v1/repositories/${name}/-/grants`, json({ user: 'bob', level: 'admin' })],
];
const OWN_ACCOUNT: readonly Ask[] = [
  ['PATCH', '/api/v1/users/me', json({ email: 'else@where.example' })],
  ['POST', '/api/v1/users/me/password', json({ current_password: PASSWORD, new_password: 'quite another passphrase' })],
  ['GET', '/api/v1/tokens'],
  ['POST', '/api/v1/tokens', json({ name: 'more', permissions: ['admin'] })],
  ['DELETE', '/api/v1/tokens/1'],
];
const REGISTRY: readonly Ask[] = [
  ['GET', '/api/v1/users'],
  ['POST', '/api/v1/users', json({ username: 'friend', password: PASSWORD, role: 'admin' })],
  ['PATCH', '/api/v1/users/1', json({ role: 'user' })],
  ['GET', '/api/v1/tokens?user_id=all'],
];
const CATALOG: readonly Ask[] = [['GET', '/v2/_catalog']];

describe('a token of limited scope', () => {
  const registry = registryFor();
  let ann: HttpClient;
  before(async () => {
    ann = await registry().register('ann');
    const bob = await registry().register('bob');
    for (const name of ['ann/web', 'ann/web2', 'ann/web/sub', 'ann/we', 'ann/base']) await pushImage(ann, name, 'latest', IMAGE);
    await pushImage(ann, 'ann/base', 'other', OTHER);
    await pushImage(bob, 'bob/web', 'latest', IMAGE);
  });

  const docker =
    (scope: string, username = 'ann') =>
    (): Promise<HttpClient> =>
      registry().withToken(username, scope);
  const access = (permissions: readonly string[], repositories: readonly string[] = []) => {
    return async (): Promise<HttpClient> => ann.as(`Bearer ${(await accessTokenOf(ann, { permissions, repositories })).value}`);
  };
  const dockerBy = (permissions: readonly string[], repositories: readonly string[] = []) => {
    return async (): Promise<HttpClient> => {
      const { value } = await accessTokenOf(ann, { permissions, repositories });
      const scope = ['web', 'web2', 'web/sub', 'base'].map((name) => `repository:ann/${name}:*`).join(' ');
      return ann.as(await bearer(ann, basic('ann', value), `${scope} repository:bob/web:* registry:catalog:*`));
    };
  };

  const ROWS: readonly Readonly<{ it: string; by: () => Promise<HttpClient>; may: readonly Ask[]; mayNot: readonly Ask[] }>[] = [
    {
      it: 'to pull, of docker’s, does that there and nothing else',
      by: docker('repository:ann/web:pull'),
      may: pulls('ann/web').slice(0, 5),
      mayNot: [
        ...[...pushes('ann/web'), ...deletes('ann/web'), ...rules('ann/web')],
        ...['ann/web2', 'ann/web/sub', 'ann/we', 'bob/web'].flatMap(pulls),
        ...[...CATALOG, ...OWN_ACCOUNT, ...REGISTRY],
      ],
    },
    {
      it: 'to push, of docker’s, neither pulls, deletes, nor changes the rules',
      by: docker('repository:ann/web:push'),
      may: pushes('ann/web').slice(2, 3),
      mayNot: [...pulls('ann/web'), ...deletes('ann/web'), ...rules('ann/web'), ...pushes('ann/web2'), ...OWN_ACCOUNT],
    },
    {
      it: 'to do everything in one repository, of docker’s, changes neither rules nor accounts',
      by: docker('repository:ann/web:*'),
      may: [...pulls('ann/web').slice(0, 5), ...pushes('ann/web').slice(0, 1)],
      mayNot: [...rules('ann/web'), ...pulls('ann/web2'), ...CATALOG, ...OWN_ACCOUNT, ...REGISTRY],
    },
    {
      it: 'for the catalog, of docker’s, pulls nothing',
      by: docker('registry:catalog:*'),
      may: CATALOG,
      mayNot: [...pulls('ann/web'), ...pushes('ann/web'), ...OWN_ACCOUNT, ...REGISTRY],
    },
    {
      it: 'of no scope does nothing',
      by: docker(''),
      may: [['GET', '/v2/']],
      mayNot: [...pulls('ann/web'), ...pushes('ann/web'), ...deletes('ann/web'), ...CATALOG, ...OWN_ACCOUNT, ...REGISTRY],
    },
    {
      it: 'to pull, as an access token, neither pushes, deletes, nor makes tokens',
      by: access(['pull']),
      may: [...pulls('ann/web'), ...CATALOG],
      mayNot: [
        ...pushes('ann/web'),
        ...deletes('ann/web'),
        ...rules('ann/web'),
        ...pulls('bob/web'),
        ...OWN_ACCOUNT,
        ...REGISTRY,
      ],
    },
    {
      it: 'to push and delete, as an access token, changes no rules',
      by: access(['push', 'delete']),
      may: pushes('ann/web').slice(2, 3),
      mayNot: [
        ...pulls('ann/web'),
        ...rules('ann/web'),
        ...pushes('bob/web'),
        ...deletes('bob/web'),
        ...OWN_ACCOUNT,
        ...REGISTRY,
      ],
    },
    {
      it: 'for one repository, as an access token, knows no other whose name begins alike',
      by: access(['pull', 'push', 'delete', 'admin'], ['ann/web']),
      may: pulls('ann/web'),
      mayNot: [
        ...['ann/web2', 'ann/web/sub', 'ann/we', 'bob/web'].flatMap((name) => [
          ...pulls(name),
          ...pushes(name),
          ...deletes(name),
        ]),
        ...[...OWN_ACCOUNT, ...REGISTRY],
      ],
    },
    {
      it: 'for a prefix, as an access token, knows what is under it, and not what it is the beginning of',
      by: access(['pull', 'push', 'delete'], ['ann/web/*']),
      may: pulls('ann/web/sub'),
      mayNot: ['ann/web', 'ann/web2', 'bob/web'].flatMap((name) => [...pulls(name), ...pushes(name), ...deletes(name)]),
    },
    {
      it: 'for repositories of others, as an access token, gets nothing from them',
      by: access(['pull', 'push', 'delete', 'admin'], ['bob/*', 'bob/web']),
      may: [['GET', '/v2/']],
      mayNot: [...pulls('bob/web'), ...pushes('bob/web'), ...deletes('bob/web'), ...rules('bob/web'), ...pulls('ann/web')],
    },
    {
      it: 'that docker got for an access token is no wider than that',
      by: dockerBy(['pull'], ['ann/web']),
      may: pulls('ann/web').slice(0, 5),
      mayNot: [
        ...pushes('ann/web'),
        ...deletes('ann/web'),
        ...pulls('ann/web2'),
        ...pulls('bob/web'),
        ...CATALOG,
        ...OWN_ACCOUNT,
      ],
    },
    {
      it: 'of an administrator for one repository administers nothing',
      by: async () => {
        const { value } = await accessTokenOf(registry().admin, { permissions: ['admin'], repositories: ['ann/web'] });
        return ann.as(`Bearer ${value}`);
      },
      may: pulls('ann/web'),
      mayNot: [...pulls('bob/web'), ...deletes('bob/web'), ...OWN_ACCOUNT, ...REGISTRY],
    },
  ];

  for (const { it: title, by, may, mayNot } of ROWS)
    it(title, async () => {
      const client = await by();
      for (const [method, path, sending] of may)
        expect((await client.send(method, path, sending)).status, `${method} ${path}`).to.be.within(200, 299);
      const before = await registry().head();
      for (const [method, path, sending] of mayNot) {
        const { status } = await client.send(method, path, sending);
        // A mount that may not be done is an upload: of the caller's own repository alone.
        expect(status, `${method} ${path}`).to.be.oneOf([401, 403, 404]);
      }
      expect(await registry().head(), 'nothing was done').to.equal(before);
    });

  it('mounts nothing from where it may not pull, though its user may', async () => {
    const client = await registry().withToken('ann', 'repository:ann/web:pull,push');
    const own = OTHER.config.digest;
    for (const from of ['&from=ann/base', '']) {
      const { status, headers } = await client.send('POST', `/v2/ann/web/blobs/uploads/?mount=${own}${from}`);
      expect(status, from).to.be.oneOf([401, 202]);
      if (status === 401) expect(headers['www-authenticate']).to.contain('repository:ann/base:pull');
    }
    expect((await client.send('HEAD', `/v2/ann/web/blobs/${own}`)).status).to.equal(404);
  });

  it('goes on with no upload that a wider one began elsewhere', async () => {
    const location = await startUpload(ann, 'ann/web2');
    const client = await registry().withToken('ann', 'repository:ann/web:pull,push');
    const id = location.split('/').at(-1);
    for (const path of [location, `/v2/ann/web/blobs/uploads/${id}`])
      for (const method of ['GET', 'PATCH', 'DELETE'])
        expect((await client.send(method, path, method === 'PATCH' ? { body: 'x' } : {})).status).to.be.oneOf([401, 404]);
    expect((await ann.send('GET', location)).headers.range).to.equal('0-0');
  });

  describe('cannot be asked for more', () => {
    const STRANGE = [
      ...['repository:BOB/web:pull', 'repository:bob%2fweb:pull', 'repository:bob%2Fweb:*', 'repository:/bob/web:pull'],
      ...[
        'repository:bob/web/:pull',
        'repository:bob//web:pull',
        'repository:ann/web/../../bob/web:pull',
        'repository:./bob/web:*',
      ],
      ...['repository:*:*', 'repository:bob/*:pull', 'repository:**:pull', 'repository::pull', 'repository:bob/web:PULL'],
      ...['repository(plugin):bob/web:pull', 'repository(image):bob/web:*', 'repository:registry.test:5000/bob/web:pull'],
      ...['repository:bob/web:pull;push', 'repository:bob/web:pull:push', 'repository:bob/web:pull,repository:bob/web:push'],
      ...[
        'registry:*:*',
        'registry:manageUsers:*',
        'registry:catalog:manageUsers',
        'registry:version:*',
        'user:1:*',
        'team:1:admin',
      ],
      ...[
        '__proto__:bob/web:pull',
        'constructor:x:*',
        'repository:__proto__:*',
        'repository:bob/web\u0000:pull',
        'repository:bоb/web:pull',
      ],
      ...['repository:ann/web:configure,transfer,inspect,admin', 'repository:bob/web:constructor'],
    ];
    for (const scope of STRANGE)
      it(`by ${JSON.stringify(scope)}`, async () => {
        const token = String(await bearer(ann, basic('ann', PASSWORD), scope)).slice(7);
        expect(decodeJwt(token).access).to.deep.equal([]);
        const client = ann.as(`Bearer ${token}`);
        for (const [method, path] of [...pulls('bob/web'), ...REGISTRY, ...CATALOG])
          expect((await client.send(method, path)).status, path).to.be.oneOf([401, 403, 404]);
      });

    it('by itself, at the token service', async () => {
      const token = await docker('repository:ann/web:pull')();
      for (const query of ['', '?scope=repository:ann/web:pull,push', '?scope=registry:catalog:*&offline_token=true'])
        expect((await token.send('GET', `/auth${query}`)).status, query).to.equal(401);
    });

    it('by one that was refreshed with what an access token got', async () => {
      const { value } = await accessTokenOf(ann, { permissions: ['pull'], repositories: ['ann/web'] });
      const { anonymous } = registry();
      const offline = form({ grant_type: 'password', username: 'ann', password: value, access_type: 'offline' });
      const held = String(jsonOf(expectStatus('offline', await anonymous.send('POST', '/auth', offline), 200)).refresh_token);
      const scope = 'repository:ann/web:* repository:ann/web2:pull registry:catalog:*';
      const answer = await anonymous.send('POST', '/auth', form({ grant_type: 'refresh_token', refresh_token: held, scope }));
      expect(jsonOf(answer).scope).to.equal('repository:ann/web:pull');
    });

    it('by an access token that makes another, for longer', async () => {
      const short = new Date(Date.now() + 3_600_000).toISOString();
      const made = await ann.send('POST', '/api/v1/tokens', json({ name: 'short', permissions: ['admin'], expires_at: short }));
      const client = ann.as(`Bearer ${jsonOf(expectStatus('token', made, 201)).token}`);
      const own = jsonOf(
        expectStatus('own', await client.send('POST', '/api/v1/tokens', json({ name: 'x', permissions: ['admin'] })), 201),
      );
      expect(Date.parse(String(own.expires_at))).to.be.at.most(Date.parse(short));
      const longer = json({ name: 'x', permissions: ['pull'], expires_at: new Date(Date.now() + 86_400_000).toISOString() });
      expect((await client.send('POST', '/api/v1/tokens', longer)).status).to.equal(400);
    });

    it('by a user, for the token of another', async () => {
      const bob = ann.as(basic('bob', PASSWORD));
      const { id } = await accessTokenOf(ann, { permissions: ['pull'] });
      const body = json({ name: 'x', permissions: ['pull'], user_id: await idOf(ann) });
      expect((await bob.send('POST', '/api/v1/tokens', body)).status).to.equal(403);
      expect(tellingOf(await bob.send('DELETE', `/api/v1/tokens/${id}`)).status).to.equal(404);
      for (const change of [
        { role: 'admin' },
        { suspended: false },
        { id: 1 },
        { username: 'admin' },
        { userId: 1, email: null },
      ])
        expect((await bob.send('PATCH', '/api/v1/users/me', json(change))).status, JSON.stringify(change)).to.equal(400);
    });
  });

  it('means the same repository however its name is encoded, and no other', async () => {
    const client = await registry().withToken('ann', 'repository:ann/web:pull');
    for (const path of ['ann%2Fweb', 'ann%2fweb', '%61nn/web', 'ann/we%62'])
      expect((await client.send('GET', `/v2/${path}/tags/list`)).status, path).to.equal(200);
    for (const path of [
      'bob%2Fweb',
      '%62ob/web',
      'ann/web%2Fsub',
      'ann%252Fweb',
      'ANN/web',
      'ann/web%00',
      'ann/web%2F',
      'ann/web%2F..%2Fweb2',
    ])
      expect((await client.send('GET', `/v2/${path}/tags/list`)).status, path).to.be.within(400, 404);
  });
});
