import { answer, TEXT } from '../schemas.ts';

// The values of the monitoring API: whole numbers, and times in milliseconds.

export const COUNT = { type: 'integer', minimum: 0 } as const;
export const BYTES = { ...COUNT, description: 'Bytes.' } as const;
export const MILLISECONDS = { ...COUNT, description: 'Milliseconds.' } as const;
export const TIMESTAMP = { ...COUNT, description: 'Milliseconds since 1970-01-01T00:00:00Z.', example: 1703123456789 } as const;
export const DIGEST = { type: 'string', pattern: '^[a-z0-9]+:[0-9a-f]+$', example: `sha256:${'a'.repeat(64)}` } as const;
export const RATIO = {
  type: 'number',
  minimum: 0,
  maximum: 1,
  description: 'Unique bytes by total bytes; 0 of an empty registry.',
} as const;
export const POSITION = {
  type: 'string',
  description: 'Where in the log of events these numbers were taken: a replay up to here counts the same.',
} as const;
/** What the clients of this API expect, whatever the release. */
export const REGISTRY_VERSION = '2.0';
export const VERSION = { type: 'string', const: REGISTRY_VERSION } as const;

export const ERROR = answer({ error: TEXT, message: TEXT });

/** The answers of a route: what it gives, and how all of this API refuse. */
export const answers = (ok: object, others: Readonly<Record<number, object>> = {}): Readonly<Record<number, object>> => ({
  200: ok,
  401: ERROR,
  403: ERROR,
  500: ERROR,
  503: ERROR,
  ...others,
});

/** The answers of a list that can be had in parts. */
export const partAnswers = (ok: object, others: Readonly<Record<number, object>> = {}): Readonly<Record<number, object>> =>
  answers(ok, { 400: ERROR, ...others });
