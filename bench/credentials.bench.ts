import { basic, bearer, expectStatus, type HttpClient, httpClient, pushImage } from '../test/support/http.ts';
import { accessTokenOf } from '../test/support/identities.ts';
import { OCI_MANIFEST, randomImage } from '../test/support/images.ts';
import { ADMIN, PASSWORD, startRegistry } from '../test/support/registryProcess.ts';
import { connectionsTo, measuresCpu } from './cpuTime.ts';
import { type Figure, median, rounded } from './figures.ts';

const ROUNDS = 200;
const WARM_UP = 20;
const CONNECTIONS = 32;
/** Requests over each connection in a turn: 640, some 40 ms. */
const TIMES = 20;
const IMAGE = 'bench/image';

const post = async (http: HttpClient, path: string, body: unknown): Promise<void> => {
  const sending = { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } };
  expectStatus(path, await http.send('POST', `/api/v1${path}`, sending), 201);
};

/** Users who may pull it by what is granted to them, or to one of their teams. */
const readersOf = async (http: HttpClient): Promise<Readonly<Record<string, string>>> => {
  for (const username of ['granted', 'member']) await post(http, '/users', { username, password: PASSWORD });
  for (const n of [1, 2, 3]) {
    await post(http, '/teams', { name: `team-${n}` });
    await post(http, `/teams/${n}/members`, { user: 'member' });
    for (const part of ['a', 'b', 'c'])
      await post(http, '/grants', { scope: `team-${n}/${part}/*`, team: `team-${n}`, level: 'write' });
  }
  await post(http, `/repositories/${IMAGE}/-/grants`, { user: 'granted', level: 'read' });
  await post(http, '/grants', { scope: 'bench/*', team: 'team-3', level: 'read' });
  const [granted = '', member = ''] = await Promise.all(
    ['granted', 'member'].map((username) => bearer(http, basic(username, PASSWORD), `repository:${IMAGE}:pull`)),
  );
  return {
    'a token of docker’s protocol, of a user with a grant': granted,
    'a token of docker’s protocol, of a user in three teams with ten grants': member,
  };
};

/** What a client may send of an administrator, by its name. The first is what the others are measured by. */
const credentialsFor = async (url: string): Promise<Readonly<Record<string, string>>> => {
  const http = httpClient(url, { authorization: basic(ADMIN, PASSWORD) });
  await pushImage(http, IMAGE, 'latest', randomImage('bench'));
  const token = (await accessTokenOf(http, { permissions: ['pull'] })).value;
  const scope = `repository:${IMAGE}:pull`;
  const [ofPassword = '', ofToken = ''] = await Promise.all(
    [basic(ADMIN, PASSWORD), basic('ci', token)].map((credentials) => bearer(http, credentials, scope)),
  );
  const readers = await readersOf(http);
  http.close();
  return {
    'a token of docker’s protocol': ofPassword,
    'Basic, password': basic(ADMIN, PASSWORD),
    'Bearer ghd_': `Bearer ${token}`,
    'Basic, ghd_': basic('ci', token),
    'a token of docker’s protocol, made from ghd_': ofToken,
    ...readers,
    // What the machine adds to the figures.
    'the first again': ofPassword,
  };
};

const requestOf = ({ host }: Readonly<{ host: string }>, authorization: string): string =>
  [`GET /v2/${IMAGE}/manifests/latest HTTP/1.1`, `host: ${host}`, `accept: ${OCI_MANIFEST}`, `authorization: ${authorization}`]
    .map((line) => `${line}\r\n`)
    .join('')
    .concat('\r\n');

const shuffled = <T>(values: readonly T[]): readonly T[] =>
  values
    .map((value) => [Math.random(), value] as const)
    .sort(([one], [other]) => one - other)
    .map(([, value]) => value);

/**
 * What does it cost how a client shows who it is? The CPU of manifest GETs by tag, in short turns on the same registry, each compared with
 * the first credential of its round: so that it does not matter what else the machine does meanwhile. Some two minutes.
 */
export const run = async (): Promise<readonly Figure[]> => {
  if (!measuresCpu) return [];
  const registry = await startRegistry();
  try {
    const credentials = Object.entries(await credentialsFor(registry.url));
    const connections = await connectionsTo(registry.pid, registry.port, CONNECTIONS);
    const taken = credentials.map((): number[] => []);
    for (let round = -WARM_UP; round < ROUNDS; round += 1)
      for (const [index, [, authorization]] of shuffled([...credentials.entries()])) {
        const cpu = await connections.cpuPerGet(requestOf(registry, authorization), TIMES);
        if (round >= 0) taken[index]?.push(cpu);
      }
    connections.close();
    const [first = []] = taken;
    return taken.map((each, index) => {
      const cpu = `${rounded(median(each))} µs of CPU`;
      const ratio = rounded(median(each.map((one, round) => (first[round] ?? Number.NaN) / one)));
      return { question: `credentials, ${credentials[index]?.[0]}`, figure: index === 0 ? cpu : `${ratio} × the first (${cpu})` };
    });
  } finally {
    await registry.dispose();
  }
};

if (import.meta.main) console.table(await run());
