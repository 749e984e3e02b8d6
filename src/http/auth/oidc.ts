import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { RegistryError } from '../../errors.ts';
import { grantedScopes, repositoriesIn } from '../../identity/grant.ts';
import type { Workload } from '../../identity/oidc/workloads.ts';
import { resourcesFor } from '../../identity/rights.ts';
import { formatScope, parseScopes, type Scope } from '../../identity/scopes.ts';
import { letIn } from '../accessRecords.ts';
import type { HttpDeps } from '../deps.ts';
import { resource } from '../resource.ts';
import { EXCHANGE } from './descriptions.ts';

const GRANT_TYPE = 'urn:ietf:params:oauth:grant-type:token-exchange';
const TOKEN_TYPE = 'urn:ietf:params:oauth:token-type';
const SUBJECT_TOKEN_TYPES: readonly unknown[] = [`${TOKEN_TYPE}:id_token`, `${TOKEN_TYPE}:jwt`];

type Exchange = Readonly<{ subjectToken: string; scopes: readonly string[] }>;

const invalid = (field: string, message: string): RegistryError => new RegistryError('REQUEST_INVALID', message, { field });

const text = (fields: ReadonlyMap<string, unknown>, field: string): string => {
  const value = fields.get(field);
  if (typeof value === 'string' && value !== '') return value;
  throw invalid(field, `${field} is missing.`);
};

/** A form, as RFC 8693 has it, or JSON with the same fields. */
const exchangeIn = (body: unknown): Exchange => {
  const isForm = body instanceof URLSearchParams;
  if (!isForm && (typeof body !== 'object' || body === null))
    throw new RegistryError('REQUEST_INVALID', 'Send the fields of RFC 8693 as a form or as JSON.');
  const fields = new Map<string, unknown>(isForm ? body.entries() : Object.entries(body));
  if (text(fields, 'grant_type') !== GRANT_TYPE) throw invalid('grant_type', `grant_type must be ${GRANT_TYPE}.`);
  if (!SUBJECT_TOKEN_TYPES.includes(text(fields, 'subject_token_type')))
    throw invalid('subject_token_type', `subject_token_type must be one of ${SUBJECT_TOKEN_TYPES.join(', ')}.`);
  const scopes = isForm ? body.getAll('scope') : [fields.get('scope') ?? []].flat();
  if (!scopes.every((scope) => typeof scope === 'string')) throw invalid('scope', 'scope must be text, or a list of texts.');
  return { subjectToken: text(fields, 'subject_token'), scopes };
};

/** What was asked for and is granted; without a question everything that is. */
const accessFor = async ({ views }: HttpDeps, workload: Workload, scopes: readonly string[]): Promise<readonly Scope[]> => {
  // Not where nothing is left of what was asked: what is outside the grammar must not get more than what is in it.
  if (scopes.join('').trim() === '') return workload.grants;
  const asked = parseScopes(scopes);
  const resources = await resourcesFor(views, workload, repositoriesIn(asked));
  const access = grantedScopes(workload, asked, (name) => resources.get(name));
  if (access.length > 0) return access;
  throw new RegistryError('DENIED', 'This workload may do nothing of what it asks for.', { scope: scopes.join(' ') });
};

/** `POST /auth/oidc/token`: an ID token of a configured provider for a token of this registry (RFC 8693). */
export const oidcRoutes = (app: FastifyInstance, deps: HttpDeps): void => {
  const exchange = async (request: FastifyRequest, reply: FastifyReply) => {
    const { subjectToken, scopes } = exchangeIn(request.body);
    const workload = await deps.exchange(subjectToken, request);
    const access = await accessFor(deps, workload, scopes);
    const { id, grants, until } = workload;
    await letIn(deps, request, 'token.issue', workload);
    const issued = await deps.tokens.issue(
      { use: 'registry', userId: null, securityVersion: 0, access, workload: { id, grants } },
      until,
    );
    return reply.header('cache-control', 'no-store').send({
      access_token: issued.token,
      token: issued.token,
      issued_token_type: `${TOKEN_TYPE}:jwt`,
      token_type: 'Bearer',
      expires_in: issued.expiresInSeconds,
      issued_at: new Date(issued.issuedAt).toISOString(),
      scope: access.map(formatScope).join(' '),
    });
  };
  resource(app, '/oidc/token', { POST: { action: 'open', handler: exchange, says: EXCHANGE } });
};
