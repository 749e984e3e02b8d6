import { expect } from 'chai';
import { builtOrInstalled } from '../support/clients.ts';
import { attempt, type Ran, scratchFolder } from '../support/processes.ts';
import { ADMIN, PASSWORD, registryFor } from '../support/registryProcess.ts';
import { requires } from '../support/reporter.ts';

/** A number of its summary: `  FAIL..........................:          0`. */
const countOf = ({ stdout }: Ran, status: string): number =>
  Number(new RegExp(`^  ${status}\\.+: +(\\d+)$`, 'm').exec(stdout)?.[1]);

/** The tests themselves, without those that only gather others. */
const skippedIn = ({ stdout }: Ran): readonly string[] =>
  [...stdout.matchAll(/^ +OCI Conformance Test\/(.+): Skip$/gm)].map(([, name = '']) => name);

/** opencontainers/distribution-spec, folder `conformance`: one program for all versions of the spec. */
describe('the official conformance suite', function () {
  const program = builtOrInstalled('conformance');
  requires(this, program !== undefined, 'the suite is not built (scripts/installTools.sh)');
  this.timeout(120_000);

  for (const [login, env] of [
    ['tokens', {}],
    ['open', { GHOSTDOCK_AUTH: 'off' }],
  ] as const) {
    describe(login === 'tokens' ? 'with a login' : 'where anybody may do everything', () => {
      const registry = registryFor({ env });

      const run = async (version: string): Promise<Ran> => {
        const { path, remove } = scratchFolder();
        try {
          return await attempt(program ?? '', [], {
            cwd: path,
            env: {
              OCI_VERSION: version,
              OCI_REGISTRY: registry.current().host,
              OCI_TLS: 'disabled',
              OCI_REPO1: `official/${version}-one`,
              OCI_REPO2: `official/${version}-two`,
              ...(login === 'tokens' && { OCI_USERNAME: ADMIN, OCI_PASSWORD: PASSWORD }),
            },
          });
        } finally {
          remove();
        }
      };

      for (const version of ['1.1', 'dev']) {
        it(`has nothing to report at version ${version}`, async () => {
          const ran = await run(version);
          expect(ran.code, ran.stdout.slice(-5000) + ran.stderr).to.equal(0);
          expect({ failed: countOf(ran, 'FAIL'), errors: countOf(ran, 'Error') }).to.deep.equal({ failed: 0, errors: 0 });
          expect(countOf(ran, 'Pass')).to.be.greaterThan(800);
          expect(skippedIn(ran), 'skipped because we lack something').to.deep.equal([]);
        });
      }
    });
  }
});
