import { dayStreams } from './access/dayStreams.ts';
import { dayOf } from './access/days.ts';
import { accessKeeper } from './access/keeper.ts';
import { accessRecorder, type Recorder, type RecorderStatus } from './access/recorder.ts';
import { type Refusals, refusals } from './access/refusals.ts';
import { keepUp } from './access/upkeep.ts';
import { accessSealsDecider } from './commands/accessSeals.ts';
import type { Execute } from './commands/execute.ts';
import type { Config } from './config.ts';
import { RegistryError } from './errors.ts';
import type { Position } from './events/event.ts';
import type { EventLog } from './events/log/log.ts';
import { accessStreamsUnder, type Streams } from './events/streams.ts';
import { systemContext } from './firstStart.ts';
import type { Logger } from './http/server.ts';
import { access } from './projections/accessGroup.ts';
import { accessSeals } from './projections/accessSeals.ts';
import { accessTrail } from './projections/accessTrail.ts';
import type { Generation } from './projections/generation.ts';
import type { Document, Projection } from './projections/projection.ts';
import type { Views } from './projections/views/views.ts';
import type { AccessStores } from './stores.ts';

export type AccessLogOptions = Readonly<{
  config: Pick<Config, 'accessLog' | 'accessRetentionDays' | 'streamPrefix'>;
  stores: AccessStores;
  logger: Logger;
  /** The serving views, and the rest that a seal takes on its way into the facts. */
  views: Views;
  execute: Execute;
  streams: Streams;
  reached: (position: Position) => Promise<boolean>;
}>;

/** The access log as the rest of the registry sees it. */
export type AccessLog = Readonly<{
  log: EventLog;
  record: Recorder['record'];
  refused: Refusals['refused'];
  generation: Generation;
  /** What waits to be recorded, and what could not be. */
  status: Recorder['status'];
  /** What is wrong, for a person. */
  problems: () => readonly string[];
  /** Writes what waits, and lets go of everything. */
  close: () => Promise<void>;
}>;

/** The keys of a view from one end. */
const endOf = async <D extends Document>(views: Views, view: Projection<D>, sort: 'key' | '-key'): Promise<string | undefined> =>
  (await views.find(view, { sort: [sort], limit: 1 })).items[0]?.key;

/** What is wrong with the recording of accesses, for a person. */
export const problemsOfRecords = ({ error, entries, dropped }: RecorderStatus): readonly string[] =>
  error === undefined ? [] : [`The access log does not take records (${error}): ${entries} wait, ${dropped} were dropped.`];

/** Puts the access log together: who writes it, who reads it, and who ends its days. */
export const openAccessLog = (options: AccessLogOptions): AccessLog => {
  const { config, stores, logger, views, execute, streams, reached } = options;
  const { log } = stores;
  const accessStreams = accessStreamsUnder(config.streamPrefix);
  const now = (): Date => new Date();
  const generation = stores.generation(access);
  const recorder = accessRecorder({
    mode: config.accessLog,
    append: dayStreams({ log, streams: accessStreams, now }).append,
    now,
    onTrouble: (err) => logger.error({ err }, 'The access log does not take records.'),
    onRecovered: (dropped) => logger.warn({ dropped }, `The access log takes records again; ${dropped} had to be dropped.`),
  });
  const { refused, close: endMinute } = refusals({ record: recorder.record });

  const seal = async (order: Parameters<Parameters<typeof accessKeeper>[0]['seal']>[0]): Promise<void> => {
    const { position } = await execute(
      streams.accessSeals,
      accessSealsDecider,
      { type: 'SealAccessDay', ...order },
      systemContext(),
    );
    if (!(await reached(position))) throw new RegistryError('UNAVAILABLE', 'The views do not show the seal of a day in time.');
  };

  const firstDay = async (): Promise<string | undefined> => {
    const key = await endOf(generation.views, accessTrail, 'key');
    return key === undefined ? undefined : dayOf(key);
  };

  const stopping = new AbortController();
  const keeper = accessKeeper({
    log,
    streams: accessStreams,
    // Of its own, so that what the recorder expects of a stream is what it has seen itself.
    closeDay: dayStreams({ log, streams: accessStreams, now }).close,
    firstRecorded: firstDay,
    firstSealed: () => endOf(views, accessSeals, 'key'),
    lastSealed: () => endOf(views, accessSeals, '-key'),
    isSealed: async (day) => (await views.get(accessSeals, day)) !== undefined,
    seal,
    retentionDays: config.accessRetentionDays,
    now,
    signal: stopping.signal,
  });
  let upkeep: ReturnType<typeof keepUp> | undefined;
  void generation.ready.then(
    () => {
      if (stopping.signal.aborted) return;
      upkeep = keepUp({
        keeper,
        stopping,
        onDone: (what, days) => logger.info({ days }, `The access log: ${days.length} days are ${what}.`),
        onError: (err) => logger.error({ err }, 'The days of the access log could not be ended.'),
      });
    },
    () => undefined,
  );

  const problems = (): readonly string[] => problemsOfRecords(recorder.status());

  const close = async (): Promise<void> => {
    stopping.abort();
    await upkeep?.stop();
    endMinute();
    await recorder.close();
    await generation.stop();
    await stores.close();
  };

  return { log, record: recorder.record, refused, generation, status: recorder.status, problems, close };
};
