import type { SchemaObject } from 'ajv';

// The few shapes that event schemas are made of. Objects are closed: a field that the catalogue does not name is refused.

export const object = (
  required: Readonly<Record<string, unknown>>,
  optional: Readonly<Record<string, unknown>> = {},
): SchemaObject => ({
  type: 'object',
  properties: { ...required, ...optional },
  required: Object.keys(required),
  additionalProperties: false,
});

export const text = (minLength: number, maxLength: number): SchemaObject => ({ type: 'string', minLength, maxLength });

export const name: SchemaObject = text(1, 255);
export const digest: SchemaObject = { type: 'string', pattern: '^(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$' };

/** A size or an amount. Integers only, and small enough for every JSON reader (RFC 8259, section 6). */
export const count: SchemaObject = { type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER };

/** ISO 8601 in UTC with milliseconds, as `Date.prototype.toISOString` writes it. */
export const timestamp: SchemaObject = { type: 'string', pattern: '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z$' };

/** An HMAC in hex, see `src/secrets/fingerprints.ts`. */
export const fingerprint: SchemaObject = { type: 'string', pattern: '^[0-9a-f]{64}$' };

/** A protected field as it is recorded, see `src/secrets/sealing.ts`. */
export const sealed: SchemaObject = { type: 'string', pattern: '^sealed:', maxLength: 8192 };

/** Under whose key a protected field is sealed, which the recorded text says in the clear, also once the key is gone. */
export const subjectOfSealed = (recorded: string): string | undefined => /^sealed:\d+:([a-z0-9-]+):/.exec(recorded)?.[1];
