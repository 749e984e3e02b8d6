import {
  AccessDeniedError,
  MaxAppendSizeExceededError,
  NotLeaderError,
  StreamDeletedError,
  WrongExpectedVersionError,
} from '@eventstore/db-client';
import { RegistryError } from '../../errors.ts';
import { AppendTooLarge, NO_STREAM, WrongExpectedRevision } from './log.ts';

/** The server did not answer in time. */
export class TimedOut extends Error {
  override readonly name = 'TimedOut';
}

// gRPC status codes, https://grpc.io/docs/guides/status-codes/
const CANCELLED = 1;
export const INVALID_ARGUMENT = 3;
const PERMISSION_DENIED = 7;
const FAILED_PRECONDITION = 9;
const UNIMPLEMENTED = 12;
const UNAVAILABLE = 14;
const UNAUTHENTICATED = 16;

/** The gRPC status of an error, whether the client has made one of its own of it or not. */
export const codeOf = (error: unknown): number | undefined =>
  error instanceof Error && 'code' in error && typeof error.code === 'number' ? error.code : undefined;

const isDenied = (error: unknown): boolean =>
  error instanceof AccessDeniedError || [PERMISSION_DENIED, UNAUTHENTICATED].includes(codeOf(error) ?? -1);

const unavailable = (message: string, cause: unknown): RegistryError => new RegistryError('UNAVAILABLE', message, {}, { cause });

const deniedOr = (error: unknown): RegistryError | undefined => {
  if (isDenied(error)) return unavailable('The event store refuses access: its credentials or rights are wrong.', error);
  if (error instanceof StreamDeletedError) return unavailable('A stream was deleted in the event store.', error);
  return undefined;
};

/** What a failed read is to those who wanted it. */
export const readFailure = (error: unknown): Error => {
  if (error instanceof RegistryError || error instanceof RangeError || error instanceof TypeError) return error;
  return deniedOr(error) ?? unavailable('The event store cannot be read at the moment.', error);
};

/** Whether another try may go better at once: the client finds the leader, or a connection, by itself. */
export const isPassing = (error: unknown): boolean =>
  error instanceof NotLeaderError || [CANCELLED, UNAVAILABLE].includes(codeOf(error) ?? -1);

/** Why nothing was written; undefined when that is not certain. */
export const appendRefusal = (error: unknown, stream: string, expected: number): Error | undefined => {
  if (error instanceof WrongExpectedVersionError) {
    const { actualVersion } = error;
    return new WrongExpectedRevision(stream, expected, typeof actualVersion === 'bigint' ? Number(actualVersion) : NO_STREAM);
  }
  if (error instanceof MaxAppendSizeExceededError)
    return new AppendTooLarge(`The event store takes ${error.maxAppendSize} bytes an append; one to ${stream} has more.`);
  const refused = deniedOr(error);
  if (refused !== undefined) return refused;
  if ([INVALID_ARGUMENT, FAILED_PRECONDITION, UNIMPLEMENTED].includes(codeOf(error) ?? -1))
    return new Error(`The event store refused an append to ${stream}.`, { cause: error });
  return undefined;
};
