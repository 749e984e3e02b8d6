import { EventStoreDBClient } from '@eventstore/db-client';
import { within } from './eventstoreTiming.ts';

/** What of the client's protected parts is put right here, and nowhere else. */
type Insides = {
  supports: () => Promise<boolean>;
  handleError: (client: unknown, error: Error) => Promise<void>;
  getChannel: () => Promise<Readonly<{ close: () => void }>>;
};

export type Connection = Readonly<{ client: EventStoreDBClient; close: () => Promise<void> }>;

const parse = (connectionString: string): EventStoreDBClient => {
  try {
    return EventStoreDBClient.connectionString(connectionString);
  } catch (cause) {
    // Without the text itself: it holds a password.
    throw new Error(`The event log's connection string is none: ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
};

/** How long closing waits for streams that the server does not let go of. */
const PATIENCE_MS = 2000;

/**
 * A client whose appends are calls of their own, each with a deadline. Batch appends share one table of promises in the whole
 * process: an error of one stream rejects everybody's appends, a late reply after that is an uncaught exception, and a stream that
 * the server ends in peace never answers. Saying that the server has no batch appends also spares the question whether it
 * has, which has no deadline and whose failure the client keeps for ever.
 *
 * @throws when the connection string is none
 */
export const connect = (connectionString: string, onError: (error: unknown, what: string) => void): Connection => {
  const client = parse(connectionString);
  const insides = client as unknown as Insides;
  const { handleError, getChannel } = insides;
  let channel: ReturnType<Insides['getChannel']> | undefined;
  insides.supports = async () => false;
  // The client does not wait for this one, so that a cluster that is not found would be an unhandled rejection.
  insides.handleError = (failed, error) =>
    handleError(failed, error).catch((cause) => onError(cause, 'The event store was not found again.'));
  insides.getChannel = () => {
    channel = getChannel();
    return channel;
  };

  return {
    client,
    close: async () => {
      await within(PATIENCE_MS, 'Closing', client.dispose()).catch(() => undefined);
      // `dispose` leaves the connection open.
      await channel?.then(
        (open) => open.close(),
        () => undefined,
      );
    },
  };
};
