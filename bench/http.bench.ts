import { basic, bearer, httpClient, pushImage } from '../test/support/http.ts';
import { OCI_MANIFEST, randomImage } from '../test/support/images.ts';
import { installed } from '../test/support/processes.ts';
import { ADMIN, PASSWORD, startRegistry } from '../test/support/registryProcess.ts';
import { type Clients, startClients } from './clients.ts';
import { type Figure, median, rounded } from './figures.ts';
import { peerInstalled, startPeer } from './peer.ts';
import { authorizationOf, bigBlob, type Client, pushBlob } from './transfer.ts';
import { CONNECTIONS, SECONDS, wrk } from './wrk.ts';

const ROUNDS = 3;
const LARGE = 200;

const IMAGE = 'bench/image';
const LARGE_BLOB = 'bench/large';
const image = randomImage('bench');
const large = bigBlob(LARGE, 'large');

/** A registry that is measured. */
type Subject = Readonly<{ client: (repository: string) => Promise<Client>; stop: () => Promise<void> }>;
/** @param round another text each time: what is pushed must be new */
type Measure = (subject: Subject, round: string) => Promise<number>;
type Question = Readonly<{ question: string; unit: string; measure: Measure }>;

/** Authentication is on; the log has the level that it has by default. */
const startOurs = async (): Promise<Subject> => {
  const { url, dispose } = await startRegistry();
  return {
    client: async (repository) => {
      const http = httpClient(url);
      const authorization = await bearer(http, basic(ADMIN, PASSWORD), `repository:${repository}:pull,push`);
      http.close();
      return { url, repository, ...(authorization !== undefined && { authorization }) };
    },
    stop: dispose,
  };
};

const startTheirs = async (): Promise<Subject> => {
  const { url, stop } = await startPeer();
  return { client: async (repository) => ({ url, repository }), stop };
};

/** The image and the blob that are read later. */
const fill = async ({ client }: Subject): Promise<void> => {
  const reader = await client(IMAGE);
  const http = httpClient(reader.url, authorizationOf(reader));
  await pushImage(http, IMAGE, 'latest', image);
  http.close();
  await pushBlob(await client(LARGE_BLOB), large);
};

const pushers = ({ client }: Subject, count: number): Promise<readonly Client[]> =>
  Promise.all(Array.from({ length: count }, (_, index) => client(`bench/client-${index}`)));

const manifests = (clients: Clients, method: 'GET' | 'HEAD', by: string, reference: string): Question => ({
  question: `manifest ${method} by ${by}, ${CONNECTIONS} connections`,
  unit: '/s',
  measure: async (subject) => {
    const client = await subject.client(IMAGE);
    const url = `${client.url}/v2/${IMAGE}/manifests/${reference}`;
    const headers = { accept: OCI_MANIFEST, ...authorizationOf(client) };
    if (method === 'GET') return wrk(url, headers);
    return clients.run({ kind: 'heads', url, headers, connections: CONNECTIONS, ms: SECONDS * 1000 });
  },
});

const megabytes = (rate: number): number => rate / 1e6;

const pulls = (clients: Clients, count: number, times: number): Question => ({
  question: `pull, blob of ${LARGE} MiB, ${count} at a time`,
  unit: ' MB/s',
  measure: async (subject) => {
    const pullers = Array(count).fill(await subject.client(LARGE_BLOB));
    return megabytes(await clients.run({ kind: 'pull', clients: pullers, times, digest: large.digest, size: large.size }));
  },
});

const pushes = (clients: Clients, count: number, mebibytes: number, times: number): Question => ({
  question: `push, blob of ${mebibytes} MiB, ${count} at a time`,
  unit: ' MB/s',
  measure: async (subject, round) => {
    const task = { kind: 'push', clients: await pushers(subject, count), times, mebibytes, seed: `${round}-${count}` } as const;
    return megabytes(await clients.run(task));
  },
});

const imagePushes = (clients: Clients, count: number, times: number): Question => ({
  question: `push, image of 3 layers and 1 MB, ${count} at a time`,
  unit: '/s',
  measure: async (subject, round) => clients.run({ kind: 'images', clients: await pushers(subject, count), times, seed: round }),
});

const questionsFor = (clients: Clients): readonly Question[] => {
  const { digest } = image.manifest;
  const gets = [manifests(clients, 'GET', 'tag', 'latest'), manifests(clients, 'GET', 'digest', digest)];
  return [
    ...(installed('wrk') ? gets : []),
    manifests(clients, 'HEAD', 'tag', 'latest'),
    manifests(clients, 'HEAD', 'digest', digest),
    pulls(clients, 1, 8),
    pulls(clients, 8, 2),
    pushes(clients, 1, LARGE, 3),
    pushes(clients, 8, 40, 2),
    imagePushes(clients, 10, 10),
  ];
};

/** One after the other and over again, so that whatever else the machine does meets all of them. */
const medians = async (subjects: readonly Subject[], measure: Measure): Promise<readonly number[]> => {
  const rates: number[][] = subjects.map(() => []);
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [index, subject] of subjects.entries()) rates[index]?.push(await measure(subject, `round-${round}`));
  }
  return rates.map(median);
};

const figureOf = (unit: string, [ours = Number.NaN, theirs]: readonly number[]): string => {
  const own = `${rounded(ours)}${unit}`;
  return theirs === undefined
    ? `${own} (no docker-registry here)`
    : `${rounded(ours / theirs)} × (${own} : ${rounded(theirs)}${unit})`;
};

/**
 * How fast are reads and pushes over HTTP, as a multiple of Debian's docker-registry on the same machine in the same minute? About
 * two minutes.
 */
export const run = async (): Promise<readonly Figure[]> => {
  await using started = new AsyncDisposableStack();
  const clients = startClients();
  started.defer(clients.stop);
  const subjects: Subject[] = [];
  for (const start of peerInstalled() ? [startOurs, startTheirs] : [startOurs]) {
    const subject = await start();
    started.defer(subject.stop);
    await fill(subject);
    subjects.push(subject);
  }
  const figures: Figure[] = [];
  for (const { question, unit, measure } of questionsFor(clients))
    figures.push({ question, figure: figureOf(unit, await medians(subjects, measure)) });
  return figures;
};

if (import.meta.main) console.table(await run());
