import { setTimeout as pause } from 'node:timers/promises';
import type { Keeper } from './keeper.ts';

export type UpkeepOptions = Readonly<{
  keeper: Keeper;
  /** Aborted at the end: it is the keeper's signal. */
  stopping: AbortController;
  onDone: (what: 'sealed' | 'dropped', days: readonly string[]) => void;
  onError: (error: unknown) => void;
  everyMs?: number;
}>;

export type Upkeep = Readonly<{ stop: () => Promise<void> }>;

const EVERY_MS = 10 * 60_000;
const PATIENCE_MS = 2000;

/** Ends the days of the access log, now and every ten minutes. Nodes come at different times, so that mostly one does all. */
export const keepUp = ({ keeper, stopping, onDone, onError, everyMs = EVERY_MS }: UpkeepOptions): Upkeep => {
  let timer: NodeJS.Timeout | undefined;

  const pass = async (): Promise<void> => {
    const sealed = await keeper.sealDays();
    if (sealed.length > 0) onDone('sealed', sealed);
    const dropped = await keeper.dropDays();
    if (dropped.length > 0) onDone('dropped', dropped);
  };

  const again = (): void => {
    if (stopping.signal.aborted) return;
    timer = setTimeout(
      () => {
        running = round();
      },
      everyMs * (0.75 + Math.random() / 2),
    );
    timer.unref();
  };

  const round = (): Promise<void> =>
    pass()
      .catch((error) => {
        if (!stopping.signal.aborted) onError(error);
      })
      .then(again);

  let running = round();
  return {
    stop: async () => {
      stopping.abort();
      clearTimeout(timer);
      // What cannot be ended, as dropping a day, ends with its log.
      const patience = new AbortController();
      await Promise.race([running, pause(PATIENCE_MS, undefined, { signal: patience.signal }).catch(() => undefined)]);
      patience.abort();
    },
  };
};
