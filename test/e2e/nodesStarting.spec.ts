import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { basic, bearer, expectStatus, httpClient, pushImage } from '../support/http.ts';
import { randomImage } from '../support/images.ts';
import { mongoForTests } from '../support/mongo/mongoForTests.ts';
import { type Nodes, startNodes } from '../support/nodes.ts';
import { scratchFolder } from '../support/processes.ts';
import { ADMIN, type NotStarted, type RegistryProcess, refusedStart, startRegistry } from '../support/registryProcess.ts';
import { requires } from '../support/reporter.ts';
import { type Combination, storesForTests } from '../support/stores.ts';
import { expectPulled } from './acrossNodes.ts';
import { allOf, expectGapless } from './stopped.ts';

const mongo = await mongoForTests();

const ANNOUNCED = /The user "admin" has the password\s+(\S+)\s+which is shown this once/;
const RETRACTED = /the password that was shown here is not in use/;
const EX_CONFIG = 78;
const EX_UNAVAILABLE = 69;

const expectSentence = ({ output }: NotStarted): void => {
  expect(output, 'a sentence, not a stack').to.not.match(/\n\s+at /);
};

describe('First starts at once', function () {
  requires(this, mongo.missing === undefined, mongo.missing ?? '');
  this.timeout(90_000);
  const NODES = 3;
  let nodes: Nodes;
  let password = '';

  before(async () => {
    nodes = await startNodes(0, { env: { GHOSTDOCK_ADMIN_PASSWORD: undefined } });
    await Promise.all(Array.from({ length: NODES }, () => nodes.add()));
  });
  after(() => nodes?.dispose());

  const works = async ({ url }: RegistryProcess, tried: string): Promise<boolean> => {
    const client = httpClient(url, { authorization: basic(ADMIN, tried) });
    const { status } = await client.send('GET', '/v2/');
    client.close();
    return status === 200;
  };

  it('make one administrator, whose password is the one that one of them has shown and not taken back', async () => {
    const shown = nodes.all().filter(({ output }) => ANNOUNCED.test(output()));
    const kept = shown.filter(({ output }) => !RETRACTED.test(output()));
    expect(kept).to.have.length(1);
    for (const one of shown) {
      const tried = ANNOUNCED.exec(one.output())?.[1] ?? '';
      if (one === kept[0]) password = tried;
      for (const node of nodes.all()) expect(await works(node, tried)).to.equal(one === kept[0]);
    }
  });

  it('give tokens that all of them take', async () => {
    for (const [place, { url }] of nodes.all().entries()) {
      const issuer = httpClient(url);
      const token = await bearer(issuer, basic(ADMIN, password), 'repository:first/image:pull,push');
      issuer.close();
      for (const other of nodes.all().keys()) {
        const image = randomImage('first', { layers: 1 });
        await pushImage(nodes.admin(other).as(token), 'first/image', `v${place}-${other}`, image);
        await expectPulled(nodes.admin(place, password), 'first/image', `v${place}-${other}`, image);
      }
    }
  });

  it('leave one history: each user and each signing key was recorded once', async () => {
    const log = await nodes.openLog();
    const facts = await allOf(log);
    await log.close();
    expectGapless(facts);
    expect(facts.filter(({ type }) => type === 'UserRegistered')).to.have.length(1);
    const keys = facts.filter(({ type }) => type === 'SigningKeyRotated').map(({ data }) => (data as { keyId: string }).keyId);
    expect(keys).to.have.length.greaterThan(0);
    expect(new Set(keys).size).to.equal(keys.length);
  });
});

describe('A node that does not fit the others', function () {
  requires(this, mongo.missing === undefined, mongo.missing ?? '');
  this.timeout(90_000);
  let nodes: Nodes;

  before(async () => {
    nodes = await startNodes(1);
  });
  after(() => nodes?.dispose());

  it('is refused with another key-encryption key, and the others go on', async () => {
    const refused = await refusedStart(nodes.add({ env: { GHOSTDOCK_SECRET_KEY: randomBytes(32).toString('base64') } }));
    expect(refused.exit.code).to.equal(EX_CONFIG);
    expect(refused.output).to.contain('The key-encryption key does not fit');
    expectSentence(refused);
    expectStatus('the others', await nodes.admin(0).send('GET', '/v2/'), 200);
  });

  it('is refused without a key', async () => {
    const refused = await refusedStart(nodes.add({ env: { GHOSTDOCK_SECRET_KEY: undefined } }));
    expect(refused.exit.code).to.equal(EX_CONFIG);
    expect(refused.output).to.contain('GHOSTDOCK_SECRET_KEY');
    expectSentence(refused);
    expectStatus('the others', await nodes.admin(0).send('GET', '/v2/'), 200);
  });
});

const needsMongo = (combination: Combination): boolean => combination.endsWith('mongo');

for (const combination of ['embedded', 'eventstore', 'mongo'] as const) {
  describe(`A folder of a registry on these stores: ${combination}`, function () {
    requires(this, !needsMongo(combination) || mongo.missing === undefined, mongo.missing ?? '');
    this.timeout(90_000);

    it('is for one process alone', async () => {
      const { env, drop } = await storesForTests(combination);
      const folder = scratchFolder();
      const first = await startRegistry({ dataDir: folder.path, env });
      try {
        const refused = await refusedStart(startRegistry({ dataDir: folder.path, env }));
        expect(refused.exit.code).to.equal(EX_UNAVAILABLE);
        expect(refused.output).to.contain(`process ${first.pid}`).and.to.contain(folder.path);
        expectSentence(refused);
        const client = httpClient(first.url);
        expectStatus('the first', await client.send('GET', '/health'), 200);
        client.close();
      } finally {
        await first.dispose();
        await drop();
        folder.remove();
      }
    });
  });
}
