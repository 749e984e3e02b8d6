import { basic, bearer, expectStatus, type HttpClient, httpClient, pushImage } from '../test/support/http.ts';
import { accessTokenOf } from '../test/support/identities.ts';
import { OCI_MANIFEST, randomImage } from '../test/support/images.ts';
import { installed } from '../test/support/processes.ts';
import { ADMIN, PASSWORD, startRegistry } from '../test/support/registryProcess.ts';
import { type Figure, median, rounded } from './figures.ts';
import { wrk } from './wrk.ts';

const ROUNDS = 5;
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
  };
};

/** What does it cost how a client shows who it is? Manifest GETs by tag, in turns on the same registry. Under a minute. */
export const run = async (): Promise<readonly Figure[]> => {
  if (!installed('wrk')) return [];
  const { url, dispose } = await startRegistry();
  try {
    const credentials = Object.entries(await credentialsFor(url));
    const rates = credentials.map((): number[] => []);
    // The first round warms up.
    for (let round = 0; round <= ROUNDS; round += 1)
      for (const [index, [, authorization]] of credentials.entries()) {
        const rate = await wrk(`${url}/v2/${IMAGE}/manifests/latest`, { accept: OCI_MANIFEST, authorization });
        if (round > 0) rates[index]?.push(rate);
      }
    const [first = Number.NaN, ...others] = rates.map(median);
    return [first, ...others].map((rate, index) => ({
      question: `credentials, ${credentials[index]?.[0]}`,
      figure: index === 0 ? `${rounded(rate)}/s` : `${rounded(rate / first)} × the first (${rounded(rate)}/s)`,
    }));
  } finally {
    await dispose();
  }
};

if (import.meta.main) console.table(await run());
