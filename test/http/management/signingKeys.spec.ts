import { expect } from 'chai';
import { decodeProtectedHeader } from 'jose';
import { registryFor } from '../../support/app.ts';
import { basic, bearer, type HttpClient } from '../../support/http.ts';
import { waitUntil } from '../../support/processes.ts';
import { PASSWORD } from '../../support/registryProcess.ts';
import { jsonOf } from '../exchanges.ts';
import { call, sessionBy } from './calls.ts';

const ROTATE = '/api/v1/signing-keys/rotate';

describe('rotating the signing key', () => {
  const registry = registryFor();
  let session: HttpClient;
  let docker: string;
  let refresh: string;
  let rotated: Awaited<ReturnType<typeof call>>;

  const form = { 'content-type': 'application/x-www-form-urlencoded' };
  const granted = async (fields: Readonly<Record<string, string>>) => {
    const body = new URLSearchParams({ service: 'ghostdock', client_id: 'test', ...fields }).toString();
    const answer = await registry().anonymous.send('POST', '/auth', { headers: form, body });
    expect(answer.status, answer.body.toString()).to.equal(200);
    return jsonOf(answer);
  };
  const byDocker = async (): Promise<string> =>
    (await bearer(registry().admin, basic('admin', PASSWORD), 'repository:a/b:pull')) ?? '';
  const signedWith = (token: string): unknown => decodeProtectedHeader(token.replace('Bearer ', '')).kid;

  before(async () => {
    const { admin } = registry();
    session = await sessionBy(admin, 'admin', PASSWORD);
    docker = await byDocker();
    const offline = { grant_type: 'password', username: 'admin', password: PASSWORD, access_type: 'offline' };
    refresh = String((await granted(offline)).refresh_token);
    rotated = await call(session, 'POST', ROTATE);
    await waitUntil('the new key signs', async () => signedWith(await byDocker()) === rotated.body.key_id);
  });

  it('answers which key it is and when it was made, and not the key', () => {
    expect(rotated.status).to.equal(201);
    expect(rotated.body).to.have.all.keys('key_id', 'at');
    expect(rotated.body.key_id)
      .to.match(/^[\w-]{21}$/)
      .and.not.equal(signedWith(docker));
  });

  it('is recorded with who asked for it', async () => {
    const { app } = registry();
    const events = await app.log.readStream(app.streams.keys, { limit: 10 });
    expect(events.map(({ data }) => data)).to.deep.equal(
      [signedWith(docker), rotated.body.key_id].map((keyId) => ({ keyId, algorithm: 'HS256' })),
    );
    expect(events.at(-1)?.metadata.actor).to.deep.equal({ kind: 'user', id: '1' });
  });

  it('leaves sessions and docker’s tokens of before as they are', async () => {
    expect((await call(session, 'GET', '/api/v1/users/me')).status).to.equal(200);
    const { admin } = registry();
    expect((await admin.as(docker).send('GET', '/v2/')).status).to.equal(200);
    expect((await admin.as(docker).send('GET', '/v2/a/b/tags/list')).status).to.equal(404);
  });

  it('leaves refresh tokens of before as they are: they give tokens of the new key', async () => {
    const body = await granted({ grant_type: 'refresh_token', refresh_token: refresh, scope: 'repository:a/b:pull' });
    expect(signedWith(refresh)).to.equal(signedWith(docker));
    expect(signedWith(String(body.access_token))).to.equal(rotated.body.key_id);
    const { status } = await registry().anonymous.as(`Bearer ${body.access_token}`).send('GET', '/v2/');
    expect(status).to.equal(200);
  });

  it('is for administrators: 403 for an auditor, who is not told a key', async () => {
    const auditor = await registry().register('auditor-1', 'auditor');
    const before = await registry().head();
    expect((await call(auditor, 'POST', ROTATE)).status).to.equal(403);
    expect(await registry().head()).to.equal(before);
  });
});
