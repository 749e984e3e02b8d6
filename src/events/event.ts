import type { Schema } from 'ajv';

/** Who caused an event. `id` is a user's or token's number as text, or a fixed word for `anonymous` and `system`. */
export type Actor = Readonly<{ kind: 'user' | 'token' | 'robot' | 'anonymous' | 'system'; id: string }>;

/** What surrounds a fact. `ip` and `userAgent` are protected: sealed in the log, see `src/secrets/sealing.ts`. */
export type Metadata = Readonly<{
  actor: Actor;
  ip?: string;
  userAgent?: string;
  requestId: string;
  correlationId: string;
  causationId?: string;
  /** ISO 8601 in UTC with milliseconds; never before that of the stream's last event. */
  at: string;
  /** Version of the schema of the event's type. */
  version: number;
}>;

/** An event as it is appended. `type` and the shape of `data` come from the catalogue. */
export type NewEvent<Type extends string = string, Data = unknown> = Readonly<{
  id: string;
  type: Type;
  data: Data;
  metadata: Metadata;
}>;

/**
 * Where an event stands in the whole log: an opaque text of fixed width whose byte order is the log's order.
 * `ORIGIN` stands before every event. A position belongs to one log, so no event ever contains one.
 */
export type Position = string;
export const ORIGIN: Position = '';

/** An event as the log holds it. `revision` counts from 0 in its stream. */
export type Recorded<Type extends string = string, Data = unknown> = NewEvent<Type, Data> &
  Readonly<{ stream: string; revision: number; position: Position }>;

/** A fact before it is given an id and metadata: what a decider decides. */
export type Fact<Type extends string = string, Data = unknown> = Readonly<{ type: Type; data: Data }>;

/** What the catalogue knows of an event type. */
export type EventDefinition = Readonly<{
  /** The schema version that this release writes. */
  version: number;
  /** JSON schema of `data` at that version, as recorded (protected fields are sealed texts). */
  schema: Schema;
  /** One sentence for `docs/events.md`: when this happens. */
  meaning: string;
  /**
   * Fields of `data` that are sealed under the key of the subject that `subject` names; `lasting` ones among them under the registry's own,
   * so that they outlive the subject: what the keys of views are made of must read the same for ever.
   */
  protected?: Readonly<{ fields: readonly string[]; subject: (data: never) => string; lasting?: readonly string[] }>;
  /** Pure steps from version n (index n - 1) to n + 1. */
  upcasts?: readonly ((data: never) => unknown)[];
}>;
