import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { basic, expectStatus, type HttpClient, httpClient, pushBlob, pushImage, tagsOf } from '../support/http.ts';
import { randomImage } from '../support/images.ts';
import { attempt, installed, type Ran, scratchFolder } from '../support/processes.ts';
import { ADMIN, PASSWORD, registryFor } from '../support/registryProcess.ts';
import { requires } from '../support/reporter.ts';
import { pythonWithRequests } from './programs.ts';
import { filledIn, samplesOf } from './samples.ts';

const GHOSTDOCK = samplesOf('ghostdock-api');
const NSCR = samplesOf('nscr-external-api');

/** Endless loops sleep between their rounds: the second time they are ended. */
const SLEEP = `#!/bin/sh
echo "$1" >>"$ROUNDS"
[ "$(wc -l <"$ROUNDS")" -lt 2 ] || kill "$PPID"
`;
/** The same in Python. What a client of the sample is asked besides comes behind it. */
const PYTHON_SLEEP = `import time
rounds = []
def sleep(seconds):
    rounds.append(seconds)
    if len(rounds) == 2:
        raise SystemExit(0)
time.sleep = sleep
`;

describe('the code samples', function () {
  requires(this, ['bash', 'curl', 'jq'].every(installed), 'bash, curl and jq are not installed');
  this.timeout(60_000);
  const registry = registryFor();
  const scratch = scratchFolder();
  const rounds = join(scratch.path, 'rounds');
  let admin: HttpClient;
  let token = '';
  const image = randomImage('documents', { layers: 1 });

  before(async () => {
    mkdirSync(join(scratch.path, 'bin'));
    writeFileSync(join(scratch.path, 'bin/sleep'), SLEEP);
    chmodSync(join(scratch.path, 'bin/sleep'), 0o755);
    admin = httpClient(registry.current().url, { authorization: basic(ADMIN, PASSWORD) });
    const login = { headers: { 'content-type': 'application/json' }, body: `{"username":"${ADMIN}","password":"${PASSWORD}"}` };
    const answer = expectStatus('login', await admin.as(undefined).send('POST', '/auth', login), 200);
    ({ token } = JSON.parse(answer.body.toString()) as { token: string });
    await pushImage(admin, 'nginx', 'latest', image);
    await pushImage(admin, 'nginx', 'stable', image);
    await pushImage(admin, 'team/postgres', '14', image);
  });
  after(() => {
    admin.close();
    scratch.remove();
    expect(
      registry
        .current()
        .logs()
        .filter(({ level = 0 }) => level >= 50),
      'what the registry failed at',
    ).to.deep.equal([]);
  });

  /** Runs a sample until it ends, or has slept twice. */
  const bash = (sample: string | undefined): Promise<Ran> => {
    writeFileSync(rounds, '');
    return attempt('bash', ['-c', filledIn(sample ?? '', registry.current().url)], {
      cwd: scratch.path,
      env: { PATH: `${join(scratch.path, 'bin')}:${process.env.PATH}`, ROUNDS: rounds, TOKEN: token },
      withinMs: 40_000,
    });
  };

  /** The standard output of one that ends by itself, and says nothing is wrong. */
  const ended = async (sample: string | undefined): Promise<string> => {
    const { code, stdout, stderr } = await bash(sample);
    expect(code, stderr).to.equal(0);
    expect(stderr.replaceAll(/^.*(?:% Total|Dload|--:--|\d{2}:\d{2}).*$|\r|\s/gm, ''), 'curl’s progress alone').to.equal('');
    return stdout;
  };

  /** That of one which goes on for ever, after two rounds. */
  const twoRounds = async (sample: string | undefined, seconds: string): Promise<string> => {
    const { signal, stdout, stderr } = await bash(sample);
    expect(readFileSync(rounds, 'utf8'), stderr).to.equal(`${seconds}\n${seconds}\n`);
    expect(signal).to.equal('SIGTERM');
    expect(stderr).to.equal('');
    return stdout;
  };

  /** Of the whole registry: the samples add to it, and which of them are run depends on what is installed. */
  const blobs = async (): Promise<number> => {
    const answer = expectStatus('statistics', await admin.send('GET', '/api/garbage-collect/stats'), 200);
    return (JSON.parse(answer.body.toString()) as { totalBlobs: number }).totalBlobs;
  };

  // “Docker CLI” needs a daemon, and is run with the others of docker.
  it('of both documents are all run here or in docker.spec.ts', () => {
    expect([...GHOSTDOCK.keys()]).to.deep.equal([
      ...['Bearer Token Authentication', 'Docker CLI', 'Push Image (Simplified)', 'Python Client'],
    ]);
    expect([...NSCR.keys()]).to.deep.equal([
      ...['Authentication', '1. State Monitoring During Concurrent Operations', '2. Repository Consistency Checking'],
      ...['3. Session Monitoring', '4. Health Monitoring', '5. Blob Tracking', 'Python Client Example', 'Bash Monitoring Script'],
    ]);
  });

  describe('of the GhostDock API', () => {
    it('“Bearer Token Authentication”: a challenge, a token, and the catalog by it', async () => {
      const shown = await ended(GHOSTDOCK.get('Bearer Token Authentication'));
      expect(shown).to.match(/^HTTP\/1\.1 401 Unauthorized\r\n/);
      expect(shown).to.match(/^www-authenticate: Bearer realm="/m);
      expect(shown).to.match(/\{"token":"[\w.-]+","expires_at":"\d{4}-[^"]+","user":\{/);
      expect(shown).to.contain('{"repositories":["nginx","team/postgres"]}');
    });

    it('“Push Image (Simplified)”: a token, an upload that is begun, and the manifest', async () => {
      for (const blob of [image.config, ...image.layers]) await pushBlob(admin, 'myapp/frontend', blob);
      const manifest = JSON.stringify(
        {
          schemaVersion: 2,
          mediaType: 'application/vnd.docker.distribution.manifest.v2+json',
          config: {
            mediaType: 'application/vnd.docker.container.image.v1+json',
            size: image.config.bytes.length,
            digest: image.config.digest,
          },
          layers: image.layers.map(({ bytes, digest }) => ({
            mediaType: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
            size: bytes.length,
            digest,
          })),
        },
        null,
        2,
      );
      writeFileSync(join(scratch.path, 'layer.tar.gz'), image.layers[0]?.bytes ?? '');
      writeFileSync(join(scratch.path, 'manifest.json'), manifest);
      expect(await ended(GHOSTDOCK.get('Push Image (Simplified)'))).to.equal('');
      expect(await tagsOf(admin, 'myapp/frontend')).to.deep.equal(['latest']);
      const sessions = expectStatus('sessions', await admin.send('GET', '/api/registry/sessions'), 200);
      expect(JSON.parse(sessions.body.toString())).to.include({ totalActiveSessions: 1 });
    });

    describe('“Python Client”', function () {
      requires(this, pythonWithRequests() !== undefined, 'python3 with requests is not installed (scripts/installTools.sh)');

      it('lists repositories and tags', async () => {
        const program = `${filledIn(GHOSTDOCK.get('Python Client') ?? '', registry.current().url)}
print("nginx" in repositories and "team/postgres" in repositories)
print(client.get_tags("nginx"), client.get_tags("team/postgres"))
`;
        const { code, stdout, stderr } = await attempt(pythonWithRequests() ?? '', ['-'], { input: program });
        expect(code, stderr).to.equal(0);
        expect(stdout).to.equal("True\n['latest', 'stable'] ['14']\n");
      });
    });
  });

  describe('of the monitoring API', () => {
    it('“Authentication”: the state of the registry, with a username and a password', async () => {
      const state = JSON.parse(await ended(NSCR.get('Authentication'))) as { summary: object };
      expect(state).to.have.keys(
        ...['timestamp', 'registryVersion', 'summary', 'storage', 'repositories', 'activeSessions', 'health'],
      );
      expect(state.summary).to.have.property('totalBlobs', await blobs());
    });

    it('“State Monitoring During Concurrent Operations”: the summary, every 5 seconds', async () => {
      const shown = await twoRounds(NSCR.get('1. State Monitoring During Concurrent Operations'), '5');
      const summaries = JSON.parse(`[${shown.replaceAll('}\n{', '},{')}]`) as readonly object[];
      expect(summaries).to.have.lengthOf(2);
      for (const summary of summaries)
        expect(summary).to.include({ orphanedManifests: 0 }).and.have.property('totalRepositories');
    });

    it('“Repository Consistency Checking”: every repository by its name, and no tag without a manifest', async () => {
      const lines = (await ended(NSCR.get('2. Repository Consistency Checking'))).trimEnd().split('\n');
      expect(lines).to.include.members(['Checking repository: nginx', 'Checking repository: team/postgres']);
      for (const line of lines) expect(line).to.match(/^Checking repository: [\w/]+$/);
    });

    it('“Session Monitoring”: an upload that is under way', async () => {
      const begun = expectStatus('upload', await admin.send('POST', '/v2/nginx/blobs/uploads/'), 202);
      const { location = '' } = begun.headers;
      const body = Buffer.alloc(10);
      expectStatus('chunk', await admin.send('PATCH', location, { body }), 202);
      const shown = await ended(NSCR.get('3. Session Monitoring'));
      const sessions = JSON.parse(`[${shown.replaceAll('}\n{', '},{')}]`) as readonly Record<string, unknown>[];
      const ours = sessions.find(({ id }) => location.endsWith(String(id)));
      expect(ours).to.have.all.keys('id', 'duration', 'blobCount').and.to.include({ blobCount: 1 });
      expect(ours?.duration).to.be.a('number').that.is.at.least(0);
      expectStatus('cancel', await admin.send('DELETE', location), 204);
    });

    it('“Health Monitoring”: no alert of a registry that is well', async () => {
      expect(await twoRounds(NSCR.get('4. Health Monitoring'), '10')).to.equal('');
    });

    it('“Blob Tracking”: a time and the number of blobs, every 5 seconds', async () => {
      const shown = await twoRounds(NSCR.get('5. Blob Tracking'), '5');
      expect(shown).to.match(new RegExp(`^(?:\\d{4}-\\d\\d-\\d\\dT[\\d:+]+,${await blobs()}\n){2}$`));
    });

    it('“Bash Monitoring Script”: status, counters, sessions, and no warning', async () => {
      const shown = await twoRounds(NSCR.get('Bash Monitoring Script'), '10');
      const counters = `Repositories: \\d+\nManifests: \\d+\nBlobs: ${await blobs()}\nActive Sessions: \\d+`;
      expect(shown).to.match(new RegExp(`^(?:=== Registry Status .+ ===\nHealth: healthy\n${counters}\n---\n){2}$`));
    });

    describe('“Python Client Example”', function () {
      requires(this, pythonWithRequests() !== undefined, 'python3 with requests is not installed (scripts/installTools.sh)');

      it('monitors continuously', async () => {
        const program = PYTHON_SLEEP + filledIn(NSCR.get('Python Client Example') ?? '', registry.current().url);
        const { code, stdout, stderr } = await attempt(pythonWithRequests() ?? '', ['-'], { input: program });
        expect(code, stderr).to.equal(0);
        expect(stdout).to.match(/^(?:Repositories: \d+\nHealth: healthy\nActive Sessions: \d+\n){2}$/);
      });
    });
  });
});
