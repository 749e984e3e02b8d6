import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { type Client, clientFor } from '../support/clients.ts';
import { basic, expectStatus, httpClient } from '../support/http.ts';
import { digestOf, noise } from '../support/images.ts';
import { installed, isRoot } from '../support/processes.ts';
import { ADMIN, PASSWORD, registryFor } from '../support/registryProcess.ts';
import { requires } from '../support/reporter.ts';

const TLS_OFF = '--tls-verify=false';

/** What podman and buildah, which share their storage and its commands, can do with the registry. */
export const storageClient = (program: string, start: () => Client): Mocha.Suite =>
  describe(program, function () {
    requires(this, installed(program), `${program} is not installed`);
    requires(this, isRoot(), `${program} needs root to make images here`);
    this.timeout(120_000);
    const registry = registryFor();
    const client = clientFor(start);
    const host = (): string => registry.current().host;
    let pushed = '';

    const reference = (): string => `${host()}/${program}/image:v1`;

    const build = async (): Promise<void> => {
      const context = join(client().folder, 'context');
      mkdirSync(context, { recursive: true });
      for (const name of ['one', 'two']) writeFileSync(join(context, name), noise(30_000, name));
      writeFileSync(join(context, 'Dockerfile'), 'FROM scratch\nCOPY one /\nCOPY two /\n');
      await client().run('build', '--isolation', 'chroot', '--layers', '--tag', reference(), context);
    };

    const push = async (): Promise<string> => {
      const file = join(client().folder, 'digest');
      await client().run('push', TLS_OFF, '--digestfile', file, reference());
      return readFileSync(file, 'utf8').trim();
    };

    const local = (): Promise<string> => client().run('images', '--digests', '--no-trunc');

    it('is refused with a wrong password', async () => {
      const { code, stderr } = await client().login(host(), ADMIN, 'a wrong password');
      expect(code).to.not.equal(0);
      expect(stderr).to.match(/invalid username\/password/i);
    });

    it('is refused without a login', async () => {
      await build();
      const { code, stderr } = await client().attempt('push', TLS_OFF, reference());
      expect(code).to.not.equal(0);
      expect(stderr).to.match(/unauthorized|authentication required|log in first/i);
    });

    it('logs in', async () => {
      const { code, stderr } = await client().login(host(), ADMIN, PASSWORD);
      expect(code, stderr).to.equal(0);
    });

    it('pushes an image of several layers', async () => {
      pushed = await push();
      const http = httpClient(registry.current().url, { authorization: basic(ADMIN, PASSWORD) });
      const { body } = expectStatus('pull', await http.send('GET', `/v2/${program}/image/manifests/v1`), 200);
      expect(digestOf(body)).to.equal(pushed);
      expect((JSON.parse(body.toString()) as { layers: unknown[] }).layers).to.have.length(2);
      http.close();
    });

    it('pulls it back after its own copy is gone, with the same digest', async () => {
      await client().run('rmi', '--all', '--force');
      expect(await local()).to.not.contain('sha256');
      await client().run('pull', TLS_OFF, reference());
      expect(await local()).to.contain(pushed);
    });

    it('pulls it by its digest', async () => {
      await client().run('rmi', '--all', '--force');
      await client().run('pull', TLS_OFF, `${host()}/${program}/image@${pushed}`);
      expect(await local()).to.contain(pushed);
    });

    it('builds an index for two platforms and pushes it with both images', async () => {
      const list = `${host()}/${program}/multi:v1`;
      const context = join(client().folder, 'context');
      // From its cache podman would take the image of the first platform for the second.
      for (const platform of ['linux/amd64', 'linux/arm64'])
        await client().run('build', '--no-cache', '--isolation', 'chroot', '--platform', platform, '--manifest', list, context);
      await client().run('manifest', 'push', '--all', TLS_OFF, list, `docker://${list}`);
      const http = httpClient(registry.current().url, { authorization: basic(ADMIN, PASSWORD) });
      const path = `/v2/${program}/multi/manifests`;
      const index = expectStatus('the index', await http.send('GET', `${path}/v1`), 200);
      expect(index.headers['content-type']).to.match(/image\.index|manifest\.list/);
      const { manifests } = JSON.parse(index.body.toString()) as {
        manifests: readonly { digest: string; platform: { architecture: string } }[];
      };
      expect(manifests.map(({ platform }) => platform.architecture).sort()).to.deep.equal(['amd64', 'arm64']);
      for (const { digest } of manifests) expectStatus('an image', await http.send('HEAD', `${path}/${digest}`), 200);
      http.close();
      await client().run('pull', TLS_OFF, list);
    });

    it('pulls nothing any more after it has logged out', async () => {
      await client().run('rmi', '--all', '--force');
      await client().run('logout', host());
      const { code, stderr } = await client().attempt('pull', TLS_OFF, reference());
      expect(code).to.not.equal(0);
      expect(stderr).to.match(/unauthorized|authentication required|log in first/i);
    });
  });
