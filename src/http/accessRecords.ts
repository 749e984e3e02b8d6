import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { AccessRecords } from '../access/records.ts';
import type { RegistryError } from '../errors.ts';
import type { AccessAction, AccessEntry, AccessMethod } from '../events/access.ts';
import type { Caller } from '../identity/caller.ts';
import type { Digest } from '../oci/digest.ts';
import { actorOf } from './context.ts';
import type { HttpDeps } from './deps.ts';

declare module 'fastify' {
  interface FastifyInstance {
    /** Where `refuse` puts refusals on record. */
    accessRecords: AccessRecords;
  }
}

const LONGEST_AGENT = 256;
const LONGEST_RESOURCE = 512;

type Written = { -readonly [K in keyof AccessEntry]: AccessEntry[K] };

// Many requests a millisecond: a date is written once for all of them.
let lastMs = 0;
let lastText = '';
const nowText = (): string => {
  const ms = Date.now();
  if (ms !== lastMs) {
    lastMs = ms;
    lastText = new Date(ms).toISOString();
  }
  return lastText;
};

/** At most 256 bytes of UTF-8. */
const cut = (agent: string): string =>
  agent.length * 3 <= LONGEST_AGENT || Buffer.byteLength(agent) <= LONGEST_AGENT
    ? agent
    : Buffer.from(agent).toString('utf8', 0, LONGEST_AGENT).replace(/�+$/u, '');

const actorText = (caller: Caller | undefined): string => {
  if (caller === undefined) return 'anonymous:anonymous';
  const { kind, id } = actorOf(caller);
  return `${kind}:${id}`;
};

const ACCESS_TOKEN = /^bearer +ghd_/i;
const isBasic = (authorization: string): boolean => (authorization.charCodeAt(1) | 32) === 97; // the a of "basic", not the e of "bearer"

const inPlaceOfPassword = (caller: Caller | undefined): AccessMethod => (caller?.kind === 'workload' ? 'oidc' : 'password');

/** How the request shows who sends it, as its header has it. */
const methodOf = (authorization: string | undefined, caller: Caller | undefined): AccessMethod => {
  if (caller?.kind === 'operator') return 'open';
  // By the cookie of a session, if it is somebody.
  if (authorization === undefined) return caller?.kind === 'user' ? 'bearer' : 'anonymous';
  const byToken = caller?.kind === 'user' && caller.token !== undefined;
  if (isBasic(authorization)) return byToken ? 'pat' : inPlaceOfPassword(caller);
  return byToken && ACCESS_TOKEN.test(authorization) ? 'pat' : 'bearer';
};

// Written field by field: one small object a request, and no `undefined` in it, which no log takes.
const entryOf = (
  request: FastifyRequest,
  caller: Caller | undefined,
  action: AccessAction,
  resource: string,
  status: number,
): Written => {
  const { authorization, 'user-agent': agent } = request.headers;
  const entry: Written = {
    at: nowText(),
    actor: actorText(caller),
    method: methodOf(authorization, caller),
    ip: request.ip,
    action,
    resource: resource.length <= LONGEST_RESOURCE ? resource : resource.slice(0, LONGEST_RESOURCE).toWellFormed(),
    decision: 'allowed',
    status,
    requestId: request.id,
  };
  if (caller?.kind === 'user' && caller.token !== undefined) {
    entry.tokenId = String(caller.token.tokenId);
    entry.userId = String(caller.userId);
  }
  if (agent !== undefined && agent !== '') entry.userAgent = cut(agent);
  return entry;
};

export type Pulled = Readonly<{
  action: 'manifest.pull' | 'blob.pull';
  name: string;
  /** Of manifests, whose pulls are counted by the life of the repository. */
  repository?: Readonly<{ repositoryId: string }>;
  tag?: string | undefined;
  digest: Digest;
  status: number;
  /** What the answer will have, if the client takes all of it. */
  bytes: number;
}>;

/**
 * A GET that is about to be answered with a manifest or with bytes of a blob. HEAD and 304 hand out nothing and are no pulls.
 * @throws (rejects with) RegistryError `UNAVAILABLE` where it has to be on record and cannot
 */
export const pulled = ({ access, settings }: HttpDeps, request: FastifyRequest, pull: Pulled): Promise<void> | undefined => {
  const { action, name, repository, tag, digest, status, bytes } = pull;
  if (request.method !== 'GET') return undefined;
  if (action === 'blob.pull' && !settings.accessBlobs) return undefined;
  const entry = entryOf(request, request.caller, action, tag === undefined ? name : `${name}:${tag}`, status);
  if (repository !== undefined) entry.repositoryId = repository.repositoryId;
  entry.digest = digest;
  entry.bytes = bytes;
  return access.record(entry);
};

/** A push of what the repository has already: no fact tells of it. Rejects as `pulled` does. */
export const pushedInVain = (
  { access }: HttpDeps,
  request: FastifyRequest,
  push: Readonly<{ type: string; repository: string; digest?: Digest; tags?: readonly string[] }>,
): Promise<void> | undefined => {
  if (push.type !== 'PushManifest' && push.type !== 'LinkBlob') return undefined;
  const resource = push.tags?.[0] === undefined ? push.repository : `${push.repository}:${push.tags[0]}`;
  const action = push.type === 'LinkBlob' ? 'blob.push' : 'manifest.push';
  const entry = entryOf(request, request.caller, action, resource, 201);
  if (push.digest !== undefined) entry.digest = push.digest;
  return access.record(entry);
};

/** Somebody was let in, and got a token. Rejects as `pulled` does. */
export const letIn = (
  { access }: HttpDeps,
  request: FastifyRequest,
  action: 'user.login' | 'token.issue',
  caller: Caller,
  method?: AccessMethod,
): Promise<void> | undefined => {
  // A token for callers without an account lets nobody in.
  if (caller.kind !== 'user' && caller.kind !== 'workload') return undefined;
  const entry = entryOf(request, caller, action, action === 'user.login' ? 'session' : 'token', 200);
  // In the body there was a password, or an access token in its place.
  if (method !== undefined) entry.method = method;
  else if (request.headers.authorization === undefined)
    entry.method = caller.kind === 'user' && caller.token !== undefined ? 'pat' : inPlaceOfPassword(caller);
  return access.record(entry);
};

/** Access tokens whose use was recorded lately, by node. */
const MOST_TOKENS = 10_000;
const USE_EVERY_MS = 60_000;

/** Records that an access token is in use, once a minute: its owner sees when he last needed it, whatever it was used for. */
export const tokenUses = ({ access }: Pick<HttpDeps, 'access'>) => {
  const recordedAt = new Map<number, number>();
  return (request: FastifyRequest, caller: Caller): Promise<void> | undefined => {
    if (caller.kind !== 'user' || caller.token === undefined) return undefined;
    const { tokenId } = caller.token;
    const now = Date.now();
    if (now - (recordedAt.get(tokenId) ?? 0) < USE_EVERY_MS) return undefined;
    if (recordedAt.size >= MOST_TOKENS) recordedAt.clear();
    recordedAt.set(tokenId, now);
    return access.record(entryOf(request, caller, 'credentials.use', 'token', 200));
  };
};

const named = ({ params, routeOptions, url }: FastifyRequest): string => {
  const { name, reference, digest } = (params ?? {}) as Readonly<Record<string, string | undefined>>;
  if (name === undefined || name === '')
    return (routeOptions.url ?? url.replace(/\?.*$/s, '')).slice(0, LONGEST_RESOURCE).toWellFormed() || '/';
  const text = reference === undefined || reference.includes(':') ? name : `${name}:${reference}`;
  return text.slice(0, LONGEST_RESOURCE).toWellFormed() || digest || '/';
};

/** Credentials came with it: in the header, or in the body of a login. */
const triesCredentials = ({ headers, method, routeOptions }: FastifyRequest): boolean =>
  headers.authorization !== undefined || (method === 'POST' && routeOptions.url?.startsWith('/auth') === true);

/**
 * Whether an answer is a refusal of what somebody may not do. A challenge to a request without credentials is none: it is how each
 * client begins.
 */
const isDenial = (request: FastifyRequest, { code }: RegistryError): boolean =>
  code === 'UNAUTHENTICATED' ? triesCredentials(request) : code === 'DENIED' || code === 'TOO_MANY_REQUESTS';

/** Puts a refusal on record, if it is one. Rejects as `pulled` does. */
export const recordRefusal = (request: FastifyRequest, refusal: RegistryError, status: number): Promise<void> | undefined => {
  const records = request.server.accessRecords as AccessRecords | undefined;
  if (records === undefined || !isDenial(request, refusal)) return undefined;
  const entry = entryOf(request, request.caller as Caller | undefined, 'request.refuse', named(request), status);
  entry.decision = 'refused';
  entry.reason = refusal.code;
  entry.attempted = `${request.method} ${request.routeOptions.url ?? 'unknown'}`.slice(0, 256);
  return records.refused(entry);
};

/** Lets `refuse` reach the access log, from every surface. */
export const recordRefusals = (app: FastifyInstance, { access }: Pick<HttpDeps, 'access'>): void => {
  app.decorate('accessRecords', access);
};
