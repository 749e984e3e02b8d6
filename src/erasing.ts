import { randomUUID } from 'node:crypto';
import { accessTokensDecider } from './commands/accessTokens.ts';
import type { CommandContext, Execute, Outcome } from './commands/execute.ts';
import { usersDecider } from './commands/users.ts';
import { isRefusal, RegistryError } from './errors.ts';
import type { Position } from './events/event.ts';
import type { Streams } from './events/streams.ts';
import { userSubject } from './events/users.ts';
import { systemContext } from './firstStart.ts';
import { accessTokenCountKey, accessTokenCounts, accessTokens } from './projections/accessTokens.ts';
import { type User, usernames, users } from './projections/users.ts';
import { pagesOf } from './projections/views/pages.ts';
import type { Views, Where } from './projections/views/views.ts';
import type { Fingerprints } from './secrets/fingerprints.ts';
import type { Sealing } from './secrets/sealing.ts';
import { UnusableSecrets } from './secrets/secrets.ts';

/** Users or tokens that are gone through at a time. */
const PAGE = 200;

export type ErasingOptions = Readonly<{
  /** The serving views. */
  views: Views;
  execute: Execute;
  streams: Streams;
  sealing: Pick<Sealing, 'erase' | 'remaining'>;
  /** Waits until the serving views show the log up to a position. */
  reached: (position: Position) => Promise<boolean>;
}>;

export type Erasing = Readonly<{
  /**
   * Erases a person, and deletes the user where that was not done before. Whatever is broken off is finished by asking again.
   * @throws RegistryError `NOT_FOUND` | `CONFLICT` for the last administrator | `UNAVAILABLE`
   */
  erase: (userId: number, context: CommandContext) => Promise<Outcome>;
  /** Finishes what was broken off, or was undone by an older backup of the secrets. @returns how many persons that were */
  finish: () => Promise<number>;
}>;

/** The users that a query finds, a page at a time; what becomes of one page does not change which is next. */
async function* pagesOfUsers(views: Views, where: Where): AsyncGenerator<readonly User[]> {
  for await (const items of pagesOf(views, users, { where, sort: ['userId'], limit: PAGE }))
    yield items.map(({ value }) => value);
}

/**
 * First the fact, then the key: a crash in between leaves a person who is on record as erased, which is finished at the next start. The
 * views drop what they have in the clear by the fact alone, so that it makes no difference to them when the key goes. Only the names of
 * access tokens stand in documents which that fact can't name: the tokens are revoked one by one.
 */
export const erasing = ({ views, execute, streams, sealing, reached }: ErasingOptions): Erasing => {
  const mustReach = async (position: Position): Promise<void> => {
    if (!(await reached(position))) throw new RegistryError('UNAVAILABLE', 'The views do not show it yet. Try again.');
  };

  const revoke = async (tokenId: number, context: CommandContext): Promise<Outcome | undefined> => {
    try {
      const command = { type: 'RevokeAccessToken', tokenId } as const;
      return await execute(streams.tokens, accessTokensDecider, command, { ...context, commandId: randomUUID() });
    } catch (error) {
      if (isRefusal(error, 'NOT_FOUND')) return undefined; // by its owner or another node, meanwhile
      throw error;
    }
  };

  const revokeTokens = async (userId: number, context: CommandContext): Promise<void> => {
    for (;;) {
      const { items } = await views.find(accessTokens, { where: { userId }, sort: ['tokenId'], limit: PAGE });
      const outcomes = await Promise.all(items.map(({ value }) => revoke(value.tokenId, context)));
      for (const outcome of outcomes) if (outcome !== undefined) await mustReach(outcome.position);
      if (items.length < PAGE) return;
    }
  };

  const erase = async (userId: number, context: CommandContext): Promise<Outcome> => {
    const outcome = await execute(streams.users, usersDecider, { type: 'ErasePerson', userId }, context);
    await sealing.erase(userSubject(userId));
    await mustReach(outcome.position);
    await revokeTokens(userId, context);
    return outcome;
  };

  /** Those of the erased of whom something is left. */
  const unfinished = async (erased: readonly User[]): Promise<readonly number[]> => {
    const keys = new Set(await sealing.remaining(erased.map(({ userId }) => userSubject(userId))));
    const counted = await views.getMany(
      accessTokenCounts,
      erased.map(({ userId }) => accessTokenCountKey(userId)),
    );
    const left = erased.filter(({ userId }, index) => keys.has(userSubject(userId)) || (counted[index]?.count ?? 0) > 0);
    return left.map(({ userId }) => userId);
  };

  const finish = async (): Promise<number> => {
    let count = 0;
    for await (const page of pagesOfUsers(views, { erased: true }))
      for (const userId of await unfinished(page)) {
        await erase(userId, systemContext());
        count += 1;
      }
    return count;
  };

  return { erase, finish };
};

/** The fingerprints of a registry are made with a key of its secrets: with another, nobody would be found by his name. */
const refuseOtherFingerprints = async (views: Views, { username }: Fingerprints): Promise<void> => {
  const { items } = await views.find(users, { where: { erased: false }, sort: ['userId'], limit: 1 });
  const [user] = items.map(({ value }) => value);
  if (user === undefined || !user.usernameReserved) return;
  if ((await views.get(usernames, username(user.username))) !== undefined) return;
  throw new UnusableSecrets(
    'The secrets do not belong to this event log, or are older than what it needs: the names of its users cannot be found with them. Restore a newer backup of the secrets.',
  );
};

/**
 * Gives the names of users of older logs their fingerprints, by which users are found.
 * @throws UnusableSecrets when the secrets are not those of this log
 */
export const reserveUsernames = async (
  { views, execute, streams }: Pick<ErasingOptions, 'views' | 'execute' | 'streams'>,
  fingerprints: Fingerprints,
): Promise<void> => {
  await refuseOtherFingerprints(views, fingerprints);
  for await (const page of pagesOfUsers(views, { usernameReserved: false })) {
    const named = page.map(({ userId, username }) => ({ userId, fingerprint: fingerprints.username(username) }));
    await Promise.all(
      named.map((of) => execute(streams.users, usersDecider, { type: 'ReserveUsername', ...of }, systemContext())),
    );
  }
};
