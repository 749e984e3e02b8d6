import { expect } from 'chai';
import { accessSealsDecider } from '../../src/commands/accessSeals.ts';
import { accessTokensDecider } from '../../src/commands/accessTokens.ts';
import type { Decider } from '../../src/commands/decider.ts';
import { grantsDecider } from '../../src/commands/grants.ts';
import { keysDecider } from '../../src/commands/keys.ts';
import { knowledgeOf } from '../../src/commands/knowledge.ts';
import { repositoryDecider } from '../../src/commands/repository.ts';
import { teamsDecider } from '../../src/commands/teams.ts';
import { usersDecider } from '../../src/commands/users.ts';
import type { ErrorCode, ErrorDetail } from '../../src/errors.ts';
import { catalogue } from '../../src/events/catalogue.ts';
import type { Fact, NewEvent } from '../../src/events/event.ts';
import type { Document, Projection, Seen } from '../../src/projections/projection.ts';
import { neverSeen } from '../../src/projections/reduce.ts';
import type { Views } from '../../src/projections/views/views.ts';
import { refusalOf } from '../identity/refusals.ts';
import { at } from './facts.ts';

// `repository(created, linked(layer)).when(push(image)).thenRecords([...])`: the rules of one stream as sentences.

/** Views that no event has reached: everything is decided on the tail. */
const empty: Views = {
  get: async () => undefined,
  getAtOnce: () => undefined,
  getMany: async (_view, keys) => keys.map(() => undefined),
  getPlaced: async <D extends Document>(_view: Projection<D>, keys: readonly string[]) =>
    keys.map((key) => ({ ...neverSeen(key), value: undefined })),
  find: async () => ({ items: [], more: false }),
  count: async () => 0,
  totals: async () => ({ position: '', sums: {} }),
  cursor: async () => undefined,
  checkpoint: async () => '',
  faults: async () => ({}),
  commit: async () => {
    throw new Error('Deciding writes nothing.');
  },
  sweep: async () => 0,
  forget: async () => 0,
  close: async () => {},
};

const uuidOf = (n: number): string => `00000000-0000-4000-8000-${n.toString(16).padStart(12, '0')}`;

/** Facts as a log would hold them, in one stream, a millisecond from one to the next. */
export const seen = (facts: readonly Fact[], stream = 'test', first = 0): readonly Seen[] =>
  facts.map(({ type, data }, index) => ({
    id: uuidOf(first + index),
    type,
    data: data as never,
    metadata: {
      actor: { kind: 'user', id: '7' },
      requestId: `request-${first + index}`,
      correlationId: `request-${first + index}`,
      at: at(first + index),
      version: 1,
    },
    stream,
    revision: first + index,
    position: String(first + index + 1).padStart(16, '0'),
  }));

/** Decides as `execute` does: learns until there is nothing new to learn, then sees only what it named. */
export const decideOn = async <C>(decider: Decider<C>, history: readonly Seen[], command: C): Promise<readonly Fact[]> => {
  const knowledge = knowledgeOf(empty, history);
  const known = knowledge.documents(false);
  while (await knowledge.learn(decider.keysOf(command, known)));
  return decider.decide(command, knowledge.documents(true));
};

const sealed = ({ type, data, ...event }: NewEvent): NewEvent => {
  const fields = catalogue.definitionOf(type)?.protected?.fields ?? [];
  const values = data as Readonly<Record<string, unknown>>;
  const hidden = fields.filter((field) => values[field] !== null).map((field) => [field, 'sealed:x'] as const);
  return { ...event, type, data: { ...values, ...Object.fromEntries(hidden) } };
};

type Then = Readonly<{
  /** Exactly these facts, in this order; each of them fits the catalogue. */
  thenRecords: (expected: readonly Fact[]) => Promise<void>;
  /** `detail`, when given, is all that the client is told beside the code. */
  thenRefuses: (code: ErrorCode, detail?: ErrorDetail) => Promise<void>;
  thenNothing: () => Promise<void>;
}>;

/** The rules of one decider, on a stream in which these facts have happened. */
export const deciding =
  <C>(decider: Decider<C>) =>
  (...facts: readonly Fact[]): Readonly<{ when: (command: C) => Then }> => ({
    when: (command) => ({
      thenRecords: async (expected) => {
        const recorded = await decideOn(decider, seen(facts), command);
        expect(recorded).to.deep.equal(expected);
        for (const event of seen(recorded)) catalogue.check(sealed(event));
      },
      thenRefuses: async (code, detail) => {
        const refusal = await refusalOf(() => decideOn(decider, seen(facts), command));
        expect(refusal.code).to.equal(code);
        if (detail !== undefined) expect(refusal.detail).to.deep.equal(detail);
      },
      thenNothing: async () => {
        expect(await decideOn(decider, seen(facts), command)).to.deep.equal([]);
      },
    }),
  });

export const repository = deciding(repositoryDecider);
export const users = deciding(usersDecider);
export const tokens = deciding(accessTokensDecider);
export const grants = deciding(grantsDecider);
export const teams = deciding(teamsDecider);
export const keys = deciding(keysDecider);
export const accessDays = deciding(accessSealsDecider);
