import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { dockerFor, dockerMissing } from '../support/docker.ts';
import { basic, bearer, expectStatus, httpClient } from '../support/http.ts';
import { accessTokenOf, revokeAccessToken } from '../support/identities.ts';
import { noise, tarOf } from '../support/images.ts';
import { waitUntil } from '../support/processes.ts';
import { ADMIN, type LogLine, PASSWORD, registryFor } from '../support/registryProcess.ts';
import { requires } from '../support/reporter.ts';
import { filledIn, samplesOf } from './samples.ts';

describe('docker', function () {
  requires(this, dockerMissing() === undefined, dockerMissing() ?? '');
  this.timeout(120_000);
  const registry = registryFor({ env: { GHOSTDOCK_LOG_LEVEL: 'debug' } });
  const docker = dockerFor();

  const host = (): string => registry.current().host;
  const logs = (): readonly LogLine[] => registry.current().logs();
  const idOf = (reference: string): Promise<string> => docker().run('images', '--no-trunc', '--quiet', reference);
  const digestsOf = async (reference: string): Promise<readonly string[]> =>
    JSON.parse(await docker().run('image', 'inspect', reference, '--format', '{{json .RepoDigests}}')) as string[];

  /** An image of three layers, built without a network. */
  const build = async (reference: string): Promise<void> => {
    const context = join(docker().folder, 'context');
    mkdirSync(context, { recursive: true });
    for (const name of ['one', 'two', 'three']) writeFileSync(join(context, name), noise(50_000, `${reference} ${name}`));
    writeFileSync(join(context, 'Dockerfile'), 'FROM scratch\nCOPY one /\nCOPY two /\nCOPY three /\nENTRYPOINT ["/one"]\n');
    await docker().run('build', '--quiet', '--tag', reference, context);
  };

  /** The requests that changed something, since the `from`-th line of the log. */
  const uploadsSince = (from: number): readonly string[] =>
    logs()
      .slice(from)
      .filter(({ method, url }) => /^(POST|PUT|PATCH)$/.test(String(method)) && String(url).includes('/blobs/uploads/'))
      .map(({ method, url, status }) => `${method} ${url} ${status}`);

  const manifestLogged = (from: number, tag: string): Promise<boolean> =>
    waitUntil(`the log has the push of ${tag}`, () =>
      logs()
        .slice(from)
        .some(({ method, url }) => method === 'PUT' && String(url).endsWith(`/manifests/${tag}`)),
    );

  it('is refused with a wrong password', async () => {
    const { code, stderr } = await docker().login(host(), ADMIN, 'a wrong password');
    expect(code).to.not.equal(0);
    expect(stderr).to.match(/unauthorized/i);
  });

  it('is refused without a login', async () => {
    await docker().feed(tarOf({ file: 'content' }), 'import', '-', `${host()}/nobody/image:v1`);
    const { code, stderr } = await docker().attempt('push', `${host()}/nobody/image:v1`);
    expect(code).to.not.equal(0);
    expect(stderr).to.match(/no basic auth credentials|unauthorized|denied/i);
  });

  it('logs in', async () => {
    const { code, stdout, stderr } = await docker().login(host(), ADMIN, PASSWORD);
    expect(code, stderr).to.equal(0);
    expect(stdout).to.contain('Login Succeeded');
  });

  it('pushes an imported image and pulls it back: same image, same digest', async () => {
    const reference = `${host()}/docker/imported:v1`;
    await docker().feed(tarOf({ 'hello.txt': 'hello' }), 'import', '-', reference);
    await docker().run('push', reference);
    const [id, digests] = [await idOf(reference), await digestsOf(reference)];

    await docker().run('rmi', reference);
    expect(await idOf(reference)).to.equal('');
    await docker().run('pull', reference);
    expect(await idOf(reference)).to.equal(id);
    expect(await digestsOf(reference)).to.deep.equal(digests);
  });

  it('pushes an image of several layers and pulls it back by its digest', async () => {
    const reference = `${host()}/docker/nested/layers:v1`;
    await build(reference);
    await docker().run('push', reference);
    const [id, [digest = '']] = [await idOf(reference), await digestsOf(reference)];
    expect(digest).to.match(/@sha256:[0-9a-f]{64}$/);

    await docker().run('rmi', '--force', id);
    expect(await docker().run('images', '--quiet')).to.not.contain(id.slice(7, 19));
    await docker().run('pull', digest);
    expect(await idOf(digest)).to.equal(id);
  });

  it('serves the manifest under the digest that docker prints', async () => {
    const reference = `${host()}/docker/imported:v1`;
    const [digest = ''] = await digestsOf(reference);
    const client = httpClient(registry.current().url);
    const token = await bearer(client, basic(ADMIN, PASSWORD), 'repository:docker/imported:pull');
    const { headers } = expectStatus('pull', await client.as(token).send('GET', '/v2/docker/imported/manifests/v1'), 200);
    expect(digest).to.equal(`${host()}/docker/imported@${headers['docker-content-digest']}`);
    client.close();
  });

  it('uploads nothing again for a second tag', async () => {
    const reference = `${host()}/docker/twice`;
    await build(`${reference}:first`);
    await docker().run('push', `${reference}:first`);
    await manifestLogged(0, 'first');
    expect(uploadsSince(0), 'the first push is seen in the log').to.not.deep.equal([]);

    const from = logs().length;
    await docker().run('tag', `${reference}:first`, `${reference}:second`);
    const pushed = await docker().run('push', `${reference}:second`);
    await manifestLogged(from, 'second');
    expect(uploadsSince(from)).to.deep.equal([]);
    expect(pushed).to.contain('Layer already exists');
  });

  it('mounts the layers of another repository instead of uploading them', async () => {
    const from = logs().length;
    const reference = `${host()}/docker/mounted:v1`;
    await docker().run('tag', `${host()}/docker/twice:first`, reference);
    expect(await docker().run('push', reference)).to.contain('Mounted from docker/twice');
    await manifestLogged(from, 'v1');
    const uploads = uploadsSince(from).filter((line) => !line.includes('mount='));
    expect(
      uploads.filter((line) => line.startsWith('POST')),
      'only the config, which docker never mounts',
    ).to.have.length(1);
  });

  it('makes a manifest list of two images, pushes it and pulls through it', async () => {
    const list = `${host()}/docker/list:v1`;
    const images = ['one', 'two'].map((name) => `${host()}/docker/list:${name}`);
    for (const image of images) {
      await build(image);
      await docker().run('push', image);
    }
    await docker().run('manifest', 'create', '--insecure', list, ...images);
    await docker().run('manifest', 'annotate', '--arch', 'riscv64', list, images[1] ?? '');
    const digest = await docker().run('manifest', 'push', '--insecure', list);
    const client = httpClient(registry.current().url, { authorization: basic(ADMIN, PASSWORD) });
    const { headers, body } = expectStatus('the list', await client.send('GET', '/v2/docker/list/manifests/v1'), 200);
    client.close();
    expect(headers['content-type']).to.equal('application/vnd.docker.distribution.manifest.list.v2+json');
    expect(headers['docker-content-digest']).to.equal(digest);
    expect((JSON.parse(body.toString()) as { manifests: unknown[] }).manifests).to.have.length(2);
    const id = await idOf(images[0] ?? '');
    await docker().run('pull', list);
    expect(await idOf(list)).to.equal(id);
  });

  it('runs the sample “Docker CLI” of the document: logs in, pushes, pulls', async () => {
    await docker().feed(tarOf({ file: 'content' }), 'import', '-', `${host()}/myapp:latest`);
    const lines = filledIn(samplesOf('ghostdock-api').get('Docker CLI') ?? '', registry.current().url).split('\n');
    const commands = lines.filter((line) => line.startsWith('docker ')).map((line) => line.split(/\s+/).slice(1));
    expect(commands.map(([command]) => command)).to.deep.equal(['login', 'push', 'pull']);
    for (const [command = '', reference = ''] of commands) {
      if (command === 'login') expect(await docker().login(reference, ADMIN, PASSWORD)).to.include({ code: 0 });
      else await docker().run(command, reference);
    }
  });

  it('pulls nothing any more after it has logged out', async () => {
    const reference = `${host()}/docker/imported:v1`;
    await docker().run('rmi', reference);
    await docker().run('logout', host());
    const { code, stderr } = await docker().attempt('pull', reference);
    expect(code).to.not.equal(0);
    expect(stderr).to.match(/no basic auth credentials|unauthorized|denied/i);
  });

  it('logs in with an access token for a password and any name, and does what the token may, until it is revoked', async () => {
    const admin = httpClient(registry.current().url, { authorization: basic(ADMIN, PASSWORD) });
    const token = await accessTokenOf(admin, { permissions: ['pull'], repositories: ['docker/*'] });
    const { code, stderr } = await docker().login(host(), 'ci', token.value);
    expect(code, stderr).to.equal(0);
    const reference = `${host()}/docker/imported:v1`;
    await docker().run('pull', reference);
    await docker().run('tag', reference, `${host()}/docker/imported:v2`);
    const pushed = await docker().attempt('push', `${host()}/docker/imported:v2`);
    expect(pushed.code).to.not.equal(0);
    expect(pushed.stderr).to.match(/denied/i);

    await revokeAccessToken(admin, token);
    admin.close();
    await docker().run('rmi', reference);
    const pulled = await docker().attempt('pull', reference);
    expect(pulled.code).to.not.equal(0);
    expect(pulled.stderr).to.match(/unauthorized|denied/i);
  });
});
