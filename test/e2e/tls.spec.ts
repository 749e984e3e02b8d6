import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, copyFileSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { expect } from 'chai';
import { authorityFor, opensslMissing, type Pair, replace } from '../support/certificates.ts';
import { type Client, clientFor, podman, skopeo } from '../support/clients.ts';
import { dockerFor, dockerMissing } from '../support/docker.ts';
import { basic, httpClient, pushBlob } from '../support/http.ts';
import { digestOf, noise, randomImage, tarOf, writeLayout } from '../support/images.ts';
import { exitOf, installed, waitUntil } from '../support/processes.ts';
import { ADMIN, PASSWORD, type RegistryProcess, refusedStart, startRegistry } from '../support/registryProcess.ts';
import { requires } from '../support/reporter.ts';

const MIB = 1024 * 1024;

const settingsFor = ({ cert, key }: Pair) => ({ GHOSTDOCK_TLS_CERT: cert, GHOSTDOCK_TLS_KEY: key });

/** An address of this machine that is not a loopback one, which docker would not check the certificate of. */
const addressHere = (): string =>
  Object.values(networkInterfaces())
    .flat()
    .find((one) => one !== undefined && !one.internal && one.family === 'IPv4')?.address ?? '127.0.0.1';

describe('TLS', function () {
  requires(this, opensslMissing() === undefined, opensslMissing() ?? '');
  this.timeout(60_000);
  const authority = authorityFor();
  const stranger = authorityFor();
  const address = addressHere();
  let issued: Pair;
  let renewed: Pair;
  let ofStranger: Pair;
  let files: Pair;
  let registry: RegistryProcess | undefined;
  const running = (): RegistryProcess => registry as RegistryProcess;
  const host = (): string => `127.0.0.1:${running().port}`;

  before(async () => {
    [issued, renewed, files] = [
      await authority().issue('issued', { address }),
      await authority().issue('renewed', { address }),
      await authority().issue('files'),
    ];
    ofStranger = await stranger().issue('stranger', { address });
    replace(issued, files);
    registry = await startRegistry({ env: { ...settingsFor(files), GHOSTDOCK_HOST: '0.0.0.0' } });
  });
  after(() => registry?.dispose());

  /** As the registry is told by an operator, who wants it at once. */
  const renewWith = async (pair: Pair): Promise<void> => {
    const before = running().logs().length;
    replace(pair, files);
    process.kill(running().pid, 'SIGHUP');
    await waitUntil('it is taken', () =>
      running()
        .logs()
        .slice(before)
        .some(({ msg }) => msg?.startsWith('The TLS certificate was renewed')),
    );
  };

  const serialShown = async (): Promise<string> => {
    const socket = connect({ port: running().port, host: '127.0.0.1', rejectUnauthorized: false });
    await once(socket, 'secureConnect');
    const { serialNumber } = socket.getPeerCertificate();
    socket.destroy();
    return serialNumber;
  };

  it('is what the registry says that it speaks', () => {
    expect(running().url).to.equal(`https://0.0.0.0:${running().port}`);
    expect(running().output()).to.contain(`docker login localhost:${running().port}`);
    const told = running()
      .logs()
      .map(({ msg }) => msg);
    expect(told.some((msg) => /^The registry speaks TLS\. It is for DNS:localhost, .*, until \d{4}-/.test(msg ?? ''))).to.equal(
      true,
    );
    const [secret = ''] = /[\w+/]{40}/.exec(running().output()) ?? [];
    expect(secret, 'nothing that looks like a key').to.equal('');
  });

  it('is renewed by itself a few seconds after the files were, and at once on SIGHUP', async () => {
    const first = await serialShown();
    replace(renewed, files);
    const second = await waitUntil('it is renewed', async () => {
      const shown = await serialShown();
      return shown !== first && shown;
    });
    await renewWith(issued);
    expect(await serialShown())
      .to.equal(first)
      .and.not.equal(second);
  });

  it('stays as it is while the files are wrong, and says so once', async () => {
    const first = await serialShown();
    const complaints = () =>
      running()
        .logs()
        .filter(({ msg }) => msg?.startsWith('The TLS certificate is not renewed'));
    copyFileSync(renewed.cert, files.cert);
    for (let signals = 0; signals < 3; signals += 1) process.kill(running().pid, 'SIGHUP');
    await waitUntil('it complains', () => complaints().length > 0);
    expect(await serialShown()).to.equal(first);
    copyFileSync(renewed.key, files.key);
    process.kill(running().pid, 'SIGHUP');
    await waitUntil('it is renewed', async () => (await serialShown()) !== first);
    expect(complaints()).to.have.length(1);
    await renewWith(issued);
  });

  describe('with curl', function () {
    requires(this, installed('curl'), 'curl is not installed');

    it('a pull goes on over a renewal by another authority, and the next one wants that', async () => {
      const blob = { bytes: noise(6 * MIB, 'curl'), digest: '', mediaType: '' };
      blob.digest = digestOf(blob.bytes);
      const client = httpClient(`https://${host()}`, { authorization: basic(ADMIN, PASSWORD), ca: readFileSync(authority().ca) });
      await pushBlob(client, 'curl/blob', blob);
      client.close();

      const url = `https://${host()}/v2/curl/blob/blobs/${blob.digest}`;
      const args = (ca: string) => ['--silent', '--show-error', '--fail', '--user', `${ADMIN}:${PASSWORD}`, '--cacert', ca, url];
      const pulling = spawn('curl', ['--limit-rate', '3M', ...args(authority().ca)], { stdio: ['ignore', 'pipe', 'inherit'] });
      const chunks: Buffer[] = [];
      pulling.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
      await waitUntil('some of it has come', () => chunks.length > 0);
      await renewWith(ofStranger);
      expect(Buffer.concat(chunks).length, 'the rest is still to come').to.be.lessThan(blob.bytes.length);
      expect((await exitOf(pulling)).code).to.equal(0);
      await waitUntil('all has come', () => Buffer.concat(chunks).length === blob.bytes.length);
      expect(digestOf(Buffer.concat(chunks))).to.equal(blob.digest);

      const next = async (ca: string): Promise<number | null> =>
        (await exitOf(spawn('curl', ['--output', '/dev/null', ...args(ca)], { stdio: 'ignore' }))).code;
      expect(await next(authority().ca), 'CURLE_PEER_FAILED_VERIFICATION').to.equal(60);
      expect(await next(stranger().ca)).to.equal(0);
      await renewWith(issued);
    });
  });

  /** A folder with the certificates of an authority, as clients of containers/image take it. */
  const certDir = (client: Client, ca: string): string => {
    const folder = join(client.folder, 'certs');
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder);
    copyFileSync(ca, join(folder, 'ca.crt'));
    return folder;
  };

  describe('with skopeo', function () {
    requires(this, installed('skopeo'), 'skopeo is not installed');
    const client = clientFor(skopeo);
    const image = randomImage('tls');

    it('logs in, pushes and pulls with the authority’s certificate, and not with that of another', async () => {
      const dir = certDir(client(), authority().ca);
      const login = ['login', '--cert-dir', dir, '--username', ADMIN, '--password-stdin', host()];
      await client().feed(PASSWORD, ...login);
      writeLayout(join(client().folder, 'image'), 'v1', image);
      const [from, to] = [`oci:${join(client().folder, 'image')}:v1`, `docker://${host()}/tls/skopeo:v1`];
      await client().run('copy', '--preserve-digests', '--dest-cert-dir', dir, from, to);
      const pull = ['copy', '--preserve-digests', '--src-cert-dir', dir, to];
      await client().run(...pull, `oci:${join(client().folder, 'back')}:v1`);
      expect(digestOf(await client().run('inspect', '--raw', `oci:${join(client().folder, 'back')}:v1`))).to.equal(
        image.manifest.digest,
      );

      await renewWith(renewed);
      await client().run(...pull, `oci:${join(client().folder, 'again')}:v1`);
      certDir(client(), stranger().ca);
      const { code, stderr } = await client().attempt(...pull, `oci:${join(client().folder, 'never')}:v1`);
      expect(code).to.not.equal(0);
      expect(stderr).to.match(/x509|certificate/);
    });
  });

  describe('with podman', function () {
    requires(this, installed('podman'), 'podman is not installed');
    const client = clientFor(podman);

    it('logs in, pushes and pulls with the authority’s certificate', async () => {
      const dir = certDir(client(), authority().ca);
      await client().feed(PASSWORD, 'login', '--cert-dir', dir, '--username', ADMIN, '--password-stdin', host());
      const reference = `${host()}/tls/podman:v1`;
      await client().feed(tarOf({ 'hello.txt': 'hello' }), 'import', '-', reference);
      await client().run('push', '--cert-dir', dir, reference);
      await client().run('rmi', reference);
      await client().run('pull', '--cert-dir', dir, reference);
    });
  });

  describe('with docker', function () {
    requires(this, dockerMissing() === undefined, dockerMissing() ?? '');
    requires(this, address !== '127.0.0.1', 'this machine has no address but loopback ones, where docker checks no certificate');
    this.timeout(120_000);
    const docker = dockerFor(() => ({ SSL_CERT_FILE: authority().ca }));

    it('logs in, pushes and pulls with the authority’s certificate, and not with that of another', async () => {
      const at = `${address}:${running().port}`;
      const { code, stderr } = await docker().login(at, ADMIN, PASSWORD);
      expect(code, stderr).to.equal(0);
      const reference = `${at}/tls/docker:v1`;
      await docker().feed(tarOf({ 'hello.txt': 'hello' }), 'import', '-', reference);
      await docker().run('push', reference);
      await docker().run('rmi', reference);
      await docker().run('pull', reference);

      await renewWith(ofStranger);
      const refused = await docker().attempt('pull', reference);
      expect(refused.code).to.not.equal(0);
      expect(refused.stderr).to.match(/x509|certificate/);
      await renewWith(issued);
    });
  });

  describe('at the stop', () => {
    it('is waited for by nobody who rests', async () => {
      const resting = connect({ port: running().port, host: '127.0.0.1', rejectUnauthorized: false });
      await once(resting, 'secureConnect');
      const closed = once(resting.on('error', () => undefined).resume(), 'close');
      expect(await running().stop()).to.deep.equal({ code: 0, signal: null });
      await closed;
      expect(running().output()).to.not.contain('did not finish in time');
    });
  });
});

describe('A start with TLS', function () {
  requires(this, opensslMissing() === undefined, opensslMissing() ?? '');
  this.timeout(60_000);
  const authority = authorityFor();

  it('is refused with a sentence where the files cannot be used, before anything else is done', async () => {
    const [one, other] = [await authority().issue('one'), await authority().issue('other')];
    for (const [env, sentence] of [
      [{ GHOSTDOCK_TLS_CERT: one.cert }, /Set both GHOSTDOCK_TLS_CERT and GHOSTDOCK_TLS_KEY/],
      [settingsFor({ ...one, key: '/nowhere/key.pem' }), /GHOSTDOCK_TLS_KEY: \/nowhere\/key\.pem cannot be read \(ENOENT\)/],
      [settingsFor({ cert: one.key, key: one.key }), /GHOSTDOCK_TLS_CERT: .* has no certificate in PEM form/],
      [settingsFor({ cert: one.cert, key: other.key }), /The private key of GHOSTDOCK_TLS_KEY is not that of the certificate/],
    ] as const) {
      const { exit, output } = await refusedStart(startRegistry({ env: { GHOSTDOCK_ADMIN_PASSWORD: undefined, ...env } }));
      expect(exit.code, output).to.equal(78);
      expect(output)
        .to.match(sentence)
        .and.contain('The registry cannot start')
        .and.not.match(/\n\s+at /);
      expect(output, 'no password was made').to.not.contain('has the password');
    }
  });

  it('warns of a certificate that has ended and of a key that everybody may read, and serves', async () => {
    const pair = await authority().issue('ended', { days: 0 });
    chmodSync(pair.key, 0o644);
    const registry = await startRegistry({ env: settingsFor(pair) });
    const warnings = registry.logs().filter(({ level }) => level === 40);
    expect(warnings.map(({ msg }) => msg).join('\n'))
      .to.match(/has ended/)
      .and.match(/Everybody on this machine may read/);
    const socket = connect({ port: registry.port, host: '127.0.0.1', rejectUnauthorized: false });
    await once(socket, 'secureConnect');
    socket.destroy();
    await registry.dispose();
  });
});
