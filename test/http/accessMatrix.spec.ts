import { expect } from 'chai';
import type { Level } from '../../src/events/grants.ts';
import { registryFor } from '../support/app.ts';
import { basic, bearer, type HttpClient, pushImage } from '../support/http.ts';
import { accessTokenOf } from '../support/identities.ts';
import { randomImage } from '../support/images.ts';
import { PASSWORD } from '../support/registryProcess.ts';
import { requires } from '../support/reporter.ts';
import { chosenStores } from '../support/stores.ts';
import { jsonOf } from './exchanges.ts';
import { call } from './management/calls.ts';

const IMAGE = randomImage('access matrix', { layers: 1 });

type Action = 'pull' | 'push' | 'delete' | 'configure' | 'inspect' | 'transfer';
type Request = readonly [action: Action, method: string, path: string, allowed: number, body?: unknown];

/** Every action by each surface that has it, in a way that changes nothing, with what those get who may. */
const requestsIn = (name: string): readonly Request[] => [
  ['pull', 'GET', `/v2/${name}/manifests/v1`, 200],
  ['pull', 'HEAD', `/v2/${name}/blobs/${IMAGE.config.digest}`, 200],
  ['pull', 'GET', `/v2/${name}/tags/list`, 200],
  ['pull', 'GET', `/v2/${name}/referrers/${IMAGE.manifest.digest}`, 200],
  ['push', 'GET', `/v2/${name}/blobs/uploads/none`, 404],
  ['push', 'PUT', `/v2/${name}/manifests/v1`, 400],
  ['delete', 'DELETE', `/v2/${name}/manifests/none`, 404],
  ['delete', 'DELETE', `/v2/${name}`, 409],
  ['pull', 'GET', `/api/v1/repositories/${name}`, 200],
  ['configure', 'PATCH', `/api/v1/repositories/${name}`, 200, {}],
  ['configure', 'PUT', `/api/v1/repositories/${name}/-/immutability`, 200, { rules: ['v*'] }],
  ['configure', 'DELETE', `/api/v1/repositories/${name}/-/grants/999999`, 404],
  ['inspect', 'GET', `/api/v1/repositories/${name}/-/grants`, 200],
  ['inspect', 'GET', `/api/v1/repositories/${name}/-/immutability`, 200],
  ['transfer', 'PATCH', `/api/v1/repositories/${name}`, 200, { owner: 'admin' }],
  ['delete', 'DELETE', `/api/v1/repositories/${name}`, 409],
];

const ROLES = ['admin', 'auditor', 'user', 'robot'] as const;
const LEVELS = ['none', 'read', 'write', 'admin'] as const;
const VISIBILITIES = ['private', 'public'] as const;
/** How it is granted: to the user or to a team on the name, or to a team on a prefix. */
const WAYS = ['user', 'team', 'prefix'] as const;

type Place = Readonly<{
  name: string;
  visibility: (typeof VISIBILITIES)[number];
  level: (typeof LEVELS)[number];
  way: (typeof WAYS)[number];
}>;
const PLACES: readonly Place[] = VISIBILITIES.flatMap((visibility) =>
  LEVELS.flatMap((level) =>
    WAYS.filter((way) => level !== 'none' || way === 'user').map((way) => ({
      name: `${visibility}/${level}/${way}/app`,
      visibility,
      level,
      way,
    })),
  ),
);

/** What a request is sent with: the password, an access token, or a token of the token service. */
type Credential = Readonly<{ permissions?: readonly string[]; globs?: readonly string[]; scoped?: string }>;
const CREDENTIALS: Readonly<Record<string, Credential>> = {
  'the password': {},
  'a token to pull': { permissions: ['pull'] },
  'a token to push': { permissions: ['push'] },
  'a token to pull and delete': { permissions: ['pull', 'delete'] },
  'a token for everything': { permissions: ['admin'] },
  'a token for everything in what is private': { permissions: ['admin'], globs: ['private/*'] },
  'a token of docker’s to pull': { scoped: 'pull' },
  'a token of docker’s for everything': { scoped: 'pull,push,delete' },
};

const GIVES: Readonly<Record<Place['level'], string>> = {
  none: '',
  read: 'pull',
  write: 'pull push',
  admin: 'pull push delete configure inspect',
};

// The rules once more, in the fewest words.
const userMay = (role: string, { visibility, level }: Place, action: Action): boolean => {
  if (role === 'admin') return true;
  if (role === 'auditor') return action === 'pull' || action === 'inspect';
  if (visibility === 'public' && action === 'pull') return true;
  return role !== 'anonymous' && GIVES[level].split(' ').includes(action);
};
const credentialMay = ({ permissions, globs, scoped }: Credential, { visibility }: Place, action: Action): boolean => {
  if (globs !== undefined && visibility !== 'private') return false;
  if (scoped !== undefined) return scoped.split(',').includes(action);
  return permissions === undefined || permissions.includes('admin') || permissions.includes(action);
};

describe('access', function () {
  requires(this, chosenStores() === 'embedded', 'thousands of requests whose answers no store has a part in');
  const registry = registryFor({ GHOSTDOCK_ANONYMOUS_PULL: 'on' });
  const senders = new Map<string, (place: Place) => HttpClient>();

  const grant = async (scope: string, whose: object, level: Level): Promise<void> => {
    const path = scope.endsWith('/*') ? '/api/v1/grants' : `/api/v1/repositories/${scope}/-/grants`;
    const body = scope.endsWith('/*') ? { scope, level, ...whose } : { level, ...whose };
    expect((await call(registry().admin, 'POST', path, body)).status).to.equal(201);
  };

  const join = async (username: string): Promise<void> => {
    expect((await call(registry().admin, 'POST', '/api/v1/teams/1/members', { user: username })).status).to.equal(201);
  };

  const clientOf = async (client: HttpClient, username: string, { permissions, globs, scoped }: Credential) => {
    if (permissions !== undefined) {
      const { value } = await accessTokenOf(client, { permissions, ...(globs && { repositories: globs }) });
      return () => registry().admin.as(`Bearer ${value}`);
    }
    if (scoped === undefined) return () => client;
    const scopes = PLACES.map(({ name }) => `repository:${name}:${scoped}`);
    const token = await bearer(registry().admin, basic(username, PASSWORD), scopes.join(' '));
    return () => registry().admin.as(token);
  };

  before(async () => {
    const { admin, register } = registry();
    await call(admin, 'POST', '/api/v1/teams', { name: 'all' });
    const usernames = ROLES.map((role) => `one-${role}`);
    const clients = await Promise.all(ROLES.map((role) => register(`one-${role}`, role)));
    for (const username of usernames) await join(username);
    for (const { name, visibility, level, way } of PLACES) {
      await pushImage(admin, name, 'v1', IMAGE);
      await call(admin, 'PUT', `/api/v1/repositories/${name}/-/immutability`, { rules: ['v*'] });
      await call(admin, 'PATCH', `/api/v1/repositories/${name}`, { visibility });
      if (level === 'none') continue;
      if (way === 'user') for (const user of usernames) await grant(name, { user }, level);
      else await grant(way === 'team' ? name : name.replace(/app$/, '*'), { team: 'all' }, level);
    }
    for (const [index, role] of ROLES.entries())
      for (const [what, credential] of Object.entries(CREDENTIALS))
        senders.set(`${role} with ${what}`, await clientOf(clients[index] ?? admin, `one-${role}`, credential));
    senders.set('anonymous with nothing', () => registry().anonymous);
  });

  for (const role of [...ROLES, 'anonymous'])
    for (const [what, credential] of Object.entries(role === 'anonymous' ? { nothing: {} } : CREDENTIALS))
      it(`of ${role} with ${what} is what role, visibility, grants and token allow together`, async () => {
        const client = senders.get(`${role} with ${what}`);
        const head = await registry().head();
        const ask = async (place: Place): Promise<void> => {
          for (const [action, method, path, allowed, body] of requestsIn(place.name)) {
            const sending =
              body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } };
            const { status, body: answer } = (await client?.(place).send(method, path, sending)) ?? {};
            const [byUser, byToken] = [userMay(role, place, action), credentialMay(credential, place, action)];
            const wantsScope = credential.scoped !== undefined && byUser && path.startsWith('/v2');
            const refused = role === 'anonymous' || wantsScope ? 401 : 403;
            expect(status, `${action}: ${method} ${path} ${answer}`).to.equal(byUser && byToken ? allowed : refused);
          }
        };
        await Promise.all(PLACES.map(ask));
        expect(await registry().head(), 'nothing was recorded').to.equal(head);
      });

  for (const role of [...ROLES, 'anonymous'])
    it(`of ${role} is what lists show`, async () => {
      const client = senders.get(role === 'anonymous' ? 'anonymous with nothing' : `${role} with the password`)?.(
        PLACES[0] as Place,
      );
      const expected = PLACES.filter((place) => userMay(role, place, 'pull'))
        .map(({ name }) => name)
        .sort((one, other) => (one < other ? -1 : 1));
      const catalog = jsonOf((await client?.send('GET', '/v2/_catalog')) as never);
      expect(catalog.repositories).to.deep.equal(expected);
      const names: unknown[] = [];
      for (let page = 1; page <= 4; page += 1) {
        const { body } = await call(client as HttpClient, 'GET', `/api/v1/repositories?limit=7&page=${page}`);
        expect(body.total).to.equal(expected.length);
        names.push(...(body.repositories as readonly { name: string }[]).map(({ name }) => name));
      }
      expect(names).to.deep.equal(expected);
    });
});
