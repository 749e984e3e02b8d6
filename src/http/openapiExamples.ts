import type { Schema } from './openapiDocument.ts';

const DIGEST = 'sha256:e692418e4cbaf90ca69d05a66403747baa33ee08806650b51fab815ad7fc331f';

/** What texts of these names look like, where their schema does not say. */
const TEXTS: Readonly<Record<string, string>> = {
  name: 'myapp/frontend',
  tag: 'latest',
  digest: DIGEST,
  username: 'alice',
  owner: 'alice',
  email: 'alice@example.com',
  description: 'Frontend application',
  version: '1.0.0',
  token: 'ghd_…',
  id: '0189e9a4-7c1e-7b5e-8f3a-2f6f6b1f4a10',
};

const ofType = (schema: Schema, type: string, name: string): unknown => {
  switch (type) {
    case 'object':
      return ofObject(schema);
    case 'array':
      return schema.items === undefined ? [] : [exampleOf(schema.items, name.replace(/s$/, ''))];
    case 'integer':
    case 'number':
      return schema.minimum ?? 0;
    case 'boolean':
      return false;
    case 'string':
      return TEXTS[name] ?? 'text';
    default:
      return null;
  }
};

const ofObject = ({ properties = {}, additionalProperties }: Schema): unknown => {
  const named = Object.entries(properties).map(([name, value]) => [name, exampleOf(value, name)] as const);
  const free = typeof additionalProperties === 'object' ? [['name', exampleOf(additionalProperties)] as const] : [];
  return Object.fromEntries([...named, ...free]);
};

/** A value of the schema: its own example, its first choice, or the plainest that fits. @param name of the field that has it */
export const exampleOf = (schema: Schema, name = ''): unknown => {
  if (schema.example !== undefined) return schema.example;
  if (schema.default !== undefined) return schema.default;
  if (schema.const !== undefined) return schema.const;
  if (schema.enum !== undefined) return schema.enum[0];
  const [choice] = schema.oneOf ?? schema.anyOf ?? [];
  if (choice !== undefined) return exampleOf(choice, name);
  return ofType(schema, [schema.type ?? 'object'].flat()[0] ?? 'object', name);
};
