import { ANY, type EventStoreDBClient, StreamDeletedError } from '@eventstore/db-client';
import { readFailure } from './eventstoreErrors.ts';
import { within } from './eventstoreTiming.ts';
import type { TransientLog } from './log.ts';

export type DropsOptions = Readonly<{
  client: EventStoreDBClient;
  prefix: string;
  readStream: TransientLog['readStream'];
  /** How long the server may take, in ms. */
  tryMs: number;
}>;

/**
 * Deletes a stream softly: its events are out of its readers' sight at once, and off the disk with the server's next scavenge, until
 * which `$all` shows them still.
 * @throws RegistryError `UNAVAILABLE`
 */
export const dropsOf =
  ({ client, prefix, readStream, tryMs }: DropsOptions): TransientLog['drop'] =>
  async (stream) => {
    if (!stream.startsWith(`${prefix}.`))
      throw new TypeError(`${stream} is no stream of this log: its streams begin with ${prefix}.`);
    // What is not there cannot be deleted.
    if ((await readStream(stream, { direction: 'backwards', limit: 1 })).length === 0) return;
    try {
      const options = { expectedRevision: ANY, requiresLeader: true, deadline: tryMs } as const;
      await within(tryMs, 'Dropping a stream', client.deleteStream(stream, options));
    } catch (error) {
      if (!(error instanceof StreamDeletedError)) throw readFailure(error);
    }
  };
