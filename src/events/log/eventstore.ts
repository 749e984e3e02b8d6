import { appendsTo } from './eventstoreAppends.ts';
import { connect } from './eventstoreClient.ts';
import { dropsOf } from './eventstoreDrops.ts';
import { feed } from './eventstoreFeed.ts';
import { headOf } from './eventstoreHead.ts';
import { readsOn } from './eventstoreReads.ts';
import type { TransientLog } from './log.ts';

export type EventstoreEventLogOptions = Readonly<{
  /** Streams that begin with `<prefix>.` are this log's; all others are as if they were not there. */
  prefix: string;
  /** Told what went wrong and is tried again without anybody waiting for it. */
  onError?: (error: unknown, what: string) => void;
  /** How long one try of an append may take, and all its tries together, in ms. */
  appendTryMs?: number;
  appendTotalMs?: number;
  /** How long the server may say nothing while it owes an answer to a read, in ms. */
  readMs?: number;
  /** How long the server may take to begin a subscription, in ms. */
  subscribeMs?: number;
  /** How often a follower that waits looks whether it should have been given something, in ms. */
  watchMs?: number;
}>;

/**
 * The event log on an EventStoreDB or KurrentDB server from 22.6 on, by a connection string such as
 * `esdb://user:password@host:2113?tls=true`. It is opened without asking the server: while that is away, reads and appends fail
 * with `UNAVAILABLE` or AppendOutcomeUnknown, and followers wait.
 *
 * @throws when the connection string or the prefix is none
 */
export const eventstoreEventLog = async (
  connectionString: string,
  {
    prefix,
    onError = () => undefined,
    appendTryMs = 1000,
    appendTotalMs = 2000,
    readMs = 5000,
    subscribeMs = 5000,
    watchMs = 3000,
  }: EventstoreEventLogOptions,
): Promise<TransientLog> => {
  if (!/^[^$\s]\S*$/u.test(prefix) || !prefix.isWellFormed())
    throw new TypeError(`No prefix of streams: ${JSON.stringify(prefix)}.`);
  const { client, close } = connect(connectionString, onError);
  const ending = new AbortController();
  const closing = ending.signal;
  const reads = readsOn({ client, prefix, timeoutMs: readMs, closing });
  const head = headOf(reads);
  const { append, flush } = appendsTo({
    client,
    prefix,
    tryMs: appendTryMs,
    totalMs: appendTotalMs,
    readStream: reads.readStream,
    onAppended: head.saw,
  });
  let closed: Promise<void> | undefined;

  return {
    append,
    drop: dropsOf({ client, prefix, readStream: reads.readStream, tryMs: appendTryMs }),
    readStream: reads.readStream,
    readAll: reads.readAll,
    follow: feed({ client, prefix, head, startMs: subscribeMs, watchMs, closing, onError }),
    head: head.read,
    close: () => {
      closed ??= flush().then(() => {
        ending.abort();
        return close();
      });
      return closed;
    },
  };
};
