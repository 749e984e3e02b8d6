import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { decodeJwt } from 'jose';
import { repositories } from '../../src/projections/repositories.ts';
import { openTestApp } from '../support/app.ts';
import { type Answer, basic, bearer, type HttpClient, pushImage, type Sending } from '../support/http.ts';
import { randomImage } from '../support/images.ts';
import { registryWith } from '../support/oidc.ts';
import { scratchFolder } from '../support/processes.ts';
import { PASSWORD } from '../support/registryProcess.ts';
import { exchange, type Json, jsonOf } from './exchanges.ts';

const AUDIENCE = 'https://registry.example.com';
const IMAGE = randomImage('oidc', { layers: 1 });

const TYPES = {
  grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
  subject_token_type: 'urn:ietf:params:oauth:token-type:id_token',
};
const form = (fields: Readonly<Record<string, string>>): Sending => ({
  headers: { 'content-type': 'application/x-www-form-urlencoded' },
  body: new URLSearchParams(fields).toString(),
});
const json = (body: unknown): Sending => ({ headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });

const CLAIMS = { sub: 'repo:octo-org/app:ref:refs/heads/main', aud: AUDIENCE, repository: 'octo-org/app' };

describe('the exchange of an ID token', () => {
  const { registry, issuer } = registryWith((url) => ({
    issuers: [
      {
        name: 'ci',
        issuer: url,
        audience: AUDIENCE,
        workloads: [
          { match: { repository: 'octo-org/*' }, repositories: ['octo-org/*'], actions: ['pull', 'push'], maxMinutes: 5 },
        ],
      },
    ],
  }));

  const ask = async (fields: Readonly<Record<string, string>> = {}, claims: Json = {}): Promise<Answer> => {
    const subject_token = await issuer().token({ ...CLAIMS, ...claims });
    return registry().anonymous.send('POST', '/auth/oidc/token', form({ ...TYPES, subject_token, ...fields }));
  };
  const tokenOf = (answer: Answer): string => {
    expect(answer.status, answer.body.toString()).to.equal(200);
    return String(jsonOf(answer).access_token);
  };
  const asWorkload = async (scope?: string): Promise<HttpClient> =>
    registry().admin.as(`Bearer ${tokenOf(await ask(scope === undefined ? {} : { scope }))}`);
  const refused = (answer: Answer, status: number, code: string): void => {
    expect(answer.status, answer.body.toString()).to.equal(status);
    expect((jsonOf(answer).error as Json).code).to.equal(code);
  };

  it('gives a token for what the rules grant, as RFC 8693 words it', async () => {
    const answer = await ask();
    const { access_token: token, ...others } = jsonOf(answer);
    expect(answer.headers['cache-control']).to.equal('no-store');
    expect(others).to.include({
      token,
      issued_token_type: 'urn:ietf:params:oauth:token-type:jwt',
      token_type: 'Bearer',
      scope: 'repository:octo-org/*:pull,push',
    });
    expect(others.expires_in).to.be.within(298, 300);
  });

  it('takes JSON as well, and a scope as a list', async () => {
    const subject_token = await issuer().token(CLAIMS);
    const scope = ['repository:octo-org/app:pull', 'repository:octo-org/web:push'];
    const fields = { ...TYPES, subject_token_type: 'urn:ietf:params:oauth:token-type:jwt', subject_token, scope };
    const answer = await registry().anonymous.send('POST', '/auth/oidc/token', json(fields));
    expect(jsonOf(answer).scope).to.equal(scope.join(' '));
  });

  it('grants of what is asked for no more than the rules do', async () => {
    const answer = await ask({ scope: 'repository:octo-org/app:pull,push,delete repository:others/app:pull registry:catalog:*' });
    expect(jsonOf(answer).scope).to.equal('repository:octo-org/app:pull,push');
    refused(await ask({ scope: 'repository:others/app:pull' }), 403, 'FORBIDDEN');
    for (const scope of ['repository:octo-org/*:pull', 'nonsense', 'repository:octo-org/app:'])
      refused(await ask({ scope }), 403, 'FORBIDDEN');
    expect(jsonOf(await ask({ scope: ' ' })).scope).to.equal('repository:octo-org/*:pull,push');
  });

  it('refuses what is no exchange, and says which field', async () => {
    for (const [fields, field] of [
      [{ grant_type: 'password' }, 'grant_type'],
      [{ grant_type: '' }, 'grant_type'],
      [{ subject_token_type: 'urn:ietf:params:oauth:token-type:access_token' }, 'subject_token_type'],
      [{ subject_token: '' }, 'subject_token'],
    ] as const) {
      const answer = await ask(fields);
      refused(answer, 400, 'INVALID_REQUEST');
      expect((jsonOf(answer).error as { details: Json }).details.field).to.equal(field);
    }
    refused(await registry().anonymous.send('POST', '/auth/oidc/token', json([])), 400, 'INVALID_REQUEST');
    refused(
      await registry().anonymous.send('POST', '/auth/oidc/token', json({ ...TYPES, subject_token: 7 })),
      400,
      'INVALID_REQUEST',
    );
    expect((await registry().anonymous.send('GET', '/auth/oidc/token')).status).to.equal(405);
  });

  it('refuses a token that is none, and a workload that no rule is about', async () => {
    refused(await ask({ subject_token: 'eyJhbGciOiJub25lIn0.e30.' }), 401, 'UNAUTHORIZED');
    refused(await ask({}, { aud: 'https://elsewhere.example.com' }), 401, 'UNAUTHORIZED');
    refused(await ask({}, { repository: 'others/app' }), 403, 'FORBIDDEN');
  });

  it('lets a job push and pull where its rules say, and nowhere else', async () => {
    const job = await asWorkload();
    await pushImage(job, 'octo-org/app', 'v1', IMAGE);
    await exchange(job, ['GET', '/v2/octo-org/app/manifests/v1'], { status: 200 });
    await exchange(job, ['DELETE', '/v2/octo-org/app/manifests/v1'], { status: 403 });
    await exchange(job, ['POST', '/v2/others/app/blobs/uploads/'], { status: 403 });
    await exchange(job, ['GET', '/v2/octo-org-evil/app/tags/list'], { status: 403 });
    await exchange(job, ['GET', '/v2/octo-org/tags/list'], { status: 403 });
    await exchange(job, ['GET', '/v2/_catalog'], { status: 403 });
    await exchange(job, ['GET', '/v2/'], { status: 200 });
    expect((await registry().app.views.get(repositories, 'octo-org/app'))?.ownerId).to.equal(null);
  });

  it('lets nobody manage the registry, nor see what is public', async () => {
    await registry().createPublic('open/image');
    const job = await asWorkload();
    for (const path of ['/api/v1/users', '/api/v1/tokens']) expect((await job.send('GET', path)).status, path).to.equal(403);
    await exchange(job, ['GET', '/v2/open/image/tags/list'], { status: 403 });
    const health = await exchange(job, ['GET', '/api/v1/health'], { status: 200 });
    expect(jsonOf(health)).to.have.all.keys('status', 'version', 'services');
  });

  it('keeps a job to the scope that it asked for, and challenges it for more', async () => {
    const job = await asWorkload('repository:octo-org/app:pull');
    await exchange(job, ['GET', '/v2/octo-org/app/tags/list'], { status: 200 });
    await exchange(job, ['POST', '/v2/octo-org/app/blobs/uploads/'], {
      status: 401,
      headers: { 'www-authenticate': /error="insufficient_scope"/ },
    });
    await exchange(job, ['POST', '/v2/others/app/blobs/uploads/'], { status: 403 });
  });

  it('names the workload in events', async () => {
    await pushImage(await asWorkload(), 'octo-org/named', 'v1', randomImage('named', { layers: 1 }));
    const [created] = await registry().app.log.readStream(registry().app.streams.repository('octo-org/named'), { limit: 1 });
    expect(created?.metadata.actor).to.deep.equal({ kind: 'robot', id: 'ci:repo:octo-org/app:ref:refs/heads/main' });
  });

  it('takes a subject as long as providers may make it', async () => {
    const sub = `repo:octo-org/app:environment:${'x'.repeat(200)}`.padEnd(255, 'y');
    const job = registry().admin.as(`Bearer ${tokenOf(await ask({}, { sub }))}`);
    await pushImage(job, 'octo-org/long', 'v1', randomImage('long', { layers: 1 }));
    const [created] = await registry().app.log.readStream(registry().app.streams.repository('octo-org/long'), { limit: 1 });
    expect(created?.metadata.actor.id).to.equal(`ci:${sub}`);
  });

  describe('in the place of a password', () => {
    /** What clients are given to log in with. */
    const PASSWORDS: readonly (readonly [what: string, password: () => Promise<string>])[] = [
      ['an ID token', () => issuer().token(CLAIMS)],
      ['what it was exchanged for', async () => tokenOf(await ask())],
    ];
    for (const [what, password] of PASSWORDS) {
      it(`${what} logs docker in, with whatever username`, async () => {
        const credentials = basic('oidc', await password());
        const token = await bearer(registry().admin, credentials, 'repository:octo-org/docker:pull,push');
        await pushImage(registry().admin.as(token), 'octo-org/docker', 'v1', IMAGE);
        expect(decodeJwt(String(token).slice(7)).access).to.deep.equal([
          { type: 'repository', name: 'octo-org/docker', actions: ['pull', 'push'] },
        ]);
      });

      it(`${what} works in Basic`, async () => {
        const client = registry().admin.as(basic('anybody', await password()));
        await exchange(client, ['GET', '/v2/'], { status: 200 });
        await exchange(client, ['GET', '/v2/octo-org/app/tags/list'], { status: 200 });
        await exchange(client, ['GET', '/v2/others/app/tags/list'], { status: 403 });
      });
    }

    it('a token of the registry cannot make itself live longer', async () => {
      const held = tokenOf(await ask());
      const { exp } = decodeJwt(held);
      const token = await bearer(registry().admin, basic('oidc', held), 'repository:octo-org/app:pull');
      expect(decodeJwt(String(token).slice(7)).exp).to.be.at.most(exp as number);
    });

    it('a token of limited scope gets no other one', async () => {
      const held = tokenOf(await ask({ scope: 'repository:octo-org/app:pull' }));
      const token = await bearer(
        registry().admin,
        basic('oidc', held),
        'repository:octo-org/app:pull,push repository:octo-org/web:pull',
      );
      expect(decodeJwt(String(token).slice(7)).access).to.deep.equal([
        { type: 'repository', name: 'octo-org/app', actions: ['pull'] },
      ]);
    });

    it('a token of a user gets nobody anything', async () => {
      await registry().register('ann');
      const token = await bearer(registry().admin, basic('ann', PASSWORD), 'repository:ann/web:pull');
      await exchange(registry().admin.as(basic('ann', String(token).slice(7))), ['GET', '/v2/'], { status: 401 });
    });

    it('gives no refresh token', async () => {
      const client = registry().admin.as(basic('oidc', await issuer().token(CLAIMS)));
      expect(jsonOf(await client.send('GET', '/auth?offline_token=true'))).to.not.have.property('refresh_token');
      const held = await client
        .as(undefined)
        .send(
          'POST',
          '/auth',
          form({ grant_type: 'password', username: 'oidc', password: await issuer().token(CLAIMS), access_type: 'offline' }),
        );
      expect(held.status).to.equal(200);
      expect(jsonOf(held)).to.not.have.property('refresh_token');
      expect(
        (await client.as(undefined).send('POST', '/auth', json({ username: 'oidc', password: await issuer().token(CLAIMS) })))
          .status,
      ).to.equal(401);
    });
  });

  it('answers 503 while the provider is away, and users log in as ever', async () => {
    const away = await openAway();
    try {
      const answer = await away.send('POST', '/auth/oidc/token', form({ ...TYPES, subject_token: await issuer().token(CLAIMS) }));
      refused(answer, 503, 'UNAVAILABLE');
      expect(answer.headers['retry-after']).to.equal('1');
      expect(answer.body.toString()).to.contain('ci').and.not.contain('127.0.0.1');
      await exchange(away.admin, ['GET', '/v2/'], { status: 200 });
    } finally {
      await away.close();
    }
  });

  /** Another registry, which has not asked for the keys before the provider went away. */
  const openAway = async (): Promise<HttpClient & { admin: HttpClient; close: () => Promise<void> }> => {
    const folder = scratchFolder();
    const file = join(folder.path, 'oidc.json');
    const rule = { match: { repository: 'octo-org/*' }, repositories: ['octo-org/*'], actions: ['pull'] };
    writeFileSync(
      file,
      JSON.stringify({ issuers: [{ name: 'ci', issuer: issuer().url, audience: AUDIENCE, workloads: [rule] }] }),
    );
    const second = await openTestApp({ GHOSTDOCK_OIDC_FILE: file });
    issuer().behave('failing');
    const close = async (): Promise<void> => {
      issuer().behave('well');
      await second.close();
      folder.remove();
    };
    return { ...second.anonymous, admin: second.admin, close };
  };
});

const DOCS = readFileSync(new URL('../../docs/identity-providers.md', import.meta.url), 'utf8');

const exampleOf = (name: string): { issuers: Record<string, unknown>[] } => {
  const [, text] = new RegExp(`<!-- example: ${name} -->\\n\`\`\`json\\n([^]*?)\`\`\``).exec(DOCS) ?? [];
  if (text === undefined) throw new Error(`docs/identity-providers.md has no example ${name}.`);
  return JSON.parse(text) as { issuers: Record<string, unknown>[] };
};

/** Claims as the systems make them, with what they may do, as a scope that is granted whole. */
const SYSTEMS: readonly Readonly<{ name: string; claims: Json; granted: string; refused: readonly Json[]; denied: string }>[] = [
  {
    name: 'github',
    claims: {
      sub: 'repo:octo-org/octo-repo:ref:refs/heads/main',
      aud: AUDIENCE,
      ref: 'refs/heads/main',
      sha: '0123456789abcdef0123456789abcdef01234567',
      repository: 'octo-org/octo-repo',
      repository_owner: 'octo-org',
      repository_owner_id: '65',
      run_id: '1',
      actor: 'octocat',
      event_name: 'push',
      ref_type: 'branch',
      job_workflow_ref: 'octo-org/octo-repo/.github/workflows/ci.yml@refs/heads/main',
      runner_environment: 'github-hosted',
    },
    granted: 'repository:octo-org/octo-repo:pull,push',
    refused: [{ repository_owner: 'octo-org-evil' }, { ref: 'refs/heads/main-evil' }, { ref: 'refs/pull/7/merge' }],
    denied: 'repository:library/base:push',
  },
  {
    name: 'gitlab',
    claims: {
      sub: 'project_path:my-group/my-project:ref_type:branch:ref:main',
      aud: AUDIENCE,
      namespace_id: '72',
      namespace_path: 'my-group',
      project_id: '20',
      project_path: 'my-group/my-project',
      user_id: '1',
      user_login: 'sample-user',
      pipeline_source: 'push',
      ref: 'main',
      ref_type: 'branch',
      ref_protected: 'true',
      jti: '235b3a54-b797-45c7-ae9a-f72d7bc6ef5b',
    },
    granted: 'repository:my-group/my-project:pull,push,delete',
    refused: [{ ref_protected: 'false' }, { namespace_path: 'my-group/sub' }],
    denied: 'repository:other-group/x:pull',
  },
  {
    name: 'kubernetes',
    claims: {
      sub: 'system:serviceaccount:deploy:runner',
      aud: [AUDIENCE],
      jti: 'a0f1b2c3',
      'kubernetes.io': { namespace: 'deploy', pod: { name: 'web-1', uid: 'x' }, serviceaccount: { name: 'runner', uid: 'y' } },
    },
    granted: 'repository:apps/web:pull',
    refused: [{ sub: 'system:serviceaccount:default:runner' }, { sub: 'system:serviceaccount:deploy:a:b' }],
    denied: 'repository:apps/web:push',
  },
];

for (const { name, claims, granted, refused, denied } of SYSTEMS)
  describe(`the example of the documentation for ${name}`, () => {
    const { registry, issuer } = registryWith((url) => {
      const [{ keysFile: _none, ...example } = {}] = exampleOf(name).issuers;
      return { issuers: [{ ...example, issuer: url }] };
    });
    const ask = async (change: Json, scope: string): Promise<Answer> =>
      registry().anonymous.send(
        'POST',
        '/auth/oidc/token',
        form({ ...TYPES, subject_token: await issuer().token({ ...claims, ...change }), scope }),
      );

    it('grants a token of that system what it says', async () => {
      expect(jsonOf(await ask({}, granted)).scope).to.equal(granted);
    });

    it('grants nothing else, and others nothing', async () => {
      expect((await ask({}, denied)).status).to.equal(403);
      for (const change of refused) expect((await ask(change, granted)).status, JSON.stringify(change)).to.equal(403);
    });
  });
