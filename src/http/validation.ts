import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import { RegistryError } from '../errors.ts';

/** RFC 3339, with the offset that it demands. */
const DATE_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/i;
const isDateTime = (text: string): boolean => DATE_TIME.test(text) && !Number.isNaN(Date.parse(text));

const COMMON = { allErrors: false, strict: true, allowUnionTypes: true, formats: { 'date-time': isDateTime } } as const;

// A body says what it means: "5" is no number. A query is all text. `strict` knows OpenAPI's annotations.
const bodies = new Ajv(COMMON);
const texts = new Ajv({ ...COMMON, coerceTypes: 'array', useDefaults: true });
for (const ajv of [bodies, texts]) ajv.addVocabulary(['example']);

const PARTS: Readonly<Record<string, string>> = { body: 'The body', querystring: 'The query', params: 'The path' };

const wordsOf = (field: string, { keyword, params, message }: ErrorObject): string => {
  switch (keyword) {
    case 'required':
      return `${field} is missing.`;
    case 'additionalProperties':
      return `There is no field ${field} here.`;
    case 'enum':
      return `${field} must be one of ${(params.allowedValues as readonly unknown[]).join(', ')}.`;
    case 'format':
      return `${field} must be a time such as 2030-12-31T23:59:59Z.`;
    default:
      return `${field} ${message ?? 'is not valid'}.`;
  }
};

/** Where the fault is, as a path of the body: `repositories.3`. Cut, because it may be of the caller's own invention. */
const fieldOf = ({ instancePath, params }: ErrorObject): string => {
  const names = instancePath.split('/').slice(1);
  const named = params.missingProperty ?? params.additionalProperty;
  return [...names, ...(typeof named === 'string' ? [named] : [])].join('.').slice(0, 100);
};

const refusalOf = (part: string, [error]: readonly ErrorObject[]): RegistryError => {
  const field = error === undefined ? '' : fieldOf(error);
  const words =
    error === undefined ? `${PARTS[part]} is not valid.` : wordsOf(field === '' ? (PARTS[part] ?? part) : field, error);
  return new RegistryError('REQUEST_INVALID', words, { field: field === '' ? part : field });
};

type Checked = Readonly<{ value: unknown } | { error: Error }>;

/**
 * How the schemas of routes are checked: fields that a body's schema does not name are refused, because they are mostly mistyped;
 * parameters that a query's does not name are passed over. Refused with `REQUEST_INVALID`, which names the field.
 */
export const compileCheck = (schema: object, part: string): ((value: unknown) => Checked) => {
  const check: ValidateFunction = (part === 'body' ? bodies : texts).compile(schema);
  return (value) => (check(value) ? { value } : { error: refusalOf(part, check.errors ?? []) });
};
