import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { CLIENT_TYPES, clientTypesOf } from '../../scripts/clientTypes.ts';
import { openapiDocument } from '../../scripts/openapi.ts';
import { basic, expectStatus, type HttpClient, httpClient, pushImage, tagsOf } from '../support/http.ts';
import { randomImage } from '../support/images.ts';
import { attempt, type Environment, installed, type Ran, run, scratchFolder } from '../support/processes.ts';
import { ADMIN, PASSWORD, registryFor } from '../support/registryProcess.ts';
import { requires } from '../support/reporter.ts';
import { pythonWithRequests } from './programs.ts';

const EXAMPLES = fileURLToPath(new URL('../../examples/', import.meta.url));
const WRONG = 'a-wrong-password';

describe('the examples', function () {
  this.timeout(60_000);
  const registry = registryFor();
  let admin: HttpClient;

  before(async () => {
    admin = httpClient(registry.current().url, { authorization: basic(ADMIN, PASSWORD) });
    const image = randomImage('examples', { layers: 1 });
    await pushImage(admin, 'examples/one', 'v1', image);
    await pushImage(admin, 'examples/one', 'v2', image);
    await pushImage(admin, 'examples/two', 'latest', image);
  });
  after(() => admin.close());

  const environment = (password = PASSWORD): Environment => ({
    REGISTRY: registry.current().url,
    USERNAME: ADMIN,
    PASSWORD: password,
  });

  const expectRefused = ({ code, stdout, stderr }: Ran): void => {
    expect(code, stdout).to.equal(1);
    expect(stderr).to.match(/^The registry refused: 401 UNAUTHORIZED: \S.*\n$/);
  };

  describe('in TypeScript', () => {
    const program = (password: string): Promise<Ran> =>
      attempt(process.execPath, [join(EXAMPLES, 'typescript/main.ts'), registry.current().url, ADMIN, password, '2', '0']);

    it('has the types that `node scripts/clientTypes.ts` writes from the description', async () => {
      expect(readFileSync(CLIENT_TYPES, 'utf8')).to.equal(clientTypesOf(await openapiDocument()));
    });

    it('logs in, lists repositories, makes a token, reads the audit log and watches the summary', async () => {
      const { code, stdout, stderr } = await program(PASSWORD);
      expect(code, stderr).to.equal(0);
      expect(stdout).to.contain('examples/one: private, 2 tags\nexamples/two: private, 1 tags\n');
      expect(stdout).to.match(/^Token \d+, "example", for an hour\nThe token sees 2 repositories$/m);
      expect(stdout).to.match(/^\d+ entries in the audit log, the newest:\n(?:\d{4}-\d\d-\d\dT\S+Z \S+ \w+\.\w+ \S+\n){1,5}/m);
      expect(stdout).to.match(/(?:^2 repositories, 3 manifests, 2 blobs\n){2}/m);
    });

    it('leaves no token behind', async () => {
      const answer = expectStatus('tokens', await admin.send('GET', '/api/v1/tokens'), 200);
      expect(JSON.parse(answer.body.toString())).to.deep.include({ total: 0 });
    });

    it('says why the registry refuses', async () => expectRefused(await program(WRONG)));
  });

  describe('in Python', function () {
    requires(this, pythonWithRequests() !== undefined, 'python3 with requests is not installed (scripts/installTools.sh)');
    const program = (password: string): Promise<Ran> =>
      attempt(pythonWithRequests() ?? '', [
        join(EXAMPLES, 'python/ghostdock.py'),
        ...[registry.current().url, ADMIN, password, '2', '0'],
      ]);

    it('lists repositories and tags, reads the audit log and monitors', async () => {
      const { code, stdout, stderr } = await program(PASSWORD);
      expect(code, stderr).to.equal(0);
      expect(stdout).to.contain('examples/one: v1, v2\n  private\nexamples/two: latest\n  private\n');
      expect(stdout).to.match(/^\d+ entries in the audit log$/m);
      expect(stdout).to.match(/(?:^Repositories: 2\nHealth: healthy\nActive Sessions: 0\n){2}/m);
      expect(stderr).to.equal('');
    });

    it('says why the registry refuses', async () => expectRefused(await program(WRONG)));
  });

  describe('with curl', function () {
    requires(this, ['bash', 'curl', 'jq', 'tar'].every(installed), 'bash, curl, jq and tar are not installed');
    const folder = scratchFolder();
    after(() => folder.remove());

    it('pushes an image, which can be pulled, and a second time sends no blob again', async () => {
      writeFileSync(join(folder.path, 'hello.txt'), 'hello');
      const push = () =>
        run('bash', [join(EXAMPLES, 'curl/push.sh'), 'examples/curl', 'latest', folder.path], { env: environment() });
      const [layer, config, pushed] = (await push()).split('\n');
      expect(layer).to.match(/^Uploaded: sha256:/);
      expect(config).to.match(/^Uploaded: sha256:/);
      const digest = /^Pushed examples\/curl:latest, (sha256:[0-9a-f]{64})$/.exec(pushed ?? '')?.[1];
      expect(await tagsOf(admin, 'examples/curl')).to.deep.equal(['latest']);
      const manifest = expectStatus('manifest', await admin.send('GET', `/v2/examples/curl/manifests/${digest}`), 200);
      const { layers } = JSON.parse(manifest.body.toString()) as { layers: readonly { digest: string; size: number }[] };
      expect(layer).to.equal(`Uploaded: ${layers[0]?.digest}`);
      const blob = expectStatus('layer', await admin.send('GET', `/v2/examples/curl/blobs/${layers[0]?.digest}`), 200);
      expect(blob.body.length).to.equal(layers[0]?.size);
      expect(await push()).to.equal(
        [layer, config]
          .map((line) => line?.replace('Uploaded', 'There already'))
          .concat(pushed ?? '')
          .join('\n'),
      );
    });

    it('monitors, and goes on when the registry does not answer', async () => {
      const monitor = join(EXAMPLES, 'curl/monitor.sh');
      const shown = await run('bash', [monitor, '1', '0'], { env: environment() });
      expect(shown).to.match(/^=== Registry Status .+ ===\nHealth: healthy\n/);
      expect(shown).to.match(/^Repositories: \d+\nManifests: \d+\nBlobs: \d+\nActive Sessions: 0$/m);
      const alarmed = await run('bash', [monitor, '2', '0'], { env: environment(WRONG) });
      expect(alarmed.match(/^ALERT: the registry does not answer$/gm)).to.have.lengthOf(2);
    });

    it('ends in time where the registry refuses', async () => {
      const { code, stderr } = await attempt('bash', [join(EXAMPLES, 'curl/push.sh'), 'examples/no', 'latest', folder.path], {
        env: environment(WRONG),
      });
      expect(code).not.to.equal(0);
      expect(stderr).to.contain('401');
    });
  });
});
