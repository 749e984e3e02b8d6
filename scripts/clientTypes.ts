import { writeFileSync } from 'node:fs';
import type { Content, Document, Operation, Parameter, Schema } from '../src/http/openapiDocument.ts';
import { openapiDocument } from './openapi.ts';

// Writes the types of the TypeScript example from the description of the API: `node scripts/clientTypes.ts`. A spec fails while they are
// out of date.

export const CLIENT_TYPES = new URL('../examples/typescript/api.ts', import.meta.url);

const HEAD = '// Written by `node scripts/clientTypes.ts` from docs/openapi.json. Change the routes, not this file.\n';

const quoted = (name: string): string => (/^[A-Za-z_$][\w$]*$/.test(name) ? name : JSON.stringify(name));

const objectType = ({ properties = {}, required = [], additionalProperties }: Schema): string => {
  const fields = Object.entries(properties).map(
    ([name, value]) => `${quoted(name)}${required.includes(name) ? '' : '?'}: ${typeOf(value)}`,
  );
  if (fields.length > 0) return `{ ${fields.join('; ')} }`;
  return `Record<string, ${typeof additionalProperties === 'object' ? typeOf(additionalProperties) : 'unknown'}>`;
};

const plainType = (schema: Schema, type: string): string => {
  switch (type) {
    case 'object':
      return objectType(schema);
    case 'array':
      return `Array<${schema.items === undefined ? 'unknown' : typeOf(schema.items)}>`;
    case 'integer':
      return 'number';
    case 'string':
    case 'number':
    case 'boolean':
    case 'null':
      return type;
    default:
      return 'unknown';
  }
};

const union = (types: readonly string[]): string => [...new Set(types)].join(' | ') || 'undefined';

/** A JSON Schema as a type. */
const typeOf = (schema: Schema): string => {
  const choices = schema.oneOf ?? schema.anyOf;
  if (choices !== undefined) return union(choices.map(typeOf));
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum !== undefined) return union(schema.enum.map((value) => JSON.stringify(value)));
  const types = [schema.type ?? (schema.properties === undefined ? 'unknown' : 'object')].flat();
  return union(types.map((type) => plainType(schema, type)));
};

const isJson = (type: string): boolean => /^application\/(?:[\w.+-]+\+)?json$/.test(type);

/** JSON is given as what it means; everything else is for `open`, which gives the response itself. */
const contentType = (content: Content | undefined): string => {
  const json = Object.entries(content ?? {}).find(([type]) => isJson(type));
  if (content === undefined) return 'undefined';
  return json === undefined ? 'unknown' : typeOf(json[1].schema ?? {});
};

const parameterTypes = (parameters: readonly Parameter[], where: string): string | undefined => {
  const fields = parameters.filter((one) => one.in === where);
  if (fields.length === 0) return undefined;
  const one = ({ name, required, schema }: Parameter): string => `${quoted(name)}${required ? '' : '?'}: ${typeOf(schema)}`;
  return `${where === 'query' && fields.every(({ required }) => !required) ? '?' : ''}: { ${fields.map(one).join('; ')} }`;
};

const requestType = ({ parameters = [], requestBody }: Operation): string => {
  const path = parameterTypes(parameters, 'path');
  const query = parameterTypes(parameters, 'query');
  const fields = [
    ...(path === undefined ? [] : [`params${path}`]),
    ...(query === undefined ? [] : [`query${query}`]),
    ...(requestBody === undefined ? [] : [`body: ${contentType(requestBody.content)}`]),
  ];
  return fields.length === 0 ? 'Record<string, never>' : `{ ${fields.join('; ')} }`;
};

const answerType = ({ responses }: Operation): string =>
  union(
    Object.entries(responses)
      .filter(([status]) => /^2/.test(status))
      .map(([, { content }]) => contentType(content)),
  );

/** The file with the types of all operations. */
export const clientTypesOf = ({ paths }: Document): string => {
  const all = Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
  );
  const types = all.map(
    ({ operation }) =>
      `  /** ${operation.summary} */\n  ${operation.operationId}: {\n    request: ${requestType(operation)};\n    answer: ${answerType(operation)};\n  };\n`,
  );
  const table = all.map(
    ({ method, path, operation }) => `  ${operation.operationId}: { method: '${method}', path: '${path}' },\n`,
  );
  return `${HEAD}
/** What each operation is asked with, and what it answers. */
export type Operations = {
${types.join('')}};

/** Where each operation is. */
export const OPERATIONS = {
${table.join('')}} as const satisfies Record<keyof Operations, { method: string; path: string }>;
`;
};

if (import.meta.main) writeFileSync(CLIENT_TYPES, clientTypesOf(await openapiDocument()));
