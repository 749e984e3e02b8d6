import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'chai';
import { readConfig } from '../../src/config.ts';
import type { Recorded } from '../../src/events/event.ts';
import { seeded } from '../support/images.ts';
import { mongoForTests } from '../support/mongo/mongoForTests.ts';
import { nodesFor } from '../support/nodes.ts';
import { requires } from '../support/reporter.ts';
import { anyNode } from './anyNode.ts';
import { customer, LATEST } from './customer.ts';
import { corruptBlobs, expectGapless, statesOf } from './stopped.ts';
import { expectStoredViewsAgree, factsOnServer } from './stored.ts';
import { halfVisible, looking } from './visible.ts';

const mongo = await mongoForTests();

const SEED = Number(process.env.GHOSTDOCK_TEST_SEED ?? Date.now() % 1_000_000);
const KILLS = Number(process.env.GHOSTDOCK_TEST_NODE_KILLS ?? 6);
const NODES = 2;
const CUSTOMERS = 5;
const SAME = 'storm/same';
/** Most answers that customers have had since the last node was killed when the next one is, and how many ms later that is, at most. */
const MOST_ANSWERS = 60;
const LATER = 1000;

type Data = Readonly<{ repository: string; digest: string; tag: string; previous?: Readonly<{ digest: string }> }>;

const dataOf = (facts: readonly Recorded[], type: string): readonly Data[] =>
  facts.filter((fact) => fact.type === type).map(({ data }) => data as Data);

/** Manifests that were recorded while the repository had them. */
const recordedTwice = (facts: readonly Recorded[]): readonly string[] => {
  const present = new Set<string>();
  const twice: string[] = [];
  for (const { type, data } of facts) {
    const { repository, digest } = data as Data;
    const one = `${repository} ${digest}`;
    if (type === 'ManifestPushed' && present.has(one)) twice.push(one);
    if (type === 'ManifestPushed') present.add(one);
    if (type === 'ManifestDeleted') present.delete(one);
  }
  return twice;
};

describe(`Nodes that are killed under a storm of pushes (seed ${SEED}; GHOSTDOCK_TEST_SEED repeats it)`, function () {
  requires(this, mongo.missing === undefined, mongo.missing ?? '');
  this.timeout(300_000);
  const random = seeded(SEED);
  const customers = Array.from({ length: CUSTOMERS }, (_, index) =>
    customer({ name: `customer${index}`, repositories: [SAME, SAME, `storm/own${index % 3}`], random: seeded(SEED + 1 + index) }),
  );
  const nodes = nodesFor(NODES);
  let facts: readonly Recorded[] = [];

  const config = () => {
    const { eventLog = '', views = '', ...rest } = readConfig({ ...nodes().env, GHOSTDOCK_DATA_DIR: nodes().dataDir });
    return { ...rest, eventLog, views };
  };

  /** Kills one node after the other, each a moment after some answer, and starts it again. */
  const killing = async (isOver: () => boolean, answers: () => number): Promise<void> => {
    for (let kill = 0; kill < KILLS && !isOver(); kill += 1) {
      const enough = answers() + 1 + Math.floor(random() * MOST_ANSWERS);
      while (answers() < enough && !isOver()) await pause(10);
      await pause(random() * LATER);
      const place = Math.floor(random() * NODES);
      await nodes().node(place).kill();
      await nodes().restart(place);
    }
  };

  it(`answer every request in the end, while ${KILLS} times one of them is killed and started again`, async () => {
    let over = false;
    let answers = 0;
    const work = customers.map(({ work }, index) => {
      const clients = nodes()
        .all()
        .map((_, place) => nodes().admin(place));
      const onAnswer = () => {
        answers += 1;
      };
      return work(anyNode({ nodes: clients, random: seeded(SEED + 100 + index), onAnswer }), () => over);
    });
    const working = Promise.all(work);
    const killed = killing(
      () => over,
      () => answers,
    );
    await Promise.race([killed, working]).finally(async () => {
      over = true;
      await Promise.allSettled([killed, working]);
    });
    await working;
    expect(customers.reduce((sum, { pushed }) => sum + pushed.size, 0)).to.be.greaterThan(KILLS);
  });

  it('showed at once, wherever one asked, what either had answered with 2xx', () => {
    expect(customers.flatMap(({ wrong }) => wrong)).to.deep.equal([]);
  });

  it('have kept all of it, both of them, and show nothing half', async () => {
    for (let place = 0; place < NODES; place += 1) {
      const look = looking(nodes().admin(place));
      for (const { told } of customers)
        for (const [key, held] of told) expect(await look(key), `${key} at node ${place}`).to.equal(held);
      expect(await halfVisible(nodes().admin(place))).to.deep.equal([]);
    }
  });

  it('have left a gapless history whose times never go back', async () => {
    facts = await factsOnServer(config());
    expectGapless(facts);
    const last = new Map<string, string>();
    for (const { stream, metadata, position } of facts) {
      expect(metadata.at >= (last.get(stream) ?? ''), `${metadata.at} at ${position} of ${stream}`).to.equal(true);
      last.set(stream, metadata.at);
    }
  });

  it('have recorded each push once', () => {
    expect(recordedTwice(facts)).to.deep.equal([]);
    const recorded = dataOf(facts, 'ManifestPushed').map(({ repository, digest }) => `${repository} ${digest}`);
    expect(recorded).to.have.members(customers.flatMap(({ pushed }) => [...pushed]));
    expect(new Set(recorded).size, 'nobody pushes the same twice').to.equal(recorded.length);
  });

  it('have a history that says what the customers were told, and of the tag that all move what both show', async () => {
    const states = statesOf(facts);
    for (const { told } of customers)
      for (const [key, held] of told) {
        const [kind, repository = '', name = ''] = key.split(' ');
        const { tags, manifests, blobs } = states.get(repository) ?? { tags: new Map(), manifests: new Set(), blobs: new Set() };
        const present = kind === 'manifest' ? manifests : blobs;
        expect(kind === 'tag' ? tags.get(name) : present.has(name) ? name : undefined, key).to.equal(held);
      }
    for (const [repository, { tags }] of states)
      for (let place = 0; place < NODES; place += 1)
        expect(await looking(nodes().admin(place))(`tag ${repository} ${LATEST}`)).to.equal(tags.get(LATEST));
  });

  it('have moved tags one after the other: each move knows the one before it', () => {
    const current = new Map<string, string>();
    for (const { type, data, position } of facts) {
      const { repository, tag, digest, previous } = data as Data;
      const one = `${repository}:${tag}`;
      if (type === 'TagMoved') expect(previous?.digest, `before ${position}, ${one}`).to.equal(current.get(one));
      if (type === 'TagMoved') current.set(one, digest);
      if (type === 'TagDeleted') current.delete(one);
    }
  });

  it('have views that agree with the log', () => expectStoredViewsAgree(config()));

  it('have stored no blob whose bytes are not those of its digest', async () => {
    expect(await corruptBlobs(nodes().dataDir)).to.deep.equal([]);
  });
});
