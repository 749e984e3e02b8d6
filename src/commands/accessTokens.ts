import { RegistryError } from '../errors.ts';
import { type AccessTokenEvents, MOST_GLOBS, type Permission } from '../events/accessTokens.ts';
import type { Fact } from '../events/event.ts';
import { isNameGlob } from '../oci/names.ts';
import {
  ACCESS_TOKEN_IDS,
  accessTokenCountKey,
  accessTokenCounts,
  accessTokenIds,
  accessTokenKey,
  accessTokens,
} from '../projections/accessTokens.ts';
import { type Decider, type Documents, document } from './decider.ts';

export type IssueAccessToken = Readonly<{
  type: 'IssueAccessToken';
  userId: number;
  name: string;
  /** SHA-256 of the value, in hex. */
  hash: string;
  prefix: string;
  permissions: readonly Permission[];
  repositories: readonly string[];
  /** ISO 8601 in UTC with milliseconds; null: never. */
  expiresAt: string | null;
  /** Now, in the same form. */
  at: string;
}>;
/** `userId`: whose it must be; absent: anybody's. */
export type RevokeAccessToken = Readonly<{ type: 'RevokeAccessToken'; tokenId: number; userId?: number }>;
export type AccessTokenCommand = IssueAccessToken | RevokeAccessToken;

type AccessTokenFact = { [T in keyof AccessTokenEvents]: Fact<T, AccessTokenEvents[T]> }[keyof AccessTokenEvents];

export const LONGEST_TOKEN_NAME = 100;
/** Tokens of one user that are not revoked, expired ones among them. */
export const MOST_TOKENS = 1000;

const invalid = (field: string, message: string): RegistryError => new RegistryError('REQUEST_INVALID', message, { field });

const checkName = (name: string): void => {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: a name stands in a line of a list.
  if (name.trim() !== '' && name.length <= LONGEST_TOKEN_NAME && !/[\x00-\x1f\x7f]/.test(name) && name.isWellFormed()) return;
  throw invalid('name', `A token's name has 1 to ${LONGEST_TOKEN_NAME} characters, and no control characters.`);
};

const checkRepositories = (globs: readonly string[]): void => {
  if (globs.length > MOST_GLOBS) throw invalid('repositories', `A token may name at most ${MOST_GLOBS} repositories.`);
  const wrong = globs.findIndex((glob) => !isNameGlob(glob));
  if (wrong === -1) return;
  throw invalid(
    `repositories.${wrong}`,
    'A repository is named exactly, as team/app, or with all that stand under a prefix, as team/*.',
  );
};

const issue = (command: IssueAccessToken, documents: Documents): readonly AccessTokenFact[] => {
  const { type: _type, at, ...token } = command;
  checkName(token.name);
  checkRepositories(token.repositories);
  if (token.permissions.length === 0) throw invalid('permissions', 'A token needs one permission at least.');
  if (token.expiresAt !== null && token.expiresAt <= at) throw invalid('expires_at', 'expires_at must be in the future.');
  const { count = 0 } = documents.get(accessTokenCounts, accessTokenCountKey(token.userId)) ?? {};
  if (count >= MOST_TOKENS)
    throw new RegistryError('CONFLICT', `A user has at most ${MOST_TOKENS} tokens, expired ones too. Delete some first.`, {
      most: MOST_TOKENS,
    });
  const tokenId = (documents.get(accessTokenIds, ACCESS_TOKEN_IDS)?.last ?? 0) + 1;
  const once = <T>(values: readonly T[]): readonly T[] => [...new Set(values)];
  const data = { ...token, tokenId, permissions: once(token.permissions), repositories: once(token.repositories) };
  return [{ type: 'AccessTokenIssued', data }];
};

const revoke = ({ tokenId, userId }: RevokeAccessToken, documents: Documents): readonly AccessTokenFact[] => {
  const token = documents.get(accessTokens, accessTokenKey(tokenId));
  // Somebody else's and none are the same, to those who may only see their own.
  if (token === undefined || (userId !== undefined && token.userId !== userId))
    throw new RegistryError('NOT_FOUND', `There is no token ${tokenId}.`, { tokenId });
  return [{ type: 'AccessTokenRevoked', data: { tokenId, userId: token.userId } }];
};

/** The rules of access tokens. Who the owner is, and what he may do, is judged when a token is used. */
export const accessTokensDecider: Decider<AccessTokenCommand> = {
  keysOf: (command) =>
    command.type === 'IssueAccessToken'
      ? {
          documents: [
            document(accessTokenIds, ACCESS_TOKEN_IDS),
            document(accessTokenCounts, accessTokenCountKey(command.userId)),
          ],
        }
      : { documents: [document(accessTokens, accessTokenKey(command.tokenId))] },

  decide: (command, documents): readonly AccessTokenFact[] => {
    switch (command.type) {
      case 'IssueAccessToken':
        return issue(command, documents);
      case 'RevokeAccessToken':
        return revoke(command, documents);
    }
  },
};
