// The shapes that several resources have in common. Schemas of bodies are closed, so that a mistyped field is told and not passed over.

export const object = (properties: Readonly<Record<string, object>>, ...required: readonly string[]): object => ({
  type: 'object',
  properties,
  required,
  additionalProperties: false,
});

/** An answer: all of these, always. */
export const answer = (properties: Readonly<Record<string, object>>): object => object(properties, ...Object.keys(properties));

export const ID = { type: 'integer', minimum: 1 } as const;
export const ID_IN_PATH = object({ id: { type: 'string' } }, 'id');
export const TEXT = { type: 'string' } as const;
export const TIME = { type: 'string', format: 'date-time', example: '2030-12-31T23:59:59Z' } as const;
export const TIME_OR_NULL = { type: ['string', 'null'], format: 'date-time', example: '2030-12-31T23:59:59Z' } as const;
export const NOTHING = { type: 'null', description: 'No body.' } as const;
