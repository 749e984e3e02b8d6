import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { accessTokensDecider, LONGEST_TOKEN_NAME } from '../../commands/accessTokens.ts';
import { RegistryError } from '../../errors.ts';
import { type AccessTokenEvents, MOST_GLOBS, PERMISSIONS, type Permission } from '../../events/accessTokens.ts';
import { newAccessTokenValue } from '../../identity/accessTokenValue.ts';
import { authorize, REGISTRY } from '../../identity/authorize.ts';
import type { Caller } from '../../identity/caller.ts';
import { type AccessToken, accessTokenCountKey, accessTokenCounts, accessTokens } from '../../projections/accessTokens.ts';
import type { HttpDeps } from '../deps.ts';
import { described } from '../described.ts';
import { goneForReaders, seenOrWarned } from '../ownWrites.ts';
import { answer, ID, ID_IN_PATH, NOTHING, object, TEXT, TIME, TIME_OR_NULL } from '../schemas.ts';
import { commanding } from './commands.ts';
import { findPage, PAGE_PARAMETERS, type PageOf, type PageQuery, pageAnswer, pageOf, pageSchema } from './page.ts';
import { ownUserId } from './profile.ts';
import { idIn, permit, timeOf } from './route.ts';
import { existingUser } from './userAnswers.ts';

type ListQuery = PageQuery & Readonly<{ user_id?: string }>;
type NewToken = Readonly<{
  name: string;
  permissions: readonly Permission[];
  repositories?: readonly string[];
  expires_at?: string | null;
  user_id?: number;
}>;

const tags = ['Access tokens'] as const;
const DAY_MS = 86_400_000;
const EVERYBODY = 'all';

const GLOBS = {
  type: 'array',
  items: TEXT,
  maxItems: MOST_GLOBS,
  description: 'Repositories that the token is limited to: exact names or `prefix/*`. None: all that its owner may use.',
} as const;
const SHOWN = {
  id: ID,
  user_id: ID,
  name: TEXT,
  prefix: { type: 'string', description: 'The first characters of the token, to recognise it by.' },
  permissions: { type: 'array', items: { enum: PERMISSIONS } },
  repositories: GLOBS,
  created_at: TIME,
  expires_at: TIME_OR_NULL,
} as const;
const TOKEN = answer({ ...SHOWN, last_used: TIME_OR_NULL });
const CREATED = answer({ ...SHOWN, token: { type: 'string', description: 'The token itself. It is told this once.' } });

type Shown = Omit<AccessToken, 'issuedAt'>;

const shown = ({ tokenId, userId, name, prefix, permissions, repositories, expiresAt }: Shown, createdAt: string) => ({
  id: tokenId,
  user_id: userId,
  name,
  prefix,
  permissions,
  repositories,
  created_at: timeOf(createdAt),
  expires_at: expiresAt === null ? null : timeOf(expiresAt),
});

const invalid = (field: string, message: string): RegistryError => new RegistryError('REQUEST_INVALID', message, { field });

/** The earliest of the ends that there are. */
const earliest = (...ends: readonly (string | null | undefined)[]): string | null =>
  ends.filter((end) => typeof end === 'string').sort()[0] ?? null;

/**
 * When a new token ends: as asked for, but not later than the setting allows, nor than the token that it is asked for with.
 * @throws RegistryError `REQUEST_INVALID`
 */
const expiryOf = (asked: string | null | undefined, caller: Caller, maxDays: number, now: number): string | null => {
  const longest = maxDays === 0 ? null : new Date(now + maxDays * DAY_MS).toISOString();
  const last = earliest(longest, caller.kind === 'user' ? caller.token?.expiresAt : null);
  if (asked === null || asked === undefined) return last;
  const wanted = new Date(asked);
  if (wanted.getUTCFullYear() > 9999) throw invalid('expires_at', 'expires_at is too far away.');
  if (last !== null && wanted.toISOString() > last)
    throw invalid('expires_at', `expires_at must not be later than ${timeOf(last)} here.`);
  return wanted.toISOString();
};

/** `/api/v1/tokens`: the caller's access tokens; those of others for administrators, and for auditors to read. */
export const tokenRoutes = (app: FastifyInstance, deps: HttpDeps): void => {
  const { views, lastSeen, settings } = deps;

  const changeTokens = commanding(deps, 'tokens', accessTokensDecider, 'tokenId');

  const pageOfTokens = async (userId: number | undefined, page: PageOf) => {
    const where = userId === undefined ? {} : { userId };
    const [found, total] = await Promise.all([
      findPage(views, accessTokens, { where, sort: 'tokenId' }, page),
      userId === undefined
        ? views.totals(accessTokens).then(({ sums }) => sums.tokens)
        : views.get(accessTokenCounts, accessTokenCountKey(userId)).then((counted) => counted?.count),
    ]);
    return { found, total: total ?? 0 };
  };

  const list = async ({ caller, query }: FastifyRequest<{ Querystring: ListQuery }>) => {
    const page = pageOf(query);
    const whose = query.user_id;
    if (whose !== undefined) permit(caller, 'readUsers');
    const userId = whose === undefined ? ownUserId(caller) : whose === EVERYBODY ? undefined : idIn(whose);
    const { found, total } = await pageOfTokens(userId, page);
    const uses = await lastSeen.lastUses(found.map(({ tokenId }) => tokenId));
    const items = found.map((token, index) => {
      const used = uses[index] ?? null;
      return { ...shown(token, token.issuedAt), last_used: used === null ? null : timeOf(used) };
    });
    return { ...pageAnswer('tokens', items, total, page), data: items };
  };

  /** People make their own tokens; robots, who never log in, have theirs made. @throws RegistryError `DENIED` | `REQUEST_INVALID` */
  const ownerOf = async (caller: Caller, userId: number | undefined): Promise<number> => {
    if (userId === undefined) return ownUserId(caller);
    if (caller.kind === 'user' && caller.userId === userId) return userId;
    permit(caller, 'manageUsers');
    const { role } = await existingUser(deps, userId);
    if (role !== 'robot') throw invalid('user_id', 'Tokens are made for oneself or for robots.');
    return userId;
  };

  const create = async (request: FastifyRequest<{ Body: NewToken }>, reply: FastifyReply) => {
    const { name, permissions, repositories = [], expires_at: asked, user_id: whose } = request.body;
    const userId = await ownerOf(request.caller, whose);
    const now = Date.now();
    const expiresAt = expiryOf(asked, request.caller, settings.tokenMaxDays, now);
    const { value, hash, prefix } = newAccessTokenValue();
    const at = new Date(now).toISOString();
    const token = { userId, name, hash, prefix, permissions, repositories, expiresAt } as const;
    const outcome = await changeTokens(request, { type: 'IssueAccessToken', ...token, at });
    await seenOrWarned(deps, outcome, reply);
    const issued = outcome.facts[0]?.data as AccessTokenEvents['AccessTokenIssued'];
    return reply.code(201).send({ ...shown(issued, at), token: value });
  };

  const revoke = async (request: FastifyRequest<{ Params: { id: string } }>, reply: FastifyReply) => {
    const tokenId = idIn(request.params.id);
    const { caller } = request;
    const anybodys = authorize(caller, 'manageUsers', REGISTRY).allowed;
    const command = { type: 'RevokeAccessToken', tokenId, ...(anybodys ? {} : { userId: ownUserId(caller) }) } as const;
    await goneForReaders(deps, await changeTokens(request, command));
    return reply.code(204).send();
  };

  described(app, '/tokens', {
    GET: {
      action: 'manageOwnAccount',
      schema: {
        summary: 'Lists your access tokens, or those of a user, or all.',
        tags,
        querystring: {
          type: 'object',
          properties: {
            ...PAGE_PARAMETERS,
            user_id: { type: 'string', description: `Whose: a user's id or \`${EVERYBODY}\`, for administrators and auditors.` },
          },
        },
        response: { 200: pageSchema(TOKEN, 'tokens', 'data') },
      },
      handler: list,
    },
    POST: {
      action: 'manageOwnAccount',
      schema: {
        summary: 'Creates an access token for you, or for a robot.',
        tags,
        body: object(
          {
            name: { type: 'string', description: `What it is for, in at most ${LONGEST_TOKEN_NAME} characters.` },
            permissions: { type: 'array', items: { enum: PERMISSIONS }, minItems: 1, maxItems: 20 },
            repositories: GLOBS,
            expires_at: { ...TIME_OR_NULL, description: 'null or absent: never, or when the registry ends all tokens.' },
            user_id: { ...ID, description: 'The robot whose it is, for administrators.' },
          },
          'name',
          'permissions',
        ),
        response: { 201: CREATED },
      },
      handler: create,
    },
  });

  described(app, '/tokens/:id', {
    DELETE: {
      action: 'manageOwnAccount',
      schema: {
        summary: 'Revokes an access token: it, and every login made from it, end at once.',
        tags,
        params: ID_IN_PATH,
        response: { 204: NOTHING },
      },
      handler: revoke,
    },
  });
};
