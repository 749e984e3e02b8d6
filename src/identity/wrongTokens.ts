import { isRefusal } from '../errors.ts';
import type { FailedLogins } from '../limits/failedLogins.ts';
import { WRONG_PASSWORD } from './credentials.ts';
import type { Soon } from './soon.ts';

/** Where a request comes from. */
export type From = Readonly<{ ip: string }>;

/** A token that has ended says by its signature that it was one: clients find out that way that they need another. */
const isWrongToken = (error: unknown): boolean => {
  if (!isRefusal(error, 'UNAUTHENTICATED') || error.cause === WRONG_PASSWORD) return false;
  return (error.cause as { code?: string } | undefined)?.code !== 'ERR_JWT_EXPIRED';
};

/** Counts tokens that are none by their address, and passwords not at all: they have been counted before they were checked. */
export const countingWrongTokens =
  (failedLogins: Pick<FailedLogins, 'wrongToken'>) =>
  <T>(from: From, ask: () => Soon<T>): Soon<T> => {
    const count = async (error: unknown): Promise<never> => {
      if (isWrongToken(error)) await failedLogins.wrongToken(from.ip);
      throw error;
    };
    try {
      const answer = ask();
      return answer instanceof Promise ? answer.catch(count) : answer;
    } catch (error) {
      return count(error);
    }
  };
