import { randomUUID } from 'node:crypto';
import { setImmediate as turn } from 'node:timers/promises';
import type { Decider } from '../../src/commands/decider.ts';
import { type CommandContext, type Execute, type ExecuteDeps, executing, type Outcome } from '../../src/commands/execute.ts';
import type { RepositoryCommand } from '../../src/commands/repository/commands.ts';
import { repositoryDecider } from '../../src/commands/repository.ts';
import { catalogue } from '../../src/events/catalogue.ts';
import type { Fact, NewEvent, Recorded } from '../../src/events/event.ts';
import { AppendOutcomeUnknown, type EventLog, LARGEST_READ, NO_STREAM } from '../../src/events/log/log.ts';
import { type SqliteEventLog, sqliteEventLog } from '../../src/events/log/sqlite.ts';
import { streamsUnder } from '../../src/events/streams.ts';
import { serving } from '../../src/projections/groups.ts';
import type { Seen } from '../../src/projections/projection.ts';
import { type Projector, startProjector } from '../../src/projections/runner.ts';
import { type SqliteViews, sqliteViews } from '../../src/projections/views/sqlite.ts';
import { at, NAME } from './facts.ts';

// The real log, views and projector in memory, and around the log what goes wrong in networks and among nodes, by script.

const { repository: streamOf, users } = streamsUnder('test');
export const STREAM = streamOf(NAME);
export const USERS = users;

const SEAL = 'sealed:';
type Fields = Readonly<Record<string, unknown>>;

const each = (values: Fields, names: readonly string[], change: (text: string) => string): Fields => ({
  ...values,
  ...Object.fromEntries(
    names.filter((name) => typeof values[name] === 'string').map((name) => [name, change(String(values[name]))]),
  ),
});
const protectedIn = (type: string): readonly string[] => catalogue.definitionOf(type)?.protected?.fields ?? [];

/** A seal that anyone can break: who seals and when, but no cryptography. */
const seal = async (event: NewEvent): Promise<NewEvent> => ({
  ...event,
  data: each(event.data as Fields, protectedIn(event.type), (text) => `${SEAL}${text}`),
  metadata: each(event.metadata, ['ip', 'userAgent'], (text) => `${SEAL}${text}`) as NewEvent['metadata'],
});
const reveal = (event: Recorded): Recorded => ({
  ...event,
  data: each(event.data as Fields, protectedIn(event.type), (text) => text.slice(SEAL.length)),
});

export const prepare = async (events: readonly Recorded[]): Promise<readonly Seen[]> =>
  events.map((event) => catalogue.upcast(reveal(event)) as Seen);

export type World = Readonly<{
  log: SqliteEventLog;
  views: SqliteViews;
  /** A node of its own: queues of its own over the one log and the views. */
  node: (deps?: Partial<ExecuteDeps>) => Execute;
  /** A projector over all of the log; `gate` is awaited before each batch. */
  project: (gate?: () => Promise<void>) => Projector;
  /** Starts a projector, waits until the views have everything, and stops it. */
  catchUp: () => Promise<void>;
  close: () => Promise<void>;
}>;

export const world = async (options: Parameters<typeof sqliteViews>[2] = {}): Promise<World> => {
  const log = await sqliteEventLog(':memory:');
  const views = sqliteViews(':memory:', serving, options);
  const projectors: Projector[] = [];

  const project: World['project'] = (gate = async () => {}) => {
    const projector = startProjector({
      log,
      views,
      group: serving,
      prepare: async (events) => {
        await gate();
        return prepare(events);
      },
      onError: () => {},
    });
    projectors.push(projector);
    return projector;
  };

  return {
    log,
    views,
    // A pause is a turn of the event loop: nothing here waits for a clock.
    node: (deps = {}) =>
      executing({ log, views, catalogue, prepare, seal, clock: () => new Date(at(0)), pause: () => turn(), ...deps }),
    project,
    catchUp: async () => {
      const projector = project();
      await projector.reached(await log.head(), Number.POSITIVE_INFINITY);
      await projector.stop();
    },
    close: async () => {
      await Promise.all(projectors.map(({ stop }) => stop()));
      await log.close();
      await views.close();
    },
  };
};

export const context = (rest: Partial<CommandContext> = {}): CommandContext => ({
  commandId: randomUUID(),
  actor: { kind: 'user', id: '7' },
  requestId: 'request',
  correlationId: 'request',
  ...rest,
});

export type Give = (command: RepositoryCommand, rest?: Partial<CommandContext>) => Promise<Outcome>;

/** Gives commands to repositories through a node. */
export const giving =
  (execute: Execute, decider: Decider<RepositoryCommand> = repositoryDecider): Give =>
  (command, rest) =>
    execute(streamOf(command.repository), decider, command, context(rest));

/** The whole stream, from its first event. */
export const historyOf = async (log: EventLog, stream = STREAM): Promise<readonly Recorded[]> => {
  const events: Recorded[] = [];
  for (;;) {
    const page = await log.readStream(stream, { from: events.length, limit: LARGEST_READ });
    events.push(...page);
    if (page.length < LARGEST_READ) return events;
  }
};

export const revisionOf = async (log: EventLog, stream = STREAM): Promise<number> =>
  (await log.readStream(stream, { direction: 'backwards', limit: 1 }))[0]?.revision ?? NO_STREAM;

/** Facts that somebody else appends, as another node would. */
export const appendTo = async (log: EventLog, facts: readonly Fact[], options: { at?: string; version?: number } = {}) => {
  const events = facts.map(
    ({ type, data }): NewEvent => ({
      id: randomUUID(),
      type,
      data,
      metadata: {
        actor: { kind: 'user', id: '8' },
        requestId: 'another',
        correlationId: 'another',
        at: options.at ?? at(0),
        version: options.version ?? 1,
      },
    }),
  );
  return log.append(STREAM, await revisionOf(log), events);
};

/** What happens to one append: it is carried out though the answer is lost, or lost itself, or something comes before it. */
export type Mishap = 'answerLost' | 'requestLost' | (() => Promise<unknown>);

export type TroubledLog = EventLog & Readonly<{ attempts: readonly Readonly<{ expected: number; ids: readonly string[] }>[] }>;

/** A log whose appends meet `mishaps`, one each, in order; those after the last one go through. */
export const troubled = (log: EventLog, mishaps: readonly Mishap[]): TroubledLog => {
  const attempts: { expected: number; ids: readonly string[] }[] = [];
  const waiting = [...mishaps];
  return {
    ...log,
    attempts,
    append: async (stream, expected, events) => {
      attempts.push({ expected, ids: events.map(({ id }) => id) });
      const mishap = waiting.shift();
      if (typeof mishap === 'function') await mishap();
      if (mishap === 'requestLost') throw new AppendOutcomeUnknown('The request was lost.');
      const appended = await log.append(stream, expected, events);
      if (mishap === 'answerLost') throw new AppendOutcomeUnknown('The answer was lost.');
      return appended;
    },
  };
};

/** A decider that counts how often it decides. */
export const counting = (): Readonly<{ decider: Decider<RepositoryCommand>; decisions: () => number }> => {
  let decisions = 0;
  return {
    decider: {
      ...repositoryDecider,
      decide: (command, documents) => {
        decisions += 1;
        return repositoryDecider.decide(command, documents);
      },
    },
    decisions: () => decisions,
  };
};

export type Gate = Readonly<{ pass: () => Promise<void>; open: () => void; waiting: Promise<void> }>;

/** Holds whoever passes until it is opened; `waiting` resolves when somebody stands before it. */
export const gate = (): Gate => {
  const opened = Promise.withResolvers<void>();
  const arrived = Promise.withResolvers<void>();
  return {
    pass: () => {
      arrived.resolve();
      return opened.promise;
    },
    open: () => opened.resolve(),
    waiting: arrived.promise,
  };
};
