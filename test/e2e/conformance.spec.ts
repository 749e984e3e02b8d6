import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { type Peer, peerInstalled, startPeer } from '../../bench/peer.ts';
import { ROWS } from '../conformance/rows/all.ts';
import { attempt, freePort, type Ran, scratchFolder } from '../support/processes.ts';
import { ADMIN, PASSWORD, registryFor } from '../support/registryProcess.ts';
import { requires } from '../support/reporter.ts';

const SCRIPT = fileURLToPath(new URL('../../scripts/conformance.ts', import.meta.url));

type Told = Readonly<{ line: string; it: string; asks: string; is: string; why?: string; problems?: readonly string[] }>;
type Result = Readonly<{ summary: Record<string, Record<string, number>>; rows: readonly Told[] }>;

const command = (args: readonly string[], password?: string): Promise<Ran> =>
  attempt(process.execPath, [SCRIPT, ...args], { env: { GHOSTDOCK_CONFORMANCE_PASSWORD: password } });

/** Runs all rows. @returns the run, and what it wrote for machines */
const runAll = async (args: readonly string[], password?: string): Promise<Readonly<{ ran: Ran; result: Result }>> => {
  const { path, remove } = scratchFolder();
  const file = join(path, 'result.json');
  try {
    const ran = await command([...args, '--keep', '--json', file], password);
    return { ran, result: JSON.parse(readFileSync(file, 'utf8')) as Result };
  } finally {
    remove();
  }
};

describe('npm run conformance', function () {
  this.timeout(120_000);
  const registry = registryFor();

  it('finds nothing to report on this registry, whose tokens it follows', async () => {
    const { ran, result } = await runAll(['--url', registry.current().url, '--username', ADMIN], PASSWORD);
    expect(result.rows.filter(({ is }) => is === 'failed')).to.deep.equal([]);
    expect(ran.code, ran.stdout + ran.stderr).to.equal(0);
    expect(result.rows).to.have.length(ROWS.length);
    expect(result.rows.filter(({ is }) => is === 'notApplicable').map(({ why }) => why)).to.have.members([
      'no second account was given', // whom the catalog hides things from,
      'no second account was given', // and who is denied
      'it deletes', // and so does not refuse to
    ]);
    expect(ran.stdout).to.match(/Summary\n {2}OCI distribution 1\.1 +\d+ passed, 0 failed, 1 not applicable\n/);
    expect(ran.stdout + JSON.stringify(result)).not.to.contain(PASSWORD);
  });

  it('runs some of the rows, by their name', async () => {
    const some = await command(
      ['--url', registry.current().url, '--username', ADMIN, '--only', 'Discovery: referrers'],
      PASSWORD,
    );
    expect(some.code, some.stdout).to.equal(0);
    expect(some.stdout).to.contain('\nDiscovery\n').and.not.to.contain('\nPull\n');
  });

  it('reports each row that fails with what was asked, expected and got, and ends with 1', async () => {
    const failing = await command(
      ['--url', registry.current().url, '--username', ADMIN, '--only', 'GET /v2/: answers 200 to those who may'],
      'wrong',
    );
    expect(failing.code).to.equal(1);
    expect(failing.stdout).to.match(
      /✘ Pull: GET \/v2\/: answers 200 .*\n +asked +GET \/v2\/\n +expected +200.*\n +got +401.*\n +because +the status is 401\n/,
    );
  });

  const WRONG: readonly (readonly [what: string, args: () => readonly string[], said: RegExp])[] = [
    ['without a registry', () => [], /Which registry\? --url/],
    ['with a URL that is none', () => ['--url', 'localhost:5000'], /--url must be like/],
    ['with a prefix that is no name', () => ['--url', 'http://localhost', '--prefix', 'Up'], /--prefix must be/],
    ['with an option that there is not', () => ['--url', 'http://localhost', '--fast'], /--fast/],
    ['with a user without a password', () => ['--url', 'http://localhost', '--username', 'ann'], /password of ann/],
    ['with rows that there are not', () => ['--url', 'http://localhost', '--only', 'nothing of the kind'], /No row/],
    ['without a login where one is asked for', () => ['--url', registry.current().url], /asks for a login: --username/],
  ];
  for (const [what, args, said] of WRONG) {
    it(`is refused ${what}, in a sentence and with 64`, async () => {
      const { code, stderr, stdout } = await command(args());
      expect({ code, stdout }).to.deep.equal({ code: 64, stdout: '' });
      expect(stderr)
        .to.match(said)
        .and.not.to.match(/\n\s+at /);
    });
  }

  it('says that there is no answer, and ends with 1', async () => {
    const { code, stderr } = await command(['--url', `http://127.0.0.1:${await freePort()}`]);
    expect(code).to.equal(1);
    expect(stderr).to.match(/^There is no answer from http:.*\n$/);
  });
});

describe("npm run conformance, pointed at Debian's docker-registry", function () {
  requires(this, peerInstalled(), 'docker-registry is not installed');
  this.timeout(120_000);
  let peer: Peer;
  let ran: Ran;
  let rows: readonly Told[];

  before('all rows are run', async () => {
    peer = await startPeer();
    const all = await runAll(['--url', peer.url]);
    ran = all.ran;
    rows = all.result.rows;
  });
  after(() => peer.stop());

  const outcomesOf = (line: string): readonly string[] => [
    ...new Set(rows.filter((row) => row.line.startsWith(line)).map(({ is }) => is)),
  ];

  it('runs to the end, and ends with 1', () => {
    expect(ran.code, ran.stderr).to.equal(1);
    expect(rows).to.have.length(ROWS.length);
  });

  for (const line of [
    'Grammar: repository name, components',
    'Pull: blobs, GET and HEAD',
    'Pull: manifests, GET and HEAD',
    'Push: blobs, PATCH without Content-Range',
    'Push: blobs, PUT with or without a last chunk',
    'Delete: a second delete',
  ]) {
    it(`reports nothing on ${line}`, () => {
      expect(outcomesOf(line)).to.include('passed');
      expect(outcomesOf(line)).to.not.include('failed');
    });
  }

  // Of all that its release does not know.
  for (const line of [
    'Discovery: referrers, 200 always',
    'Push: manifests, subject → OCI-Subject',
    'Push: manifests, ?tag=&tag= → OCI-Tag',
    'Push: blobs, PATCH with Content-Range: out of order',
    'Discovery: tags, n and Link',
  ]) {
    it(`reports ${line}`, () => expect(outcomesOf(line)).to.include('failed'));
  }

  it('tells what it lacks and need not have as not applicable', () => {
    const why = rows.flatMap(({ is, why: reason }) => (is === 'notApplicable' ? [reason] : []));
    expect(why).to.include.members([
      'the registry has no token service, or no login was given',
      'it does not take a blob in one POST',
      'it does not delete tags',
      'it deletes blobs that images need',
    ]);
  });
});
