import { STATUS_CODES } from 'node:http';
import { MANAGEMENT_WORDING } from './managementErrors.ts';
import { OCI_WORDING } from './oci/errors.ts';
import type { Answer, Operation, Schema } from './openapiDocument.ts';
import type { Wording } from './refusal.ts';

/** Whose words a path refuses with. `Login`, `/auth` and what stands in no surface, refuses as the management API does. */
export type Surface = 'Management' | 'Monitoring' | 'Registry' | 'Login';

export const surfaceOf = (path: string): Surface => {
  if (path.startsWith('/v2/')) return 'Registry';
  if (path.startsWith('/api/v1/')) return 'Management';
  return path.startsWith('/api/') ? 'Monitoring' : 'Login';
};

const WORDINGS: Readonly<Record<Surface, Wording>> = {
  Registry: OCI_WORDING,
  Management: MANAGEMENT_WORDING,
  Monitoring: MANAGEMENT_WORDING,
  Login: MANAGEMENT_WORDING,
};

const byText = (one: string, other: string): number => (one < other ? -1 : 1);

/** The codes that a wording has for each status. */
const codesByStatus = (wording: Wording): ReadonlyMap<number, readonly string[]> => {
  const grouped = Map.groupBy(Object.values(wording), ({ status }) => status);
  return new Map([...grouped].map(([status, all]) => [status, [...new Set(all.map(({ code }) => code))].toSorted(byText)]));
};

const codesOf = (wording: Wording): readonly string[] =>
  [...new Set(Object.values(wording).map(({ code }) => code))].toSorted(byText);

const TEXT = { type: 'string' } as const;
const closed = (properties: Readonly<Record<string, Schema>>): Schema => ({
  type: 'object',
  properties,
  required: Object.keys(properties),
  additionalProperties: false,
});

const DETAILS: Schema = { type: 'object', description: 'What the message is about, by name.' };
const managementError = closed({ code: { type: 'string', enum: codesOf(MANAGEMENT_WORDING) }, message: TEXT, details: DETAILS });
const ociError = closed({ code: { type: 'string', enum: codesOf(OCI_WORDING) }, message: TEXT, detail: DETAILS });

const SCHEMAS: Readonly<Record<'ManagementError' | 'MonitoringError' | 'RegistryErrors', Schema>> = {
  ManagementError: closed({ error: managementError }),
  MonitoringError: closed({ error: { type: 'string', description: 'The name of the status.' }, message: TEXT }),
  RegistryErrors: closed({ errors: { type: 'array', items: ociError, minItems: 1 }, error: managementError }),
};

const nameOf = (status: number): string => (STATUS_CODES[status] ?? String(status)).replaceAll(/[^A-Za-z]/g, '');
const responseName = (surface: Surface, status: number): string =>
  `${surface === 'Login' ? 'Management' : surface}${nameOf(status)}`;

const MESSAGE = 'What is wrong, in a sentence.';

const exampleFor = (surface: Surface, status: number, code: string): unknown => {
  const error = { code, message: MESSAGE, details: {} };
  if (surface === 'Monitoring') return { error: STATUS_CODES[status], message: MESSAGE };
  return surface === 'Management' ? { error } : { errors: [{ code, message: MESSAGE, detail: {} }], error };
};

const headersFor = (status: number): Pick<Answer, 'headers'> => {
  const name = status === 401 ? 'WWW-Authenticate' : status === 429 || status === 503 ? 'Retry-After' : undefined;
  return name === undefined ? {} : { headers: { [name]: { $ref: `#/components/headers/${name}` } } };
};

const SCHEMA_OF = { Management: 'ManagementError', Monitoring: 'MonitoringError', Registry: 'RegistryErrors' } as const;

const responsesOf = (surface: keyof typeof SCHEMA_OF): readonly (readonly [string, Answer])[] =>
  [...codesByStatus(WORDINGS[surface])]
    .toSorted(([one], [other]) => one - other)
    .map(([status, codes]) => {
      const shown = surface === 'Monitoring' ? '' : `: ${codes.map((code) => `\`${code}\``).join(', ')}`;
      const schema = { $ref: `#/components/schemas/${SCHEMA_OF[surface]}` };
      const example = exampleFor(surface, status, codes[0] ?? '');
      return [
        responseName(surface, status),
        {
          description: `${STATUS_CODES[status]}${shown}`,
          ...headersFor(status),
          content: { 'application/json': { schema, example } },
        },
      ];
    });

/** The error bodies of each surface, and an answer for each status that it refuses with. */
export const errorComponents = (): Readonly<{ schemas: Record<string, Schema>; responses: Record<string, Answer> }> => ({
  schemas: SCHEMAS,
  responses: Object.fromEntries((['Management', 'Monitoring', 'Registry'] as const).flatMap(responsesOf)),
});

/** The answer that a surface refuses with, where it has that status. */
export const refusalOf = (surface: Surface, status: number): Answer | undefined =>
  Object.values(WORDINGS[surface]).some((worded) => worded.status === status)
    ? { $ref: `#/components/responses/${responseName(surface, status)}` }
    : undefined;

/** What everybody may be answered: nonsense in the head, another host's name, a failure, a registry that starts or stops. */
const ANYBODY = [400, 421, 500, 503];
const LOGGED_IN = [401, 403, 429];
/** Other sites' pages, and bodies of another type or length than is taken. */
const WRITING = [403, 409, 413, 507];
/** Conditional and too many tags; a chunk in the wrong place; deletes that are off, and blobs that are needed. */
const REGISTRY = { put: [412, 414, 416], patch: [416], get: [416], post: [416], delete: [405] } as Readonly<
  Record<string, readonly number[]>
>;

/** The refusals that an operation may answer with, by status. */
export const errorsOf = (method: string, path: string, operation: Pick<Operation, 'x-action'>): Operation['responses'] => {
  const surface = surfaceOf(path);
  const writes = method !== 'get' && method !== 'head';
  const statuses = new Set([
    ...ANYBODY,
    ...(operation['x-action'] === 'open' && !path.startsWith('/auth') ? [] : LOGGED_IN),
    // Also where the path names nothing: bodies and queries do, and the caller may have no account.
    ...(path.includes('{') || surface === 'Registry' || surface === 'Management' ? [404] : []),
    ...(writes ? WRITING : []),
    ...(surface === 'Registry' ? (REGISTRY[method] ?? []) : []),
    ...(method === 'delete' ? [405] : []),
  ]);
  const refusals = [...statuses].map((status) => [status, refusalOf(surface, status)] as const);
  return Object.fromEntries(refusals.filter(([, refusal]) => refusal !== undefined)) as Operation['responses'];
};
