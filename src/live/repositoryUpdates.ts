import { setTimeout as pause } from 'node:timers/promises';
import type { Position, Recorded } from '../events/event.ts';
import type { EventLog } from '../events/log/log.ts';
import type { RepositoryEvents } from '../events/repository.ts';
import { type Feed, feedOf } from './feed.ts';

export type RepositoryUpdate = Readonly<{
  action: 'manifest_added' | 'repository_deleted';
  repository: string;
  /** Epoch milliseconds. */
  timestamp: number;
}>;

type Options = Readonly<{
  log: Pick<EventLog, 'head' | 'follow'>;
  /** Whether readers see the log up to there; waited for. */
  reached: (position: Position) => Promise<boolean>;
  onError: (error: unknown) => void;
  retryMs?: number;
}>;

const BATCH = 200;
/** How long it waits, in ms, before it follows again after a failure. */
const RETRY_MS = 1000;

/** Facts that a push consists of: a manifest that was not there, and tags that point at one. */
const PUSHED: readonly string[] = ['ManifestPushed', 'TagMoved'] satisfies readonly (keyof RepositoryEvents)[];
const DELETED = 'RepositoryDeleted' satisfies keyof RepositoryEvents;

const repositoryOf = ({ data }: Recorded): string => (data as RepositoryEvents['ManifestPushed']).repository;

/** One update a push, however many facts it made. These stand one behind another, in one batch or two. */
const updatesIn = (): ((events: readonly Recorded[]) => readonly RepositoryUpdate[]) => {
  let lastPush = '';
  return (events) =>
    events.flatMap((event): readonly RepositoryUpdate[] => {
      const { type, metadata } = event;
      const repository = repositoryOf(event);
      const timestamp = Date.parse(metadata.at);
      if (type === DELETED) return [{ action: 'repository_deleted', repository, timestamp }];
      if (!PUSHED.includes(type)) return [];
      const push = `${repository} ${metadata.requestId}`;
      if (push === lastPush) return [];
      lastPush = push;
      return [{ action: 'manifest_added', repository, timestamp }];
    });
};

/**
 * What happens to repositories, on whichever node: read from the log of facts. An update is told when this node's readers see what it is
 * about.
 */
export const repositoryUpdates = ({ log, reached, onError, retryMs = RETRY_MS }: Options): Feed<RepositoryUpdate> =>
  feedOf(async (tell) => {
    const stopping = new AbortController();
    const { signal } = stopping;
    const updates = updatesIn();
    let after = await log.head();

    /** The whole push, of which a batch may have the beginning alone. They are told all the same when readers are slow: it has happened. */
    const shown = (): Promise<boolean> =>
      log
        .head()
        .then(reached)
        .catch(() => false);

    const follow = async (): Promise<void> => {
      for await (const events of log.follow(after, { limit: BATCH, signal })) {
        const found = updates(events);
        after = events.at(-1)?.position ?? after;
        if (found.length > 0) await shown();
        if (signal.aborted) return;
        for (const update of found) tell(update);
      }
    };

    const followOn = async (): Promise<void> => {
      for (let failed = true; failed && !signal.aborted; ) {
        failed = false;
        try {
          await follow();
        } catch (error) {
          if (signal.aborted) return;
          failed = true;
          onError(error);
          await pause(retryMs, undefined, { signal, ref: false }).catch(() => undefined);
        }
      }
    };

    void followOn();
    return () => stopping.abort();
  });
