import { get, type IncomingMessage } from 'node:http';
import { performance } from 'node:perf_hooks';
import Fastify, { type FastifyInstance } from 'fastify';
import { managementSurface } from '../src/http/management/index.ts';
import { DEEPEST } from '../src/http/management/page.ts';
import { type Audited, auditDeps, auditedIn, CROWDED, RARE, SMALL, TAG, timeAt } from '../test/support/audited.ts';
import { scratchFolder } from '../test/support/processes.ts';
import { type Figure, median, rounded } from './figures.ts';

const ENTRIES = 1_000_000;
const LIMIT = 50;
const ROUNDS = 15;

const FILTERS: readonly (readonly [what: string, query: string])[] = [
  ['of everything', ''],
  ['by user', 'user=user:1'],
  ['by user, of one who did little', `user=${RARE}`],
  ['by action', 'action=tag.move'],
  ['by noun', 'action=manifest.*'],
  ['by repository', `resource=${CROWDED}`],
  ['by tag', `resource=${TAG}`],
  ['by time', `from=${timeAt(1000)}&to=${timeAt(ENTRIES / 2)}`],
  ['by user and action', 'user=user:1&action=repository.describe'],
  ['by repository, action and time', `resource=${CROWDED}&action=tag.*&to=${timeAt(ENTRIES / 2)}`],
  ['by user and repository, one of them with little', `user=user:1&resource=${SMALL}`],
  ['by user and tag, each with much and nothing in common', `user=user:6&resource=${TAG}`],
];

const list = async (app: FastifyInstance, query: string): Promise<Readonly<{ cursor: string | null }>> => {
  const answer = await app.inject(`/api/v1/audit?limit=${LIMIT}&${query}`);
  if (answer.statusCode !== 200) throw new Error(`${query}: ${answer.statusCode} ${answer.body}`);
  return answer.json();
};

const msOf = async (work: () => Promise<unknown>): Promise<number> => {
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const begun = performance.now();
    await work();
    times.push(performance.now() - begun);
  }
  return median(times);
};

const pageFigures = async (app: FastifyInstance): Promise<readonly Figure[]> => {
  const figures: Figure[] = [];
  const ask = async (what: string, query: string): Promise<void> => {
    figures.push({ question: `audit of 1,000,000, ${what}`, figure: `${rounded(await msOf(() => list(app, query)))} ms` });
  };
  for (const [what, query] of FILTERS) await ask(`first page ${what}`, query);
  for (const [what, query] of FILTERS.slice(0, 2)) {
    await ask(`the deepest page ${what}, ${DEEPEST.toLocaleString('en')} entries in`, `${query}&page=${DEEPEST / LIMIT}`);
    const { cursor } = await list(app, `${query}&page=${DEEPEST / LIMIT}`);
    await ask(`the page behind that by its cursor ${what}`, `${query}&cursor=${cursor}`);
  }
  return figures;
};

const exportFigure = async (url: string, format: string): Promise<Figure> => {
  const begun = performance.now();
  const message = await new Promise<IncomingMessage>((resolve, reject) =>
    get(`${url}?format=${format}`, resolve).on('error', reject),
  );
  let bytes = 0;
  for await (const chunk of message) bytes += (chunk as Buffer).length;
  const seconds = (performance.now() - begun) / 1000;
  return {
    question: `audit of 1,000,000, all of it as ${format}`,
    figure: `${rounded(bytes / 1_000_000 / seconds)} MB/s (${rounded(ENTRIES / seconds)} entries/s)`,
  };
};

const opened = async (audited: Audited): Promise<FastifyInstance> => {
  const app = Fastify();
  await app.register(managementSurface(await auditDeps(audited.facts, audited.access)), { prefix: '/api/v1' });
  return app;
};

/** What does the audit of a million entries cost, by whatever it is asked? Half a minute, most of it to write the entries. */
export const run = async (): Promise<readonly Figure[]> => {
  await using started = new AsyncDisposableStack();
  const { path, remove } = scratchFolder();
  started.defer(remove);
  const audited = auditedIn(path, ENTRIES);
  started.defer(audited.facts.close);
  started.defer(audited.access.close);
  const app = await opened(audited);
  started.defer(() => app.close());
  const url = `${await app.listen({ host: '127.0.0.1', port: 0 })}/api/v1/audit/export`;
  return [...(await pageFigures(app)), await exportFigure(url, 'ndjson'), await exportFigure(url, 'csv')];
};

if (import.meta.main) console.table(await run());
