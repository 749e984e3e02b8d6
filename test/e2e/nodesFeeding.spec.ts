import { cp, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { expectStatus, type HttpClient, pushImage, pushManifest, tagsOf } from '../support/http.ts';
import { digestOf, randomImage } from '../support/images.ts';
import { mongoForTests } from '../support/mongo/mongoForTests.ts';
import { type Feeder, type Nodes, nodesFor } from '../support/nodes.ts';
import { scratchFolder, waitUntil } from '../support/processes.ts';
import { requires } from '../support/reporter.ts';
import { expectPulled, manifestStatus, pushVisibly, remove, turns } from './acrossNodes.ts';

const mongo = await mongoForTests();

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const GROUPS = ['serving', 'reporting'];

const small = (name: string) => randomImage(name, { layers: 1, size: 300 });

const placeOf = (nodes: Nodes, { pid }: Feeder): number => nodes.all().findIndex((node) => node.pid === pid);

/** Who feeds a group, once anybody but the process `not` does. */
const feederOf = (nodes: Nodes, group: string, not?: number): Promise<Feeder> =>
  waitUntil(`a node feeds the ${group} views`, async () => (await nodes.feeders(group)).find(({ pid }) => pid !== not));

type Build = Readonly<{ _id: string; group: string; current: number }>;
type Row = Readonly<{ _id: string; p: string; d?: Readonly<Record<string, unknown>> }>;

const buildsOf = (nodes: Nodes, group: string): Promise<readonly Build[]> =>
  nodes.db().collection<Build>('builds').find({ group }).toArray();

/** Puts a tag into the newest build of the views alone: whoever lists it reads that one. */
const markNewest = async (nodes: Nodes, repository: string): Promise<string> => {
  const [build] = await buildsOf(nodes, 'serving');
  const name = `${build?._id}.${build?.current}`;
  const found = await nodes.db().collection<Row>(`${name}.repositories`).findOne({ _id: repository });
  const d = { name: 'marked', digest: digestOf('marked'), movedAt: '2026-01-01T00:00:00.000Z' };
  await nodes
    .db()
    .collection<Row>(`${name}.tags`)
    .insertOne({ _id: `${found?.d?.repositoryId}/marked`, p: found?.p ?? '', d });
  return d.name;
};

/**
 * Clients that push to one of two nodes and delete there, and look from the other one, over and over, while `meanwhile` happens. What
 * is refused, or may not be seen yet, is not looked at.
 * @returns how often they did
 */
const pushingWhile = async (
  nodes: Nodes,
  [one, another]: readonly [number, number],
  repository: string,
  meanwhile: () => Promise<void>,
): Promise<number> => {
  const image = small(repository);
  for (const place of [one, another]) await pushImage(nodes.admin(place), `${repository}${place}`, 'first', image);
  let over = false;
  let looks = 0;
  const work = async (here: number, there: number): Promise<void> => {
    const [client, other, name] = [nodes.admin(here), nodes.admin(there), `${repository}${here}`];
    const look = async (reference: string, status: number, what: string): Promise<void> => {
      looks += 1;
      expect(await manifestStatus(other, name, reference), `${name}:${reference}, ${what} node ${here}`).to.equal(status);
    };
    for (let round = 0; !over; round += 1) {
      const tag = `v${round}`;
      const { headers } = await pushManifest(client, name, tag, image.manifest);
      if (headers.warning === undefined) await look(tag, 200, 'pushed to');
      const deleted = await client.send('DELETE', `/v2/${name}/manifests/${tag}`);
      if (expectStatus('delete', deleted, 202, 503).status === 202) await look(tag, 404, 'deleted through');
    }
  };
  const working = Promise.all([work(one, another), work(another, one)]);
  await Promise.race([meanwhile(), working]).finally(() => {
    over = true;
  });
  await working;
  return looks;
};

describe('The node that feeds the views', function () {
  requires(this, mongo.missing === undefined, mongo.missing ?? '');
  this.timeout(90_000);
  const nodes = nodesFor(2);
  const admin = (place: number): HttpClient => nodes().admin(place);

  it('is one of them for each group, and stays the one', async () => {
    for (const group of GROUPS) {
      const feeder = await feederOf(nodes(), group);
      expect(placeOf(nodes(), feeder)).to.be.oneOf([0, 1]);
      const later = await waitUntil('it beats', async () =>
        (await nodes().feeders(group)).find(({ beat }) => beat > feeder.beat),
      );
      expect(later.pid).to.equal(feeder.pid);
      expect(await nodes().feeders(group)).to.have.length(1);
    }
  });

  it('has a successor when it is killed, and nothing is lost that either node has acknowledged', async () => {
    const feeder = await feederOf(nodes(), 'serving');
    const dead = placeOf(nodes(), feeder);
    const alive = 1 - dead;
    const images = new Map(['before', 'after', 'later'].map((tag) => [tag, small(tag)]));
    const push = (place: number, tag: string) => pushVisibly(admin(place), 'killed/image', tag, images.get(tag) ?? small(''));
    await push(dead, 'before');
    await nodes().node(dead).kill();
    await push(alive, 'after');
    for (const group of GROUPS) expect((await feederOf(nodes(), group, feeder.pid)).pid, group).to.equal(nodes().node(alive).pid);
    await push(alive, 'later');
    await nodes().restart(dead);
    for (const place of [0, 1]) for (const [tag, image] of images) await expectPulled(admin(place), 'killed/image', tag, image);
  });

  it('lets go at once when it stops in order', async () => {
    const feeder = await feederOf(nodes(), 'serving');
    const place = placeOf(nodes(), feeder);
    expect(await nodes().node(place).stop()).to.deep.equal({ code: 0, signal: null });
    for (const group of GROUPS) expect((await nodes().feeders(group)).map(({ pid }) => pid)).to.not.include(feeder.pid);
    await pushVisibly(admin(1 - place), 'stopped/image', 'v1', small('stopped'));
    await nodes().restart(place);
    await expectPulled(admin(place), 'stopped/image', 'v1', small('stopped'));
  });

  it('serves nothing that was deleted while it stood still for longer than it may hold its lease, and breaks nothing', async () => {
    const repository = 'paused/image';
    const [kept, gone] = [small('kept'), small('gone')];
    await pushImage(admin(0), repository, 'kept', kept);
    await pushImage(admin(0), repository, 'gone', gone);
    const feeder = await feederOf(nodes(), 'serving');
    const paused = admin(placeOf(nodes(), feeder));
    const other = admin(1 - placeOf(nodes(), feeder));
    const references = ['gone', gone.manifest.digest].map((reference) => `/v2/${repository}/manifests/${reference}`);
    const deleted = [...references, `/v2/${repository}/blobs/${gone.config.digest}`];
    for (const path of deleted) expectStatus(path, await paused.send('GET', path), 200);

    process.kill(feeder.pid, 'SIGSTOP');
    try {
      await feederOf(nodes(), 'serving', feeder.pid);
      for (const path of deleted.slice(1)) await remove(other, path);
      await pushVisibly(other, repository, 'new', kept);
      const asked = deleted.map((path) => paused.send('GET', path));
      process.kill(feeder.pid, 'SIGCONT');
      // After a long pause it may have to look first which views are in use.
      for (const answer of await Promise.all(asked)) expectStatus('what was deleted', answer, 404, 503);
    } finally {
      process.kill(feeder.pid, 'SIGCONT');
    }
    await waitUntil('it serves', async () => (await manifestStatus(paused, repository, 'kept')) === 200);
    await expectPulled(paused, repository, 'new', kept);
    for (const { turn, here, there } of turns(4)) {
      await pushVisibly(admin(here), repository, `later${turn}`, kept);
      await expectPulled(admin(there), repository, `later${turn}`, kept);
      for (const path of deleted) expectStatus(path, await admin(there).send('GET', path), 404);
    }
    expect(await nodes().feeders('serving')).to.have.length(1);
  });

  it('builds them anew on SIGUSR2 while both nodes take pushes and pulls, and both read the new ones then', async () => {
    // Those of the facts: the views of the access log are not built from them.
    const builds = async () => [...(await buildsOf(nodes(), 'serving')), ...(await buildsOf(nodes(), 'reporting'))];
    const before = await builds();
    const looks = await pushingWhile(nodes(), [0, 1], 'rebuilt/by', async () => {
      const { logs, pid } = nodes().node(placeOf(nodes(), await feederOf(nodes(), 'serving')));
      process.kill(pid, 'SIGUSR2');
      await waitUntil('they are built', () => logs().some(({ msg }) => msg?.startsWith('All views are built anew')));
      const mark = await markNewest(nodes(), 'rebuilt/by0');
      for (const place of [0, 1])
        await waitUntil(`node ${place} reads them`, async () => (await tagsOf(admin(place), 'rebuilt/by0')).includes(mark));
    });
    expect(looks).to.be.greaterThan(0);
    const after = await builds();
    expect(after).to.have.length(2);
    expect(after.map(({ current }) => current)).to.deep.equal(before.map(({ current }) => current + 1));
  });
});

/** This tree as a release that keeps a view in another form. @returns its `main.ts` */
const nextRelease = async (folder: string): Promise<string> => {
  await mkdir(folder, { recursive: true });
  await cp(join(ROOT, 'src'), join(folder, 'src'), { recursive: true });
  await cp(join(ROOT, 'package.json'), join(folder, 'package.json'));
  await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  const file = join(folder, 'src/projections/tags.ts');
  const source = await readFile(file, 'utf8');
  const raised = source.replace(/version: (\d+)/, (_, version) => `version: ${Number(version) + 1}`);
  expect(raised).to.not.equal(source);
  await writeFile(file, raised);
  return join(folder, 'src/main.ts');
};

describe('Two releases side by side', function () {
  requires(this, mongo.missing === undefined, mongo.missing ?? '');
  this.timeout(90_000);
  const [FIRST, SECOND, NEW] = [0, 1, 2];
  const scratch = scratchFolder();
  const nodes = nodesFor(2);
  const admin = (place: number): HttpClient => nodes().admin(place);
  after(() => scratch.remove());

  it('have views of their own, and the new one shows what the old one has taken', async () => {
    await pushImage(admin(FIRST), 'upgraded/image', 'v1', small('old'));
    await nodes().add({ main: await nextRelease(join(scratch.path, 'next')) });
    await expectPulled(admin(NEW), 'upgraded/image', 'v1', small('old'));
    expect(await buildsOf(nodes(), 'serving')).to.have.length(2);
  });

  it('show at once what was pushed and deleted through the other', async () => {
    const { manifest } = small('old');
    for (const { turn, here, there } of turns(30)) {
      const [pusher, reader] = [here, there].map((place) => admin(place === 0 ? SECOND : NEW)) as [HttpClient, HttpClient];
      await pushManifest(pusher, 'upgraded/image', 'moving', manifest);
      expect(await manifestStatus(reader, 'upgraded/image', 'moving'), `pushed in turn ${turn}`).to.equal(200);
      await remove(pusher, '/v2/upgraded/image/manifests/moving');
      expect(await manifestStatus(reader, 'upgraded/image', 'moving'), `deleted in turn ${turn}`).to.equal(404);
    }
  });

  it('show it also while one node after the other is replaced', async () => {
    const looks = await pushingWhile(nodes(), [SECOND, NEW], 'replaced/by', async () => {
      const { pid } = nodes().node(FIRST);
      expect(await nodes().node(FIRST).stop()).to.deep.equal({ code: 0, signal: null });
      await waitUntil('another old node feeds the old views', async () => {
        const feeders = await nodes().feeders('serving');
        return feeders.length === 2 && feeders.every((feeder) => feeder.pid !== pid);
      });
    });
    expect(looks).to.be.greaterThan(0);
  });

  it('go on with the new one alone when the old ones have stopped', async () => {
    expect(await nodes().node(SECOND).stop()).to.deep.equal({ code: 0, signal: null });
    await pushVisibly(admin(NEW), 'upgraded/image', 'v2', small('new'));
    await expectPulled(admin(NEW), 'upgraded/image', 'v1', small('old'));
    await expectPulled(admin(NEW), 'upgraded/image', 'v2', small('new'));
    await remove(admin(NEW), '/v2/upgraded/image/manifests/v1');
    expect(await manifestStatus(admin(NEW), 'upgraded/image', 'v1')).to.equal(404);
  });
});
