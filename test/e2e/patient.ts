import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import type { Answer, HttpClient, Sending } from '../support/http.ts';

/** What clients saw of a registry whose servers come and go. */
export type Experience = Readonly<{
  /** Answers by their status. */
  statuses: () => ReadonlyMap<number, number>;
  /** Answers that nobody should get, and requests without one. */
  wrong: () => readonly string[];
  /** The answer that took longest. */
  slowest: () => string;
}>;

export type Watching = Experience &
  Readonly<{
    sends: (method: string) => void;
    saw: (what: string, tookMs: number, answer: Answer | Error) => void;
    /** Resolves when the next request is sent that changes something. */
    nextChange: () => Promise<void>;
  }>;

/** A request that has no answer after this time hangs. In ms; only bounds how long a failure takes. */
const HANGS_AFTER_MS = 30_000;
/** What is still refused after this time will never get through. In ms. */
const GIVE_UP_AFTER_MS = 60_000;
/** Few wrong answers tell as much as all of them. */
const MOST_WRONG = 20;

type Worded = Readonly<{
  errors?: readonly Readonly<{ code?: string; message?: string }>[];
  error?: Readonly<{ code?: string }>;
}>;

const worded = ({ body }: Answer): Worded => {
  try {
    return JSON.parse(body.toString()) as Worded;
  } catch {
    return {};
  }
};

/** Says in the words of its surface that the client may try again, and when. */
const isGoodRefusal = (path: string, answer: Answer): boolean => {
  const { errors, error } = worded(answer);
  const code = path.startsWith('/v2/') ? errors?.[0]?.code : error?.code;
  return Number(answer.headers['retry-after']) >= 1 && code === 'UNAVAILABLE';
};

const faultOf = (path: string, answer: Answer): string | undefined => {
  const { status, headers, body } = answer;
  if (status < 500) return undefined;
  if (status === 503 && isGoodRefusal(path, answer)) return undefined;
  return `${status} ${JSON.stringify(headers)} ${body.toString('utf8', 0, 300)}`;
};

export const watching = (): Watching => {
  const statuses = new Map<number, number>();
  const wrong: string[] = [];
  let tellChange: () => void = () => undefined;
  let change: Promise<void> | undefined;
  let slowest = { what: 'nothing', tookMs: 0 };
  return {
    sends: (method) => {
      if (['GET', 'HEAD'].includes(method)) return;
      change = undefined;
      tellChange();
    },
    nextChange: () => {
      change ??= new Promise((resolve) => {
        tellChange = resolve;
      });
      return change;
    },
    saw: (what, tookMs, answer) => {
      if (tookMs > slowest.tookMs) slowest = { what, tookMs };
      const fault = answer instanceof Error ? `${answer}` : faultOf(what.split(' ')[1] ?? '', answer);
      if (!(answer instanceof Error)) statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
      if (fault !== undefined && wrong.length < MOST_WRONG) wrong.push(`${what}, after ${Math.round(tookMs)} ms: ${fault}`);
    },
    statuses: () => statuses,
    wrong: () => wrong,
    slowest: () => `${slowest.what} after ${Math.round(slowest.tookMs)} ms`,
  };
};

/** Everything that is sent is answered, and what comes is noted. */
export const watched =
  (client: HttpClient, { sends, saw }: Watching): HttpClient['send'] =>
  async (method, path, sending = {}) => {
    const begun = performance.now();
    const what = `${method} ${path.replace(/^http:\/\/[^/]+/, '')}`;
    sends(method);
    try {
      const answer = await client.send(method, path, { ...sending, signal: AbortSignal.timeout(HANGS_AFTER_MS) });
      saw(what, performance.now() - begun, answer);
      return answer;
    } catch (error) {
      saw(what, performance.now() - begun, error as Error);
      throw error;
    }
  };

const retryAfterMs = ({ headers }: Answer): number => Number(headers['retry-after'] ?? 1) * 1000;

/**
 * A client that repeats what was refused with 503 until it gets through, each time a moment before it was asked to. Deleting what an
 * earlier try has deleted is as good as having deleted it now.
 */
export const patient = (client: HttpClient, seen: Watching, random: () => number = Math.random): HttpClient => {
  const once = watched(client, seen);

  const send = async (method: string, path: string, sending: Sending = {}): Promise<Answer> => {
    const deadline = performance.now() + GIVE_UP_AFTER_MS;
    for (let attempt = 0; ; attempt++) {
      const answer = await once(method, path, sending);
      if (answer.status === 404 && method === 'DELETE' && attempt > 0)
        return { ...answer, status: 202, headers: { ...answer.headers, warning: '299 - "An earlier try has deleted it."' } };
      if (answer.status !== 503) return answer;
      if (performance.now() > deadline) throw new Error(`${method} ${path} is refused for ever: ${answer.body}`);
      await pause(random() * retryAfterMs(answer));
    }
  };

  return {
    ...client,
    send,
    /** For small bodies: they come whole. */
    open: async (method, path, sending) => {
      const { status, headers, body } = await send(method, path, sending);
      return Object.assign(Readable.from([body]), { statusCode: status, headers }) as unknown as IncomingMessage;
    },
    as: (authorization) => patient(client.as(authorization), seen, random),
  };
};
