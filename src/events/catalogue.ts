import { Ajv, type ValidateFunction } from 'ajv';
import { accessEvents, accessSealEvents } from './access.ts';
import { accessTokenEvents } from './accessTokens.ts';
import type { EventDefinition, NewEvent, Recorded } from './event.ts';
import { grantEvents } from './grants.ts';
import { keyEvents } from './keys.ts';
import { repositoryEvents } from './repository.ts';
import { object, text, timestamp } from './schema.ts';
import { teamEvents } from './teams.ts';
import { userEvents } from './users.ts';

export type Catalogue = Readonly<{
  definitionOf: (type: string) => EventDefinition | undefined;
  /** @throws InvalidEvent when a type is unknown, or data or metadata do not fit its current schema */
  check: (event: NewEvent) => void;
  /** The event in the shape that this release knows. @throws UnknownEvent when a newer release wrote it */
  upcast: (event: Recorded) => Recorded;
  types: readonly string[];
}>;

/** An event that this release wanted to write is not what the catalogue says: a defect, never a client's fault. */
export class InvalidEvent extends Error {
  override readonly name = 'InvalidEvent';
}

/** The log holds an event that this release does not know. It must not decide on that stream, nor project past it. */
export class UnknownEvent extends Error {
  override readonly name = 'UnknownEvent';

  constructor({ type, metadata, position, stream }: Recorded) {
    super(
      `Event ${type} version ${metadata.version} at position ${position} in stream ${stream} was written by a newer release. Run at least that release here.`,
    );
  }
}

/** A workload is named by its provider (32), a colon and the subject in its tokens (255). */
const LONGEST_ACTOR = 300;

const metadataSchema = object(
  {
    actor: object({ kind: { enum: ['user', 'token', 'robot', 'anonymous', 'system'] }, id: text(1, LONGEST_ACTOR) }),
    requestId: text(1, 64),
    correlationId: text(1, 64),
    at: timestamp,
    version: { type: 'integer', minimum: 1 },
  },
  {
    ip: { type: 'string', pattern: '^sealed:', maxLength: 1024 },
    userAgent: { type: 'string', pattern: '^sealed:', maxLength: 2048 },
    causationId: text(1, 64),
  },
);

/** Compiles every schema once. @throws InvalidEvent when a type's upcasts do not lead from version 1 to its version */
export const catalogueOf = (definitions: Readonly<Record<string, EventDefinition>>): Catalogue => {
  const ajv = new Ajv({ allErrors: false, strict: true, strictTypes: false, allowUnionTypes: true });
  const metadata = ajv.compile(metadataSchema);
  const known = new Map(Object.entries(definitions));
  const checks = new Map<string, ValidateFunction>();
  for (const [type, { schema, version, upcasts = [] }] of known) {
    if (upcasts.length !== version - 1)
      throw new InvalidEvent(`${type} is at version ${version} with ${upcasts.length} steps to it.`);
    checks.set(type, ajv.compile(schema));
  }

  return {
    types: [...known.keys()],
    definitionOf: (type) => known.get(type),

    check: (event) => {
      const data = checks.get(event.type);
      if (data === undefined) throw new InvalidEvent(`No event type ${event.type} in the catalogue.`);
      if (event.metadata.version !== known.get(event.type)?.version)
        throw new InvalidEvent(`${event.type} is not of this release's version.`);
      if (!data(event.data)) throw new InvalidEvent(`${event.type}: ${ajv.errorsText(data.errors, { dataVar: 'data' })}.`);
      if (!metadata(event.metadata))
        throw new InvalidEvent(`${event.type}: ${ajv.errorsText(metadata.errors, { dataVar: 'metadata' })}.`);
    },

    upcast: (event) => {
      const definition = known.get(event.type);
      const { version } = event.metadata;
      if (definition === undefined || version > definition.version) throw new UnknownEvent(event);
      if (version === definition.version) return event;
      const steps = (definition.upcasts ?? []).slice(version - 1, definition.version - 1);
      const data = steps.reduce<unknown>((older, step) => step(older as never), event.data);
      return { ...event, data, metadata: { ...event.metadata, version: definition.version } };
    },
  };
};

/** Every fact that this release writes and reads. */
export const catalogue: Catalogue = catalogueOf({
  ...repositoryEvents,
  ...userEvents,
  ...accessTokenEvents,
  ...grantEvents,
  ...teamEvents,
  ...keyEvents,
  ...accessSealEvents,
});

/** The events of the access log, which are no facts. */
export const accessCatalogue: Catalogue = catalogueOf(accessEvents);
