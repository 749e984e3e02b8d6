import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { Ajv, type ErrorObject } from 'ajv';
import { ConfigError } from './config.ts';
import type { Role } from './events/users.ts';
import { isPrivateUrl } from './identity/oidc/fetching.ts';
import { LONGEST_WORKLOAD_SECONDS, type Match, type Provider, type WorkloadAction } from './identity/oidc/provider.ts';

/** One text, or several of which one has to fit. */
type Texts = string | readonly string[];
type MatchIn = Readonly<Record<string, Texts>>;

type PeopleIn = Readonly<{
  clientId: string;
  clientSecretFile?: string;
  scopes?: readonly string[];
  usernameClaim?: string;
  roles?: readonly Readonly<{ match: MatchIn; role: Role }>[];
  defaultRole?: Role | 'none';
}>;

type IssuerIn = Readonly<{
  name: string;
  issuer: string;
  audience?: Texts;
  keysUrl?: string;
  keysFile?: string;
  maxAgeMinutes?: number;
  workloads?: readonly Readonly<{
    match: MatchIn;
    repositories: readonly string[];
    actions: readonly WorkloadAction[];
    maxMinutes?: number;
  }>[];
  people?: PeopleIn;
}>;

const nonEmpty = { type: 'string', minLength: 1, maxLength: 1024 };
const glob = { type: 'string', minLength: 1, maxLength: 256 };
const texts = (item: object) => ({ anyOf: [item, { type: 'array', minItems: 1, maxItems: 100, items: item }] });
const match = {
  type: 'object',
  minProperties: 1,
  maxProperties: 50,
  additionalProperties: texts(glob),
};
const REPOSITORY = {
  type: 'string',
  maxLength: 257,
  pattern: '^[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*(?:/\\*)?$',
};
const ROLES = ['admin', 'user', 'auditor', 'robot'];

const object = (required: Record<string, object>, optional: Record<string, object> = {}) => ({
  type: 'object',
  properties: { ...required, ...optional },
  required: Object.keys(required),
  additionalProperties: false,
});

const FILE = object({
  issuers: {
    type: 'array',
    maxItems: 50,
    items: object(
      { name: { type: 'string', pattern: '^[a-z0-9][a-z0-9-]{0,31}$' }, issuer: nonEmpty },
      {
        audience: texts(nonEmpty),
        keysUrl: nonEmpty,
        keysFile: nonEmpty,
        maxAgeMinutes: { type: 'integer', minimum: 1, maximum: 365 * 24 * 60 },
        workloads: {
          type: 'array',
          maxItems: 200,
          items: object(
            {
              match,
              repositories: { type: 'array', minItems: 1, maxItems: 20, items: REPOSITORY },
              actions: { type: 'array', minItems: 1, uniqueItems: true, items: { enum: ['pull', 'push', 'delete'] } },
            },
            { maxMinutes: { type: 'integer', minimum: 1, maximum: LONGEST_WORKLOAD_SECONDS / 60 } },
          ),
        },
        people: object(
          { clientId: nonEmpty },
          {
            clientSecretFile: nonEmpty,
            scopes: { type: 'array', maxItems: 20, items: { type: 'string', pattern: '^[!#-\\[\\]-~]+$' } },
            usernameClaim: nonEmpty,
            roles: { type: 'array', maxItems: 100, items: object({ match, role: { enum: ROLES } }) },
            defaultRole: { enum: [...ROLES, 'none'] },
          },
        ),
      },
    ),
  },
});

const check = new Ajv({ allErrors: false, allowUnionTypes: true }).compile<{ issuers: readonly IssuerIn[] }>(FILE);

const wordsOf = ({ instancePath, keyword, params, message }: ErrorObject): string => {
  const where = instancePath.slice(1).replaceAll('/', '.') || 'the file';
  switch (keyword) {
    case 'required':
      return `${where} has no ${params.missingProperty}.`;
    case 'additionalProperties':
      return `${where} has ${JSON.stringify(params.additionalProperty)}, which is not known here.`;
    case 'enum':
      return `${where} must be one of ${(params.allowedValues as readonly string[]).join(', ')}.`;
    default:
      return `${where} ${message}.`;
  }
};

const listOf = (value: Texts): readonly string[] => (typeof value === 'string' ? [value] : value);
const matchOf = (given: MatchIn): Match =>
  Object.fromEntries(Object.entries(given).map(([name, value]) => [name, listOf(value)]));

/** What a schema cannot say. */
const faultsOf = (issuers: readonly IssuerIn[]): readonly string[] => {
  const faults: string[] = [];
  for (const [index, { name, issuer, audience, keysUrl, keysFile, workloads = [], people }] of issuers.entries()) {
    const at = `issuers.${index} (${name})`;
    if (!isPrivateUrl(issuer) || /[?#]/.test(issuer))
      faults.push(`${at}: issuer must be an https URL without query and fragment.`);
    if (keysUrl !== undefined && !isPrivateUrl(keysUrl)) faults.push(`${at}: keysUrl must be an https URL.`);
    if (keysUrl !== undefined && keysFile !== undefined) faults.push(`${at}: set keysUrl or keysFile, not both.`);
    if (workloads.length > 0 && audience === undefined) faults.push(`${at}: workloads need an audience.`);
    if (workloads.length === 0 && people === undefined) faults.push(`${at}: it lets nobody in without workloads or people.`);
    if (name === 'token') faults.push(`${at}: another name, please: /auth/oidc/token is the exchange of tokens.`);
    if (issuers.findIndex((other) => other.name === name) < index) faults.push(`${at}: there is another issuer of that name.`);
    if (issuers.findIndex((other) => other.issuer === issuer) < index)
      faults.push(`${at}: there is another one with that issuer.`);
  }
  return faults;
};

const peopleOf = (given: PeopleIn, folder: string): NonNullable<Provider['people']> => {
  const { clientId, clientSecretFile, scopes = ['openid', 'profile', 'email'], roles = [], defaultRole = 'user' } = given;
  return {
    clientId,
    ...(clientSecretFile !== undefined && { clientSecret: readFileSync(resolve(folder, clientSecretFile), 'utf8').trim() }),
    scopes: [...new Set(['openid', ...scopes])],
    usernameClaim: given.usernameClaim ?? 'preferred_username',
    roles: roles.map((rule) => ({ match: matchOf(rule.match), role: rule.role })),
    defaultRole: defaultRole === 'none' ? null : defaultRole,
  };
};

const DEFAULT_MAX_AGE_MINUTES = 24 * 60;

const providerOf = (given: IssuerIn, folder: string): Provider => {
  const { name, issuer, audience = [], keysUrl, keysFile, maxAgeMinutes = DEFAULT_MAX_AGE_MINUTES, workloads = [] } = given;
  return {
    name,
    issuer,
    audiences: listOf(audience),
    ...(keysUrl !== undefined && { keys: { url: keysUrl } }),
    ...(keysFile !== undefined && { keys: { file: resolve(folder, keysFile) } }),
    maxAgeSeconds: maxAgeMinutes * 60,
    workloads: workloads.map(({ match: of, repositories, actions, maxMinutes = LONGEST_WORKLOAD_SECONDS / 60 }) => ({
      match: matchOf(of),
      repositories,
      actions,
      maxSeconds: maxMinutes * 60,
    })),
    ...(given.people !== undefined && { people: peopleOf(given.people, folder) }),
  };
};

/** The identity providers of a file. Paths in it are relative to its folder. @throws ConfigError with everything that is wrong */
export const readProviders = (file: string): readonly Provider[] => {
  const problem = (text: string): string => `GHOSTDOCK_OIDC_FILE, ${file}: ${text}`;
  try {
    const content: unknown = JSON.parse(readFileSync(file, 'utf8'));
    if (!check(content)) throw new ConfigError((check.errors ?? []).slice(-1).map((error) => problem(wordsOf(error))));
    const faults = faultsOf(content.issuers);
    if (faults.length > 0) throw new ConfigError(faults.map(problem));
    return content.issuers.map((issuer) => providerOf(issuer, dirname(file)));
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    throw new ConfigError([problem(error instanceof Error ? error.message : String(error))]);
  }
};
