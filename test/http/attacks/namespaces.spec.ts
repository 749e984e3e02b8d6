import { expect } from 'chai';
import { expectStatus, type HttpClient, pushImage } from '../../support/http.ts';
import { randomImage } from '../../support/images.ts';
import { CLIENT } from '../../support/issuer.ts';
import { registryWith } from '../../support/oidc.ts';
import { PASSWORD } from '../../support/registryProcess.ts';
import { jsonOf } from '../exchanges.ts';
import { json } from './given.ts';

const IMAGE = randomImage('namespaces', { layers: 1 });

describe('a user who is new', () => {
  const { registry, issuer } = registryWith(
    (url) => ({
      issuers: [
        { name: 'sso', issuer: url, people: { clientId: CLIENT.clientId, clientSecretFile: 'secret', defaultRole: 'user' } },
        {
          name: 'jobs',
          issuer: 'https://jobs.example.com',
          audience: 'x',
          workloads: [{ match: { sub: 'x' }, repositories: ['building/*', 'alone'], actions: ['push'] }],
        },
      ],
    }),
    { secret: CLIENT.clientSecret },
  );

  /** The first login of somebody who would like to be called so at the provider. */
  const comes = async (username: string): Promise<HttpClient> => {
    issuer().person({ sub: `sub of ${username}`, preferred_username: username });
    const begun = await registry().anonymous.send('GET', '/auth/oidc/sso');
    const [cookie = ''] = String(begun.headers['set-cookie']).split(';');
    const there = await fetch(String(begun.headers.location), { redirect: 'manual' });
    const done = await registry().anonymous.send('GET', String(there.headers.get('location')), { headers: { cookie } });
    expectStatus('login', done, 200);
    const [, session] = /ghostdock-session=([^;]+)/.exec(String(done.headers['set-cookie'])) ?? [];
    return registry().admin.as(`Bearer ${session}`);
  };
  const nameOf = async (client: HttpClient): Promise<unknown> =>
    jsonOf(expectStatus('profile', await client.send('GET', '/api/v1/users/me'), 200)).username;
  const isMade = (username: string, role = 'user') =>
    registry().admin.send('POST', '/api/v1/users', json({ username, password: PASSWORD, role }));

  const ROLES = ['user', 'robot', 'auditor', 'admin'];
  const expectNotFree = async (username: string): Promise<void> => {
    for (const role of ROLES) {
      const { error } = jsonOf(expectStatus(role, await isMade(username, role), 409)) as { error: object };
      expect(error).to.deep.include({ code: 'CONFLICT', details: { field: 'username' } });
      expect(error).to.have.property('message').that.contains(`under ${username}/`);
    }
    expect(await nameOf(await comes(username))).to.equal(`${username}-2`);
  };

  const grants = async (scope: string): Promise<string> => {
    const team = { name: scope.replaceAll(/\W/g, '') };
    expectStatus('team', await registry().admin.send('POST', '/api/v1/teams', json(team)), 201);
    const grant = json({ scope, team: team.name, level: 'write' });
    const { id } = jsonOf(expectStatus('grant', await registry().admin.send('POST', '/api/v1/grants', grant), 201));
    return `/api/v1/grants/${id}`;
  };

  it('does not get the repositories of a team by the name that the provider gives', async () => {
    await pushImage(registry().admin, 'payments/app', 'latest', IMAGE);
    const eve = await comes('payments');
    expect((await eve.send('GET', '/v2/payments/app/manifests/latest')).status).to.equal(403);
    expect((await eve.send('DELETE', '/v2/payments/app')).status).to.equal(403);
    expect(jsonOf(await eve.send('GET', '/v2/_catalog')).repositories).to.deep.equal([]);
  });

  it('is not called like the beginning of a repository’s name, however deep that lies', async () => {
    await pushImage(registry().admin, 'shipping/tools/app', 'latest', IMAGE);
    await expectNotFree('shipping');
  });

  it('is not called like that of a repository that holds nothing yet', async () => {
    await pushImage(registry().admin, 'emptied/app', 'latest', IMAGE);
    const path = `/v2/emptied/app/manifests/${IMAGE.manifest.digest}`;
    expectStatus('delete', await registry().admin.send('DELETE', path), 202);
    await expectNotFree('emptied');
  });

  it('is not called like a prefix that is granted, and under which nothing is yet, until that is revoked', async () => {
    const shallow = await grants('planned/*');
    await expectNotFree('planned');
    await grants('deeply/planned/*');
    await expectNotFree('deeply');
    expectStatus('revoke', await registry().admin.send('DELETE', shallow), 204);
    expectStatus('create', await isMade('planned'), 201);
  });

  it('is not called like a prefix of a rule for workloads', () => expectNotFree('building'));

  it('gets the name when all that was under it is deleted', async () => {
    await pushImage(registry().admin, 'passing/app', 'latest', IMAGE);
    expectStatus('create', await isMade('passing'), 409);
    expectStatus('delete', await registry().admin.send('DELETE', '/api/v1/repositories/passing/app'), 204);
    expectStatus('create', await isMade('passing'), 201);
  });

  it('may be called like the whole of a repository’s name, or like the start of a word: neither is in the namespace', async () => {
    await pushImage(registry().admin, 'alone', 'latest', IMAGE);
    await pushImage(registry().admin, 'wording/app', 'latest', IMAGE);
    await pushImage(registry().admin, 'a/within/app', 'latest', IMAGE);
    for (const username of ['alone', 'word', 'within']) {
      const client = await comes(username);
      expect(await nameOf(client)).to.equal(username);
      expect(jsonOf(await client.send('GET', '/v2/_catalog')).repositories).to.deep.equal([]);
      expect((await client.send('GET', '/v2/alone/manifests/latest')).status).to.equal(403);
    }
  });

  it('is told of a name that nobody may have as before', async () => {
    await pushImage(registry().admin, 'library/app', 'latest', IMAGE);
    expectStatus('create', await isMade('library'), 400);
  });
});
