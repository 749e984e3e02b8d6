import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { NewEvent } from '../src/events/event.ts';
import { NO_STREAM } from '../src/events/log/log.ts';
import { sqliteEventLog } from '../src/events/log/sqlite.ts';
import type { RepositoryEvents } from '../src/events/repository.ts';
import { digestOf as checkedDigestOf } from '../src/oci/digest.ts';
import { basic, bearer, httpClient, pushImage, pushManifest } from '../test/support/http.ts';
import { OCI_INDEX, randomImage } from '../test/support/images.ts';
import { installed, scratchFolder } from '../test/support/processes.ts';
import { ADMIN, PASSWORD, startRegistry } from '../test/support/registryProcess.ts';
import { type Figure, median, rounded } from './figures.ts';
import { peerInstalled, startPeer } from './peer.ts';
import { wrk } from './wrk.ts';

const MANY = 100_000;
/** Tags of the repository that both registries have: docker-registry reads all of them for every page. */
const FEW = 1000;
const PAGE = 100;
const ROUNDS = 3;
const CROWDED = 'crowded/app';
const SMALL = 'small/app';
const TAGS_PER_APPEND = 200;
const AT_ONCE = 1000;
const NO_LIMITS = { GHOSTDOCK_API_REQUESTS_PER_HOUR: '0', GHOSTDOCK_API_REQUESTS_PER_MINUTE: '0' };

const number = (n: number): string => String(n).padStart(6, '0');
const repository = (n: number): string => `team-${number(n).slice(0, 3)}/app-${number(n).slice(3)}`;
const tag = (n: number): string => `v${number(n)}`;
const DIGEST = checkedDigestOf('an index');

let ids = 0;
const event = <T extends keyof RepositoryEvents>(type: T, data: RepositoryEvents[T]): NewEvent => {
  ids += 1;
  const id = `00000000-0000-4000-8000-${ids.toString(16).padStart(12, '0')}`;
  const metadata = {
    actor: { kind: 'user', id: '7' },
    requestId: id,
    correlationId: id,
    at: '2026-01-01T00:00:00.000Z',
    version: 1,
  } as const;
  return { id, type, data, metadata };
};

const first = (name: string): readonly NewEvent[] => {
  const of = { repositoryId: `life-${name}`, repository: name };
  return [
    event('RepositoryCreated', { ...of, ownerId: 7, visibility: 'private' }),
    event('ManifestPushed', { ...of, digest: DIGEST, size: 10, mediaType: OCI_INDEX, references: [] }),
  ];
};

/** A log with many repositories, one of which has many tags: what nobody wants to wait for over HTTP. */
const fillLog = async (dataDir: string): Promise<void> => {
  mkdirSync(join(dataDir, 'log'), { recursive: true });
  const log = await sqliteEventLog(join(dataDir, 'log', 'facts.db'));
  let waiting: Promise<unknown>[] = [];
  for (let n = 0; n < MANY; n += 1) {
    waiting.push(log.append(`ghostdock.repository-${repository(n)}`, NO_STREAM, first(repository(n))));
    if (waiting.length < AT_ONCE) continue;
    await Promise.all(waiting);
    waiting = [];
  }
  await Promise.all(waiting);
  const stream = `ghostdock.repository-${CROWDED}`;
  const of = { repositoryId: `life-${CROWDED}`, repository: CROWDED, digest: DIGEST };
  await log.append(stream, NO_STREAM, first(CROWDED));
  for (let n = 0; n < MANY; n += TAGS_PER_APPEND) {
    const moved = Array.from({ length: TAGS_PER_APPEND }, (_, i) => event('TagMoved', { ...of, tag: tag(n + i) }));
    await log.append(stream, n + 1, moved);
  }
  await log.close();
};

type Subject = Readonly<{ url: string; headersFor: (scope: string) => Promise<Readonly<{ authorization?: string }>> }>;

/** An image under FEW tags, over HTTP. */
const fillSmall = async ({ url, headersFor }: Subject): Promise<void> => {
  const { authorization } = await headersFor(`repository:${SMALL}:pull,push`);
  const client = httpClient(url, { ...(authorization !== undefined && { authorization }), connections: 16 });
  const image = randomImage('listing', { layers: 1 });
  await pushImage(client, SMALL, tag(0), image);
  await Promise.all(Array.from({ length: FEW - 1 }, (_, n) => pushManifest(client, SMALL, tag(n + 1), image.manifest)));
  client.close();
};

type Pages = Readonly<{ list: string; path: string; scope: string; name: (n: number) => string }>;
const LISTS: readonly Pages[] = [
  { list: 'repositories', path: '/v2/_catalog', scope: 'registry:catalog:*', name: repository },
  { list: 'tags', path: `/v2/${CROWDED}/tags/list`, scope: `repository:${CROWDED}:pull`, name: tag },
];

/** Medians of turns, so that whatever else the machine does meets all of them. */
const rates = async (measures: readonly (() => Promise<number>)[]): Promise<readonly number[]> => {
  const all: number[][] = measures.map(() => []);
  for (let round = 0; round < ROUNDS; round += 1)
    for (const [index, measure] of measures.entries()) all[index]?.push(await measure());
  return all.map(median);
};

const pagesOf = async ({ url, headersFor }: Subject, { list, path, scope, name }: Pages): Promise<readonly Figure[]> => {
  const headers = await headersFor(scope);
  const page = (last: string) => () => wrk(`${url}${path}?n=${PAGE}${last}`, headers);
  const [begin = 0, middle = 0, end = 0] = await rates(
    ['', `&last=${name(MANY / 2)}`, `&last=${name(MANY - PAGE - 1)}`].map(page),
  );
  const of = `${PAGE} of ${MANY.toLocaleString('en')} ${list}`;
  return [
    { question: `listing, first page of ${of}`, figure: `${rounded(begin)}/s` },
    {
      question: `listing, a page in the middle of ${of}`,
      figure: `${rounded(middle / begin)} × the first (${rounded(middle)}/s)`,
    },
    { question: `listing, the last page of ${of}`, figure: `${rounded(end / begin)} × the first (${rounded(end)}/s)` },
  ];
};

/** Of the management API, whose lists come in any order. */
const ORDERS: readonly (readonly [what: string, query: string])[] = [
  ['by name', 'sort=name'],
  ['by newest push', 'sort=-updated'],
  ['by size', 'sort=-size'],
  ['by pulls', 'sort=-pulls'],
  ['searched, 100 found', 'q=app-042'],
  ['searched, 1,000 found, by newest push', 'q=team-042&sort=-updated'],
  ['searched, all found, by newest push', 'q=app&sort=-updated'],
  ['by newest push, 10,000 entries in', 'sort=-updated&page=101'],
];

const ordersOf = async (url: string): Promise<readonly Figure[]> => {
  const headers = { authorization: basic(ADMIN, PASSWORD) };
  const measures = ORDERS.map(
    ([, query]) =>
      () =>
        wrk(`${url}/api/v1/repositories?limit=${PAGE}&${query}`, headers),
  );
  const found = await rates(measures);
  return ORDERS.map(([what], index) => ({
    question: `managing, ${PAGE} of ${MANY.toLocaleString('en')} repositories, ${what}`,
    figure: `${rounded(found[index] ?? 0)}/s`,
  }));
};

/** Debian's docker-registry does not page tags: its answer has all of them. */
const besides = async (ours: Subject): Promise<Figure> => {
  const question = `listing, ${PAGE} of ${FEW.toLocaleString('en')} tags`;
  const measure = async ({ url, headersFor }: Subject): Promise<() => Promise<number>> => {
    const headers = await headersFor(`repository:${SMALL}:pull`);
    return () => wrk(`${url}/v2/${SMALL}/tags/list?n=${PAGE}`, headers);
  };
  if (!peerInstalled()) return { question, figure: `${rounded(await (await measure(ours))())}/s (no docker-registry here)` };
  const peer = await startPeer();
  try {
    const theirs: Subject = { url: peer.url, headersFor: async () => ({}) };
    await fillSmall(theirs);
    const [own = 0, other = 0] = await rates([await measure(ours), await measure(theirs)]);
    return { question, figure: `${rounded(own / other)} × (${rounded(own)}/s : ${rounded(other)}/s)` };
  } finally {
    await peer.stop();
  }
};

/** What does a page of a list cost, wherever it begins in a list that is long? About two minutes, a quarter of it to make the lists. */
export const run = async (): Promise<readonly Figure[]> => {
  if (!installed('wrk')) return [];
  await using started = new AsyncDisposableStack();
  const { path, remove } = scratchFolder();
  started.defer(remove);
  await fillLog(path);
  const registry = await startRegistry({ dataDir: path, env: NO_LIMITS });
  started.defer(registry.dispose);
  const client = httpClient(registry.url);
  started.defer(client.close);
  const ours: Subject = {
    url: registry.url,
    headersFor: async (scope) => {
      const authorization = await bearer(client, basic(ADMIN, PASSWORD), scope);
      return authorization === undefined ? {} : { authorization };
    },
  };
  await fillSmall(ours);
  const figures: Figure[] = [];
  for (const list of LISTS) figures.push(...(await pagesOf(ours, list)));
  return [...figures, ...(await ordersOf(ours.url)), await besides(ours)];
};

if (import.meta.main) console.table(await run());
