import { cleaner } from './cleaning.ts';
import { type Account, basic, type Challenge, type Login, loginAs } from './login.ts';
import { filled, problemsWith, shownExpected, unsound } from './matching.ts';
import { namesFor } from './naming.ts';
import type { Answer, Exchange, Expected, Names, Need, Raw, Row, Sender, Step, Walk } from './row.ts';
import { shownAnswer, shownSending } from './showing.ts';
import type { Wire } from './wire.ts';

/** A registry, and as whom it is asked. */
export type Target = Readonly<{
  wire: Wire;
  challenge: Challenge;
  account?: Account;
  /** May do nothing in the repositories of the account. */
  stranger?: Account;
  /** First component(s) of all repositories. */
  prefix: string;
  /** Whether what rows push is left there: for registries that are thrown away. */
  keep?: boolean;
}>;

export type Outcome = Readonly<
  | { is: 'passed' }
  | { is: 'notApplicable'; why: string }
  | { is: 'failed'; asked: string; expected: string; got: string; problems: readonly string[] }
>;

export class NotApplicable extends Error {}

/** An answer that was not as expected. */
class Differs extends Error {
  readonly outcome: Extract<Outcome, { is: 'failed' }>;

  constructor(asked: string, expected: string, got: string, problems: readonly string[]) {
    super(`${asked}\n  expected ${expected}\n  got ${got}\n  ${problems.join('\n  ')}`);
    this.outcome = { is: 'failed', asked, expected, got, problems };
  }
}

const LACKING: Readonly<Record<Need, string>> = {
  login: 'the registry asks for no login, or none was given',
  tokens: 'the registry has no token service, or no login was given',
  stranger: 'no second account was given',
};

const has = ({ challenge, account, stranger }: Target, need: Need): boolean => {
  if (need === 'stranger') return stranger !== undefined && challenge.kind !== 'none';
  return account !== undefined && (need === 'tokens' ? challenge.kind === 'bearer' : challenge.kind !== 'none');
};

const NEXT = /<([^>]+)>\s*;\s*rel="?next"?/;

/** What clients send along who pull: without it some registries have only what docker used to store. */
const ANY_MANIFEST = [
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  '*/*',
].join(', ');

const acceptFor = (method: string, to: string): Readonly<Record<string, string>> =>
  (method === 'GET' || method === 'HEAD') && to.includes('/manifests/') ? { accept: ANY_MANIFEST } : {};

/** Runs one row in repositories of its own. @returns what came of it; never throws for what a registry does */
export const runRow = async (target: Target, row: Row): Promise<Outcome> => {
  if (row.needs !== undefined && !has(target, row.needs)) return { is: 'notApplicable', why: LACKING[row.needs] };
  const { wire, account, stranger } = target;
  const logins: Partial<Record<Sender, Login>> = { account: loginAs(wire, account), stranger: loginAs(wire, stranger) };
  const cleaning = cleaner(target);

  const sendIt = async (method: string, to: string, { sending }: Exchange, names: Names): Promise<Answer> => {
    const { by = 'account', headers = {}, body, chunked } = sending;
    const login = logins[by];
    const filledHeaders = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, filled(value, names)]));
    const once = (): Promise<Answer> => {
      const held = by === 'basic' && account !== undefined ? basic(account) : login?.authorization();
      const authorization = held === undefined ? {} : { authorization: held };
      return wire.send({
        method,
        target: to,
        headers: { ...acceptFor(method, to), ...authorization, ...filledHeaders },
        ...(body !== undefined && { body: typeof body === 'string' ? filled(body, names) : body }),
        ...(chunked !== undefined && { chunked }),
      });
    };
    const answer = await once();
    return answer.status === 401 && login !== undefined && (await login.challenged(answer)) ? once() : answer;
  };

  const judge = (
    method: string,
    to: string,
    asked: string,
    answer: Answer,
    alternatives: readonly Expected[],
    names: Names,
  ): void => {
    const problems = alternatives.map((expected) => problemsWith(method, to, answer, expected, names));
    const general = unsound(method, answer);
    const best = problems.toSorted((one, other) => one.length - other.length)[0] ?? [];
    if (best.length + general.length === 0) return;
    throw new Differs(asked, shownExpected(alternatives, names), shownAnswer(answer), [...best, ...general]);
  };

  const targetOf = (text: string, query: NonNullable<Exchange['sending']['query']>, names: Names): string => {
    const path = filled(text, names);
    const pairs = Object.entries(query).flatMap(([name, values]) =>
      (typeof values === 'string' ? [values] : values).map((value) => `${name}=${encodeURIComponent(filled(value, names))}`),
    );
    return pairs.length === 0 ? path : `${path}${path.includes('?') ? '&' : '?'}${pairs.join('&')}`;
  };

  /** Locations are kept absolute, so that they can be used as they are. */
  const remember = (names: Record<string, string>, to: string, answer: Answer, keep: Exchange['keep']): void => {
    const { location } = answer.headers;
    const asked = new URL(to, wire.base).href;
    if (location !== undefined && URL.canParse(location, asked)) names.location = new URL(location, asked).href;
    for (const [name, pick] of Object.entries(keep ?? {})) names[name] = pick(answer, names);
  };

  const exchange = async (step: Exchange, names: Record<string, string>): Promise<Answer> => {
    const [method = '', text = ''] = step.request.split(' ');
    const to = targetOf(text, step.sending.query ?? {}, names);
    const asked = `${method} ${to}${shownSending(step.sending)}`;
    const answer = await sendIt(method, to, step, names).catch((error: Error) => {
      throw new Differs(asked, shownExpected(step.expected, names), `no answer: ${error.message}`, []);
    });
    cleaning.saw(method, to, answer);
    const lacks = step.unless?.[answer.status];
    if (lacks !== undefined) throw new NotApplicable(lacks);
    judge(method, to, asked, answer, step.expected, names);
    remember(names, to, answer, step.keep);
    return answer;
  };

  const raw = async ({ raw: line, query, head, body, expected }: Raw, names: Record<string, string>): Promise<Answer> => {
    const [method = '', text = ''] = line.split(' ');
    const request = `${method} ${targetOf(text, query ?? {}, names)}`;
    const authorization = logins.account?.authorization();
    const lines = [
      ...(authorization === undefined ? [] : [`Authorization: ${authorization}`]),
      ...head.map((one) => filled(one, names)),
    ];
    const asked = `${request} on a connection of its own (${head.join('; ')}; ${body.length} bytes)`;
    const alternatives = expected ?? [];
    const answer = await wire.raw(request, lines, body, expected !== undefined).catch((error: Error) => {
      throw new Differs(asked, shownExpected(alternatives, names), `no answer: ${error.message}`, []);
    });
    if (answer === undefined) return { status: 0, headers: {}, body: Buffer.alloc(0) };
    judge(method, request, asked, answer, alternatives, names);
    remember(names, request.split(' ')[1] ?? '/', answer, undefined);
    return answer;
  };

  const entriesOf = (answer: Answer, field: Walk['field']): readonly string[] => {
    const { [field]: list } = JSON.parse(answer.body.toString()) as Record<string, readonly unknown[] | null>;
    return (list ?? []).map((entry) => (typeof entry === 'string' ? entry : (entry as { digest: string }).digest));
  };

  const walk = async ({ walk: from, field, finds, page, within, unless }: Walk, names: Record<string, string>): Promise<void> => {
    const found: string[] = [];
    const wanted = finds.map((one) => filled(one, names));
    let next: string | undefined = from;
    for (let pages = 0; next !== undefined && pages < 1000; pages += 1) {
      const to: string = next;
      const step: Exchange = {
        request: `GET ${to}`,
        sending: {},
        expected: [{ status: 200 }],
        ...(unless !== undefined && { unless }),
      };
      const answer = await exchange(step, names);
      const entries = entriesOf(answer, field);
      if (entries.length > page)
        throw new Differs(`GET ${filled(to, names)}`, `at most ${page} entries`, `${entries.length}`, ['the page is too long']);
      const ours = within === undefined ? entries : entries.filter((entry) => entry.startsWith(filled(within, names)));
      found.push(...ours);
      const link = NEXT.exec(String(answer.headers.link ?? ''))?.[1];
      const ended = within !== undefined && ours.length < entries.length;
      next = link === undefined || ended ? undefined : new URL(link, new URL(filled(to, names), wire.base)).href;
    }
    if (found.join('\n') !== wanted.join('\n'))
      throw new Differs(`all pages of ${filled(from, names)}`, wanted.join(', '), found.join(', '), ['the list is another one']);
  };

  const runSteps = async (steps: readonly Step[], names: Record<string, string>): Promise<void> => {
    for (const step of steps) {
      if ('request' in step) await exchange(step, names);
      else if ('raw' in step) await raw(step, names);
      else if ('walk' in step) await walk(step, names);
      else if ('together' in step) await Promise.all(step.together.map((lane) => runSteps(lane, { ...names })));
      else await step.run((one) => ('raw' in one ? raw(one, names) : exchange(one, names)), names);
    }
  };

  try {
    await runSteps(row.steps, { ...namesFor(target) });
    return { is: 'passed' };
  } catch (error) {
    if (error instanceof NotApplicable) return { is: 'notApplicable', why: error.message };
    if (error instanceof Differs) return error.outcome;
    return { is: 'failed', asked: row.it, expected: 'what the row says', got: (error as Error).message, problems: [] };
  } finally {
    const plain: Exchange = { request: '', sending: {}, expected: [] };
    if (target.keep !== true) await cleaning.clean(async (method, to) => (await sendIt(method, to, plain, {})).status);
  }
};
