import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { mongoForTests } from '../support/mongo/mongoForTests.ts';
import { cleanAtExit, exitOf } from '../support/processes.ts';
import { requires } from '../support/reporter.ts';
import { COMBINATIONS, chosenStores } from '../support/stores.ts';

const mongo = await mongoForTests();
const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const SUMMARY = /^(\d+) passed, (\d+) failed, (\d+) skipped$/m;

/**
 * What these look at is done before any store is asked, or is kept in memory: paths, heads, connections, limits, who is let in. They
 * tell nothing of the stores, and would take longer than all others together.
 */
const WITHOUT_STORES =
  'test/http/{attacks/**,accessMatrix,anything,artifacts,base,counters,documents,errorDocs,errors,imageSizes,jsonStream,inventoryReads,limits,listing.costs,management/repositoriesList.costs,management/repositoriesPage,methods,modes,openapi,referencePage,reported,management/auditDocs,management/surface,management/signingKeys,monitoring/streamClient,monitoring/streamLimits,monitoring/streaming,monitoring/surface,monitoring/throughput,oidc,path,people,prefix,proxies,requestStatistics,routes,sameOrigin,tls,trust,uploadFraming,uploadInterleaving,urls}{,.spec.ts}';

/** These are run on the embedded stores, and where both are servers: either adapter is under them once. */
const ON_BOTH_SERVERS = 'test/http/{management/**,monitoring/**,health,metrics,people,permissions,summary}{,.spec.ts}';

/** The suites of this folder that tell the stores apart, in a process of their own, on other stores. */
const runOn = async (stores: string): Promise<Readonly<{ code: number | null; output: string }>> => {
  const mocha = fileURLToPath(new URL('../../node_modules/mocha/bin/mocha.js', import.meta.url));
  const ignored = stores === 'eventstore+mongo' ? [WITHOUT_STORES] : [WITHOUT_STORES, ON_BOTH_SERVERS];
  const child = spawn(process.execPath, [mocha, 'test/http/**/*.spec.ts', ...ignored.flatMap((files) => ['--ignore', files])], {
    cwd: ROOT,
    env: { ...process.env, GHOSTDOCK_TEST_STORES: stores },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const forget = cleanAtExit(() => child.kill('SIGKILL'));
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  const { code } = await exitOf(child);
  forget();
  return { code, output };
};

describe('the suites of the HTTP interface', function () {
  // Only bounds how long a failure takes.
  this.timeout(600_000);
  requires(this, chosenStores() === 'embedded', 'this run is on other stores already (GHOSTDOCK_TEST_STORES)');

  const possible = COMBINATIONS.filter(
    (stores) => stores !== 'embedded' && (mongo.missing === undefined || !stores.endsWith('mongo')),
  );
  for (const stores of COMBINATIONS.filter((combination) => combination !== 'embedded'))
    describe(`on ${stores}`, function () {
      requires(this, possible.includes(stores), mongo.missing ?? '');

      it('all pass, as they do on the embedded stores', async () => {
        const { code, output } = await runOn(stores);
        const [, passed, failed] = (SUMMARY.exec(output) ?? []).map(Number);
        const failures = output.slice(Math.max(0, output.search(/^ {2}\d+ failing$/m)));
        expect({ code, failed }, failures.slice(0, 20_000)).to.deep.equal({ code: 0, failed: 0 });
        expect(passed).to.be.greaterThan(500);
      });
    });
});
