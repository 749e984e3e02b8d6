// Logs in, lists the repositories page by page, makes an access token and uses it, reads the audit log, and watches the summary.
//
//   node examples/typescript/main.ts http://localhost:5000 admin PASSWORD [rounds] [seconds between them]

import { setTimeout as pause } from 'node:timers/promises';
import type { Operations } from './api.ts';
import { type Client, ghostdock, Refused } from './client.ts';

type Repository = Operations['getRepositories']['answer']['repositories'][number];
type Summary = Operations['getApiRegistryState']['answer']['summary'];

const PAGE = 100;

/** A session, for people's programs. */
const login = async (base: string, username: string, password: string): Promise<Client> => {
  const answer = await ghostdock(base).call('login', { body: { username, password } });
  return ghostdock(base, `Bearer ${answer.token}`);
};

/** All repositories, of which only a page is in memory. */
async function* repositories(client: Client): AsyncGenerator<Repository> {
  for (let page = 1; ; page += 1) {
    const answer = await client.call('getRepositories', { query: { page: String(page), limit: String(PAGE) } });
    yield* answer.repositories;
    if (page >= answer.pagination.pages) return;
  }
}

/** Runs something with an access token that is revoked afterwards, whatever becomes of it. */
const withToken = async (client: Client, use: (token: Client) => Promise<void>): Promise<void> => {
  const { id, name, token } = await client.call('postTokens', {
    body: { name: 'example', permissions: ['pull'], expires_at: new Date(Date.now() + 3_600_000).toISOString() },
  });
  console.log(`Token ${id}, "${name}", for an hour`);
  try {
    await use(client.as(`Bearer ${token}`));
  } finally {
    await client.call('deleteTokensById', { params: { id: String(id) } });
  }
};

/** The summary, again and again. `limit=0`: without the lists of what there is. */
async function* summaries(client: Client, rounds: number, everyMs: number): AsyncGenerator<Summary> {
  for (let round = 1; round <= rounds; round += 1) {
    const { summary } = await client.call('getApiRegistryState', { query: { limit: '0' } });
    yield summary;
    if (round < rounds) await pause(everyMs);
  }
}

const main = async (base: string, username: string, password: string, rounds: number, everyMs: number): Promise<void> => {
  const client = await login(base, username, password);

  for await (const { name, visibility, tag_count: tags } of repositories(client))
    console.log(`${name}: ${visibility}, ${tags} tags`);

  await withToken(client, async (token) => {
    const { repositories: names } = await token.call('getV2Catalog', {});
    console.log(`The token sees ${names.length} repositories`);
  });

  const { logs, total } = await client.call('getAudit', { query: { limit: '5' } });
  console.log(`${total} entries in the audit log, the newest:`);
  for (const { timestamp, user, action, resource } of logs) console.log(`${timestamp} ${user} ${action} ${resource}`);

  for await (const { totalRepositories, totalManifests, totalBlobs } of summaries(client, rounds, everyMs))
    console.log(`${totalRepositories} repositories, ${totalManifests} manifests, ${totalBlobs} blobs`);

  await client.call('logout', {});
};

const [base = 'http://localhost:5000', username = 'admin', password = '', rounds = '3', seconds = '5'] = process.argv.slice(2);
try {
  await main(base, username, password, Number(rounds), Number(seconds) * 1000);
} catch (error) {
  if (!(error instanceof Refused)) throw error;
  console.error(`The registry refused: ${error.message}`);
  process.exitCode = 1;
}
