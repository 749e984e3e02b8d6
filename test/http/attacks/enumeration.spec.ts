import { expect } from 'chai';
import { registryFor, type TestApp } from '../../support/app.ts';
import { type Answer, basic, bearer, type HttpClient, pushImage, type Sending } from '../../support/http.ts';
import { accessTokenOf } from '../../support/identities.ts';
import { digestOf, randomImage } from '../../support/images.ts';
import { PASSWORD } from '../../support/registryProcess.ts';
import { jsonOf } from '../exchanges.ts';
import { DOORS, hashesDuring, idOf, json, suspend, tellingOf, tokensOf } from './given.ts';

const WRONG = 'not-the-password-of-anybody';

describe('whoever tries names', () => {
  const registry = registryFor();
  /** Each with a password that does not let him in. The first is nobody. */
  const PEOPLE = [
    ['nobody', PASSWORD],
    ['present', WRONG],
    ['suspended', PASSWORD],
    ['suspended', WRONG],
    ['removed', PASSWORD],
    ['machine', WRONG],
  ] as const;
  const held: Record<string, Readonly<{ session: string; refresh: string; access: string }>> = {};

  before(async () => {
    for (const name of ['present', 'suspended', 'removed']) {
      const client = await registry().register(name);
      const access = await accessTokenOf(client, { permissions: ['pull', 'admin'] });
      held[name] = { ...(await tokensOf(registry(), name)), access: access.value };
      if (name === 'suspended') await suspend(registry(), await idOf(client));
      if (name === 'removed') await registry().admin.send('DELETE', `/api/v1/users/${await idOf(client)}`);
    }
    await registry().register('machine', 'robot');
  });

  for (const { door, knock } of DOORS)
    it(`learns nothing at ${door}: one answer to all, and one hash for each`, async () => {
      let nobodys: unknown;
      for (const [username, password] of PEOPLE) {
        let answer: Answer | undefined;
        const hashes = await hashesDuring(async () => {
          answer = await knock(registry(), username, password);
        });
        expect(hashes, `hashes for ${username}`).to.equal(1);
        expect(answer?.status).to.equal(401);
        const told = tellingOf(answer as Answer);
        nobodys ??= told;
        expect(told, username).to.deep.equal(nobodys);
      }
    });

  it('learns nothing with tokens of people who may not log in any more', async () => {
    const { admin, anonymous } = registry();
    const none = await admin.as('Bearer rubbish').send('GET', '/v2/');
    for (const name of ['suspended', 'removed'])
      for (const token of [held[name]?.session, held[name]?.access])
        expect(tellingOf(await admin.as(`Bearer ${token}`).send('GET', '/v2/')), name).to.deep.equal(tellingOf(none));
    const refreshing = (token: string | undefined): Promise<Answer> =>
      anonymous.send('POST', '/auth', {
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        body: `grant_type=refresh_token&refresh_token=${token}`,
      });
    const rubbish = tellingOf(await refreshing('rubbish'));
    expect(rubbish.status).to.equal(401);
    for (const name of ['suspended', 'removed']) expect(tellingOf(await refreshing(held[name]?.refresh))).to.deep.equal(rubbish);
  });

  it('spends no hash on passwords that are longer than any, whoever they are for', async () => {
    for (const username of ['nobody', 'present'])
      for (const { knock } of DOORS.slice(3)) {
        let status: number | undefined;
        const hashes = await hashesDuring(async () => {
          ({ status } = await knock(registry(), username, 'x'.repeat(60_000)));
        });
        expect([status, hashes]).to.deep.equal([401, 0]);
      }
  });

  it('is told of no account by numbers: those of others are answered as those that there are not', async () => {
    const { admin } = registry();
    const present = admin.as(basic('present', PASSWORD));
    const [mine, adminsToken] = [await idOf(present), await accessTokenOf(admin, { permissions: ['pull'] })];
    for (const [method, path, body] of [
      ['GET', '/api/v1/users/ID'],
      ['PATCH', '/api/v1/users/ID', {}],
      ['DELETE', '/api/v1/users/ID'],
      ['POST', '/api/v1/users/ID/password', {}],
      ['GET', '/api/v1/tokens?user_id=ID'],
      ['DELETE', '/api/v1/tokens/ID'],
    ] as const) {
      const sending = body === undefined ? {} : json(body);
      const ids = path.includes('tokens/') ? [adminsToken.id, 999_999] : [mine - 1, 999_999];
      const answers = [];
      for (const id of ids)
        answers.push(tellingOf(await present.send(method, path.replace('ID', String(id)), sending), String(id)));
      for (const answer of answers) delete (answer.headers as Record<string, unknown>)['content-length'];
      expect(answers[0]?.status, path).to.be.oneOf([403, 404]);
      expect(answers[0], `${method} ${path}`).to.deep.equal(answers[1]);
    }
  });
});

const IMAGE = randomImage('hidden', { layers: 1 });
const DIGEST = IMAGE.manifest.digest;
const BLOB = IMAGE.config.digest;
const UPLOAD = '0a000000-0000-4000-8000-000000000000';

type Ask = readonly [method: string, path: string, sending?: Sending];

/** Everything that can be asked of a repository by its name. */
const QUESTIONS: readonly Ask[] = [
  ...['latest', DIGEST].flatMap((reference): Ask[] => [
    ['GET', `/v2/NAME/manifests/${reference}`],
    ['HEAD', `/v2/NAME/manifests/${reference}`],
    ['DELETE', `/v2/NAME/manifests/${reference}`],
    [
      'PUT',
      `/v2/NAME/manifests/${reference}`,
      { body: IMAGE.manifest.bytes, headers: { 'content-type': IMAGE.manifest.mediaType } },
    ],
  ]),
  ['GET', `/v2/NAME/blobs/${BLOB}`],
  ['HEAD', `/v2/NAME/blobs/${BLOB}`],
  ['DELETE', `/v2/NAME/blobs/${BLOB}`],
  ['GET', '/v2/NAME/tags/list'],
  ['GET', `/v2/NAME/referrers/${DIGEST}`],
  ['POST', '/v2/NAME/blobs/uploads/'],
  ['POST', `/v2/NAME/blobs/uploads/?mount=${BLOB}&from=NAME`],
  ['POST', `/v2/NAME/blobs/uploads/?digest=${BLOB}`, { body: IMAGE.config.bytes }],
  ['GET', `/v2/NAME/blobs/uploads/${UPLOAD}`],
  ['PATCH', `/v2/NAME/blobs/uploads/${UPLOAD}`, { body: 'x' }],
  ['PUT', `/v2/NAME/blobs/uploads/${UPLOAD}?digest=${BLOB}`],
  ['DELETE', `/v2/NAME/blobs/uploads/${UPLOAD}`],
  ['DELETE', '/v2/NAME'],
  ['GET', '/api/v1/repositories/NAME'],
  ['PATCH', '/api/v1/repositories/NAME', json({ description: 'mine now' })],
  ['PUT', '/api/v1/repositories/NAME', json({ visibility: 'public' })],
  ['DELETE', '/api/v1/repositories/NAME'],
  ['GET', '/api/v1/repositories/NAME/-/immutability'],
  ['PUT', '/api/v1/repositories/NAME/-/immutability', json({ rules: ['*'] })],
  ['GET', '/api/v1/repositories/NAME/-/grants'],
  ['POST', '/api/v1/repositories/NAME/-/grants', json({ user: 'stranger', level: 'admin' })],
  ['DELETE', '/api/v1/repositories/NAME/-/grants/1'],
];

for (const pull of ['on', 'off'] as const)
  describe(`a private repository, with anonymous pull ${pull},`, () => {
    const registry = registryFor({ GHOSTDOCK_ANONYMOUS_PULL: pull });
    const [HIDDEN, MISSING] = ['hidden/one', 'hidden/two'];
    before(async () => {
      await pushImage(registry().admin, HIDDEN, 'latest', IMAGE);
      await registry().register('stranger');
    });

    const stranger = ({ admin }: TestApp): HttpClient => admin.as(basic('stranger', PASSWORD));
    const asToken = async (app: TestApp, permissions: readonly string[], repositories: readonly string[]): Promise<HttpClient> =>
      app.admin.as(`Bearer ${(await accessTokenOf(stranger(app), { permissions, repositories })).value}`);

    const CALLERS: readonly (readonly [who: string, client: (app: TestApp) => HttpClient | Promise<HttpClient>])[] = [
      ['nobody', ({ anonymous }) => anonymous],
      ['a stranger', stranger],
      [
        'a stranger’s token of docker for both',
        (app) => app.withToken('stranger', `repository:${HIDDEN}:* repository:${MISSING}:*`),
      ],
      ['a stranger’s token of docker for something else', (app) => app.withToken('stranger', 'repository:stranger/x:pull,push')],
      ['a stranger’s access token', (app) => asToken(app, ['admin'], [])],
      ['a stranger’s access token for just that', (app) => asToken(app, ['pull', 'push', 'delete'], ['hidden/*'])],
    ];
    for (const [who, client] of CALLERS)
      it(`is to ${who} as one that there is not, whatever is asked`, async () => {
        const asking = await client(registry());
        const before = await registry().head();
        for (const [method, path, sending] of QUESTIONS) {
          const told = [];
          for (const name of [HIDDEN, MISSING])
            told.push(
              tellingOf(await asking.send(method, path.replaceAll('NAME', name), sending), name, encodeURIComponent(name)),
            );
          expect(told[0]?.status, `${method} ${path}`).to.be.oneOf([401, 403, 404]);
          expect(told[0], `${method} ${path}`).to.deep.equal(told[1]);
        }
        expect(await registry().head(), 'nothing was done').to.equal(before);
      });

    it('is in no list and no count of a stranger’s', async () => {
      const app = registry();
      for (const path of ['/v2/_catalog', '/api/v1/repositories']) {
        const asking = path.startsWith('/v2') ? await app.withToken('stranger', 'registry:catalog:*') : stranger(app);
        const { status, body } = await asking.send('GET', path);
        expect(status, path).to.equal(200);
        expect(body.toString()).to.not.contain('hidden');
        expect(jsonOf({ status, body, headers: {} }).total ?? 0, path).to.equal(0);
      }
    });

    it('gives nothing away by a mount, nor by what a manifest may name', async () => {
      const app = registry();
      const started = [];
      for (const name of [HIDDEN, MISSING]) {
        const path = `/v2/stranger/copy/blobs/uploads/?mount=${BLOB}&from=${name}`;
        const { status, headers } = await stranger(app).send('POST', path);
        started.push([status, Object.keys(headers)]);
      }
      expect(started[0]).to.deep.equal(started[1]);
      expect(started[0]?.[0]).to.equal(202);
      expect((await stranger(app).send('POST', `/v2/stranger/copy/blobs/uploads/?mount=${BLOB}`)).status).to.equal(202);
      const push = { body: IMAGE.manifest.bytes, headers: { 'content-type': IMAGE.manifest.mediaType } };
      const known = await stranger(app).send('PUT', '/v2/stranger/copy/manifests/v1', push);
      const other = Buffer.from(IMAGE.manifest.bytes.toString().replaceAll(BLOB, digestOf('nothing that there is')));
      const unknown = await stranger(app).send('PUT', '/v2/stranger/copy/manifests/v1', { ...push, body: other });
      expect([known.status, unknown.status]).to.deep.equal([400, 400]);
      expect(known.body.toString()).to.contain('MANIFEST_BLOB_UNKNOWN').and.to.contain(BLOB);
    });

    it('gives no more in a token than a missing one', async () => {
      const app = registry();
      const scope = (name: string) => bearer(app.admin, basic('stranger', PASSWORD), `repository:${name}:pull,push,delete,*`);
      for (const name of [HIDDEN, MISSING]) {
        const [, payload = ''] = String(await scope(name)).split('.');
        expect(JSON.parse(Buffer.from(payload, 'base64url').toString()).access).to.deep.equal([]);
      }
    });
  });
