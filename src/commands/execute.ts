import { v5 as uuidv5 } from 'uuid';
import { isRefusal, RegistryError } from '../errors.ts';
import type { Catalogue } from '../events/catalogue.ts';
import { UnknownEvent } from '../events/catalogue.ts';
import type { Actor, Fact, NewEvent, Position, Recorded } from '../events/event.ts';
import {
  type Appended,
  AppendOutcomeUnknown,
  AppendTooLarge,
  type EventLog,
  LARGEST_EVENT,
  LARGEST_READ,
  LogFull,
  NO_STREAM,
  WrongExpectedRevision,
} from '../events/log/log.ts';
import type { Seen } from '../projections/projection.ts';
import type { Views } from '../projections/views/views.ts';
import type { Decider } from './decider.ts';
import { type Knowledge, knowledgeOf } from './knowledge.ts';

/** On whose behalf, and as part of what, a command is given. */
export type CommandContext = Readonly<{
  /** A UUID. The same command given again under the same id appends its events once. */
  commandId: string;
  actor: Actor;
  ip?: string;
  userAgent?: string;
  /** Under whose key these two are sealed: the owner of a token or robot. Absent: the actor's own, or the month's. */
  subject?: string;
  requestId: string;
  correlationId: string;
  causationId?: string;
}>;

/** What came of a command. `facts` is empty when everything was so already. */
export type Outcome = Readonly<{
  facts: readonly Fact[];
  /** Where the log stands with this outcome in it: what readers wait for who want to see it. */
  position: Position;
}>;

export type Execute = <C>(stream: string, decider: Decider<C>, command: C, context: CommandContext) => Promise<Outcome>;

export type ExecuteDeps = Readonly<{
  log: EventLog;
  /** The serving views. */
  views: Views;
  catalogue: Catalogue;
  /** Upcasts and reveals, as for the projector. */
  prepare: (events: readonly Recorded[]) => Promise<readonly Seen[]>;
  /** Seals the protected fields. */
  seal: (event: NewEvent, subject?: string) => Promise<NewEvent>;
  clock: () => Date;
  /** Waits before a retry; given so that tests need not. */
  pause: (ms: number) => Promise<void>;
}>;

/** A tail longer than this means that the projector is down or far behind. */
const LONGEST_TAIL = 5000;
const MOST_EVENTS = 200;
/** Room for the sealed metadata of each event, in bytes. */
const METADATA_ROOM = 1024;
/** How long conflicts and unknown outcomes are retried, in ms. */
const PATIENCE_MS = 5000;

type Waiting = Readonly<{
  decider: Decider<unknown>;
  command: unknown;
  context: CommandContext;
  resolve: (outcome: Outcome) => void;
  reject: (error: unknown) => void;
}>;

type Head = Readonly<{ revision: number; position: Position; at: string }>;
type Decided = Readonly<{ waiting: Waiting; facts: readonly Fact[]; events: readonly NewEvent[]; refusal?: unknown }>;

const unavailable = (message: string, cause?: unknown): RegistryError => new RegistryError('UNAVAILABLE', message, {}, { cause });

const sizeOf = (facts: readonly Fact[]): number =>
  facts.reduce((sum, { data }) => sum + METADATA_ROOM + Buffer.byteLength(JSON.stringify(data)), 0);

/** Everything in a stream from revision `from` on. @throws RegistryError `UNAVAILABLE` when that is too much to decide on */
const readTail = async ({ log, prepare }: ExecuteDeps, stream: string, from: number): Promise<readonly Seen[]> => {
  const tail: Recorded[] = [];
  for (;;) {
    const page = await log.readStream(stream, { from: from + tail.length, limit: LARGEST_READ });
    tail.push(...page);
    if (tail.length > LONGEST_TAIL) throw unavailable('The views are too far behind to decide on this stream.');
    if (page.length < LARGEST_READ) break;
  }
  try {
    return tail.length === 0 ? [] : await prepare(tail);
  } catch (error) {
    throw error instanceof UnknownEvent ? unavailable(error.message, error) : error;
  }
};

/** Asks a command for its keys until it names nothing new; the rounds are as many as keys that lead to keys. */
const learnFor = async (knowledge: Knowledge, { decider, command }: Waiting): Promise<void> => {
  const known = knowledge.documents(false);
  while (await knowledge.learn(decider.keysOf(command, known)));
};

/** Events as reducers see them, before the log has given them their place. */
const asSeen = (stream: string, { facts, waiting }: Decided, head: Head, at: string): readonly Seen[] =>
  facts.map(({ type, data }, index) => ({
    id: '',
    type,
    data: data as never,
    metadata: { actor: waiting.context.actor, requestId: '', correlationId: '', at, version: 1 },
    stream,
    revision: head.revision + 1 + index,
    position: head.position,
  }));

/**
 * Runs commands: one at a time for each stream, those that wait meanwhile together, in one append. A refused command is dropped
 * from the append alone. What a command learns it learns from the views and from the stream's tail, so a view that lags makes
 * the tail longer, never the decision wrong.
 */
export const executing = (deps: ExecuteDeps): Execute => {
  const { log, views, catalogue, seal, clock, pause } = deps;
  const queues = new Map<string, Waiting[]>();

  const eventsOf = ({ context }: Waiting, facts: readonly Fact[], at: string): Promise<readonly NewEvent[]> => {
    const { commandId, actor, ip, userAgent, subject, requestId, correlationId, causationId } = context;
    const events = facts.map(async ({ type, data }, index) => {
      const metadata = {
        actor,
        requestId,
        correlationId,
        at,
        version: catalogue.definitionOf(type)?.version ?? 1,
        ...(ip !== undefined && { ip }),
        ...(userAgent !== undefined && userAgent !== '' && { userAgent }),
        ...(causationId !== undefined && { causationId }),
      };
      const event = await seal({ id: uuidv5(String(index), commandId), type, data, metadata }, subject);
      catalogue.check(event);
      return event;
    });
    return Promise.all(events);
  };

  /** What goes wrong here is this command's alone: the others of its batch go on without it. */
  const decideOn = async (waiting: Waiting, knowledge: Knowledge, at: string): Promise<Decided> => {
    try {
      await learnFor(knowledge, waiting);
      const facts = waiting.decider.decide(waiting.command, knowledge.documents(true));
      return { waiting, facts, events: await eventsOf(waiting, facts, at) };
    } catch (refusal) {
      return { waiting, facts: [], events: [], refusal };
    }
  };

  const decideAll = async (
    stream: string,
    batch: readonly Waiting[],
    knowledge: Knowledge,
    head: Head,
    at: string,
  ): Promise<readonly Decided[]> => {
    const decided: Decided[] = [];
    let events = 0;
    let bytes = 0;
    for (const waiting of batch) {
      const next = await decideOn(waiting, knowledge, at);
      const size = sizeOf(next.facts);
      if (events > 0 && (events + next.facts.length > MOST_EVENTS || bytes + size > LARGEST_EVENT)) break;
      events += next.facts.length;
      bytes += size;
      decided.push(next);
      knowledge.suppose(asSeen(stream, next, head, at));
    }
    return decided;
  };

  const settle = (decided: readonly Decided[], position: Position): void => {
    for (const { waiting, facts, refusal } of decided) {
      if (refusal !== undefined) waiting.reject(refusal);
      else waiting.resolve({ facts, position });
    }
  };

  /** One append with its retries. @returns undefined when the stream moved on in a way that matters: decide again */
  const append = async (
    stream: string,
    decided: readonly Decided[],
    knowledge: Knowledge,
    from: Head,
    at: string,
    deadline: number,
  ): Promise<Appended | undefined> => {
    let head = from;
    const events = decided.flatMap((one) => one.events);
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await log.append(stream, head.revision, events);
      } catch (error) {
        if (error instanceof LogFull)
          throw new RegistryError('STORAGE_FULL', 'The registry has no room left for its log.', {}, { cause: error });
        if (error instanceof AppendTooLarge)
          throw new RegistryError('REQUEST_TOO_LARGE', 'This is more than one event may hold.', {}, { cause: error });
        const conflict = error instanceof WrongExpectedRevision;
        if (!conflict && !(error instanceof AppendOutcomeUnknown)) throw error;
        if (clock().getTime() >= deadline) throw unavailable('The log did not take this in time.', error);
        await pause(Math.random() * Math.min(10 * 2 ** attempt, 250));
        if (!conflict) continue;
        const news = await readTail(deps, stream, head.revision + 1);
        if (knowledge.touchedBy(news)) return undefined;
        head = headAfter(head, news);
        if (head.at > at) return undefined;
      }
    }
  };

  /**
   * Whether some documents are newer than the tail, because the views moved on while they were read: what is refused on such a
   * mixture of two moments may be true at neither. (An append would only meet its conflict.)
   */
  const isMixed = async (stream: string, knowledge: Knowledge, head: Head): Promise<boolean> =>
    knowledge.isAheadOf(head.position) && knowledge.touchedBy(await readTail(deps, stream, head.revision + 1));

  /** Decides on and appends what it can of `batch`. @returns how many of its commands are settled */
  const attempt = async (stream: string, batch: readonly Waiting[], deadline: number): Promise<number> => {
    const cursor = await views.cursor(stream);
    const tail = await readTail(deps, stream, (cursor?.revision ?? NO_STREAM) + 1);
    const start = { revision: NO_STREAM, position: '', at: '' };
    const head = headAfter(cursor ?? start, tail);
    const knowledge = knowledgeOf(views, tail);
    const at = laterOf(clock().toISOString(), head.at);
    const decided = await decideAll(stream, batch, knowledge, head, at);
    if (await isMixed(stream, knowledge, head)) return 0;
    try {
      const somethingNew = decided.some(({ facts }) => facts.length > 0);
      const appended = somethingNew ? await append(stream, decided, knowledge, head, at, deadline) : head;
      if (appended === undefined) return 0;
      settle(decided, appended.position);
    } catch (error) {
      if (isRefusal(error, 'UNAVAILABLE')) throw error;
      for (const { waiting } of decided) waiting.reject(error);
    }
    return decided.length;
  };

  const work = async (stream: string, queue: Waiting[]): Promise<void> => {
    while (queue.length > 0) {
      const deadline = clock().getTime() + PATIENCE_MS;
      const batch = queue.slice(0, MOST_EVENTS);
      try {
        let settled = 0;
        while (settled === 0) {
          settled = await attempt(stream, batch, deadline);
          if (settled === 0 && clock().getTime() >= deadline) throw unavailable('Too many others write to this stream.');
        }
        queue.splice(0, settled);
      } catch (error) {
        // Where a server does not answer, those who came meanwhile have waited for long, and would find it no better themselves.
        const failed = isRefusal(error, 'UNAVAILABLE') ? queue.length : batch.length;
        for (const { reject } of queue.splice(0, failed)) reject(error);
      }
    }
    queues.delete(stream);
  };

  return (stream, decider, command, context) =>
    new Promise((resolve, reject) => {
      const waiting: Waiting = { decider: decider as Decider<unknown>, command, context, resolve, reject };
      const queue = queues.get(stream);
      if (queue !== undefined) {
        queue.push(waiting);
        return;
      }
      const fresh = [waiting];
      queues.set(stream, fresh);
      void work(stream, fresh);
    });
};

/** Of two ISO times the later: a stream's clock never goes back. */
const laterOf = (now: string, last: string): string => {
  if (now < last) return last;
  return now;
};

const headAfter = (head: Head, tail: readonly Seen[]): Head => {
  const last = tail.at(-1);
  return last === undefined ? head : { revision: last.revision, position: last.position, at: last.metadata.at };
};
