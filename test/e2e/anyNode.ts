import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import type { Answer, HttpClient, Sending } from '../support/http.ts';

/** A request that has no answer after this time hangs, and what is still refused after the other will never get through. In ms. */
const HANGS_AFTER_MS = 30_000;
const GIVE_UP_AFTER_MS = 60_000;
const LONGEST_PAUSE_MS = 500;

/** An answer, and how many requests it took. */
export type Tried = Answer & Readonly<{ tries: number }>;

export type AnyNode = Omit<HttpClient, 'send'> &
  Readonly<{ send: (method: string, path: string, sending?: Sending) => Promise<Tried> }>;

export type AnyNodeOptions = Readonly<{
  /** A client of each node, in their order. Some nodes may be gone. */
  nodes: readonly HttpClient[];
  random: () => number;
  onAnswer: () => void;
}>;

/**
 * A client of several nodes, as behind a load balancer: each request goes to any of them, and to the next when that breaks off or
 * asks to try again. Deleting what an earlier try has deleted is as good as having deleted it now; readers may see it for a moment.
 */
export const anyNode = ({ nodes, random, onAnswer }: AnyNodeOptions): AnyNode => {
  const once = async (node: number, method: string, path: string, sending: Sending): Promise<Answer | undefined> => {
    try {
      const client = nodes[node % nodes.length] as HttpClient;
      const answer = await client.send(method, path, { ...sending, signal: AbortSignal.timeout(HANGS_AFTER_MS) });
      onAnswer();
      return answer.status === 503 ? undefined : answer;
    } catch (error) {
      if ((error as Error).name === 'TimeoutError') throw new Error(`${method} ${path} hangs`, { cause: error });
      return undefined;
    }
  };

  const send = async (method: string, path: string, sending: Sending = {}): Promise<Tried> => {
    const deadline = performance.now() + GIVE_UP_AFTER_MS;
    const first = Math.floor(random() * nodes.length);
    for (let tries = 1; performance.now() < deadline; tries += 1) {
      const answer = await once(first + tries, method, path, sending);
      if (answer?.status === 404 && method === 'DELETE' && tries > 1)
        return { ...answer, tries, status: 202, headers: { ...answer.headers, warning: '299 - "Deleted by an earlier try."' } };
      if (answer !== undefined) return { ...answer, tries };
      if (tries > 1) await pause(random() * LONGEST_PAUSE_MS);
    }
    throw new Error(`${method} ${path} is refused by all nodes for ever.`);
  };

  return {
    send,
    /** For small bodies: they come whole. */
    open: async (method, path, sending) => {
      const { status, headers, body } = await send(method, path, sending);
      return Object.assign(Readable.from([body]), { statusCode: status, headers }) as unknown as IncomingMessage;
    },
    as: (authorization) => anyNode({ nodes: nodes.map((node) => node.as(authorization)), random, onAnswer }),
    close: () => {
      for (const node of nodes) node.close();
    },
  };
};
