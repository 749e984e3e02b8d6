import { statfs } from 'node:fs/promises';
import type { RecorderStatus } from './access/recorder.ts';
import type { AccessRecords } from './access/records.ts';
import type { Uploads } from './blobs/blobs.ts';
import type { BufferStatus } from './blobs/buffers.ts';
import type { BlobStats } from './blobs/counters.ts';
import type { Certificate } from './certificate.ts';
import type { Execute } from './commands/execute.ts';
import type { Position } from './events/event.ts';
import type { AppendCounts, CountedLog } from './events/log/counted.ts';
import type { Health, HttpDeps } from './http/deps.ts';
import { by, type Collector, counter, type Family, gauge, states } from './http/metricFamily.ts';
import type { BoundedQueue } from './identity/boundedQueue.ts';
import type { RequestLimit } from './limits/requests.ts';
import type { Throughput } from './live/throughput.ts';
import type { GenerationStatus } from './projections/generation.ts';

/** What waits in the parts that cannot tell it themselves, counted around them. */
export type Tally = Readonly<{
  execute: (execute: Execute) => Execute;
  reached: (reached: HttpDeps['reached']) => HttpDeps['reached'];
  access: (access: AccessRecords) => AccessRecords;
  limits: (limits: HttpDeps['limits']) => HttpDeps['limits'];
  commands: () => number;
  readers: () => number;
  /** By reason, an error code. */
  refusals: () => Readonly<Record<string, number>>;
  /** By the name of the limit. */
  limitHits: () => Readonly<Record<string, number>>;
}>;

export const tally = (): Tally => {
  let [commands, readers] = [0, 0];
  const refusals: Record<string, number> = { UNAUTHENTICATED: 0, DENIED: 0, TOO_MANY_REQUESTS: 0 };
  const hits: Record<string, number> = {};

  const counting = (name: string, limit: RequestLimit): RequestLimit => {
    hits[name] = 0;
    return async (who) => {
      const standing = await limit(who);
      if (standing.retryAfter !== undefined) hits[name] = (hits[name] ?? 0) + 1;
      return standing;
    };
  };

  return {
    execute:
      (execute) =>
      async (...given) => {
        commands += 1;
        try {
          return await execute(...given);
        } finally {
          commands -= 1;
        }
      },
    reached: (reached) => async (position) => {
      readers += 1;
      try {
        return await reached(position);
      } finally {
        readers -= 1;
      }
    },
    access: ({ record, refused }) => ({
      record,
      refused: (entry) => {
        const reason = entry.reason ?? 'none';
        refusals[reason] = (refusals[reason] ?? 0) + 1;
        return refused(entry);
      },
    }),
    limits: (limits) =>
      Object.fromEntries(Object.entries(limits).map(([name, limit]) => [name, counting(name, limit)])) as HttpDeps['limits'],
    commands: () => commands,
    readers: () => readers,
    refusals: () => refusals,
    limitHits: () => hits,
  };
};

/** What the metrics are read from. None of it changes anything, and none costs more the more the registry holds. */
export type Measured = Readonly<{
  log: Pick<CountedLog, 'head' | 'counts'>;
  accessLog: Readonly<{ status: () => RecorderStatus }>;
  generations: Readonly<Record<string, { status: () => GenerationStatus }>>;
  blobs: Readonly<{ stats: () => BlobStats; buffers: () => BufferStatus; uploads: Pick<Uploads, 'count'> }>;
  logins: Pick<BoundedQueue, 'status'>;
  tally: Tally;
  throughput: Pick<Throughput, 'totals'>;
  health: () => Promise<Health>;
  dataDir: string;
  certificate?: Readonly<{ current: () => Pick<Certificate, 'validTo'>; problems: () => readonly string[] }>;
}>;

/** Of a position as its log writes it: decimal in the embedded one; 16 hexadecimal digits and as many again in EventStoreDB. */
const numberOf = (position: Position): number =>
  position.length === 32 ? Number(BigInt(`0x${position.slice(0, 16)}`)) : Number(position);

const logFamilies = ({ appends, events, failures, waiting, seconds }: AppendCounts): readonly Family[] => [
  counter('event_log_appends_total', 'Appends that this process has written.', appends),
  counter('event_log_events_total', 'Events that this process has written.', events),
  counter('event_log_append_failures_total', 'Appends that were refused or not answered, conflicts too.', failures),
  counter('event_log_append_seconds_total', 'Time from the calls to the answers of all appends that were written.', seconds),
  gauge('event_log_appends_waiting', 'Appends that are not answered yet.', waiting),
];

const STATES: readonly GenerationStatus['state'][] = ['live', 'catchingUp', 'building', 'retrying', 'stopped'];

const projectionFamilies = (statuses: readonly (readonly [group: string, status: GenerationStatus])[]): readonly Family[] => {
  const each = (value: (status: GenerationStatus) => number) =>
    statuses.map(([group, status]) => ({ value: value(status), labels: { group } }));
  return [
    gauge(
      'projection_lag_seconds',
      'How long the oldest event that was fetched and is not in the views has been recorded.',
      each(({ lagMs }) => lagMs / 1000),
    ),
    gauge(
      'projection_state',
      'Which of these the views of a group are: 1, else 0.',
      statuses.flatMap(([group, { state }]) => states(STATES, state, { group })),
    ),
    gauge(
      'projection_faults',
      'Views that stand still because of an event, until they are rebuilt.',
      each(({ faults }) => Object.keys(faults).length),
    ),
    gauge(
      'projection_position',
      'Up to where in its log the views of a group are.',
      each(({ position }) => numberOf(position)),
    ),
    gauge(
      'projection_building_events',
      'Events that a build of views under way has read.',
      each(({ building }) => building?.events ?? 0),
    ),
  ];
};

const queueFamilies = ({ logins, tally: counted }: Measured): readonly Family[] => {
  const { running, waiting, longest } = logins.status();
  return [
    gauge('password_checks_running', 'Passwords that are hashed now.', running),
    gauge('password_checks_waiting', 'Passwords that wait for that.', waiting),
    gauge('password_checks_waiting_limit', 'Passwords that may wait: beyond them logins are refused.', longest),
    gauge(
      'commands_running',
      'Commands that are not answered yet, those that wait for others of their stream too.',
      counted.commands(),
    ),
    gauge('readers_waiting', 'Requests that wait until the views show what they have written.', counted.readers()),
    counter('refusals_total', 'What callers were refused, by code; of logins UNAUTHENTICATED.', by('code', counted.refusals())),
    counter('limit_hits_total', 'Requests over a limit, by limit.', by('limit', counted.limitHits())),
  ];
};

const accessFamilies = ({ entries, bytes, recorded, everDropped, error }: RecorderStatus): readonly Family[] => [
  gauge('access_log_waiting', 'Entries that wait to be recorded.', entries),
  gauge('access_log_waiting_bytes', 'Bytes of the entries that wait to be recorded.', bytes),
  counter('access_log_recorded_total', 'Entries that this process has recorded.', recorded),
  counter('access_log_dropped_total', 'Accesses that could not be recorded, and never will be.', everDropped),
  gauge('access_log_failing', 'Whether the access log takes no records: 1, else 0.', error === undefined ? 0 : 1),
];

const blobFamilies = (stats: BlobStats, { used, most, waiting, reservedBytes }: BufferStatus): readonly Family[] => [
  counter('blob_store_operations_total', 'What the blob store has asked of the file system.', [
    ...by('operation', {
      open: stats.opens,
      fileSync: stats.fileSyncs,
      folderSync: stats.folderSyncs,
      writeBack: stats.writeBacks,
    }),
  ]),
  counter('blob_store_copied_bytes_total', 'Bytes that were copied from chunks into one file.', stats.copiedBytes),
  gauge('blob_buffers_used', 'Buffers of uploads that are in use.', used),
  gauge('blob_buffers_limit', 'Buffers of uploads that there may be.', most),
  gauge('blob_buffers_waiting', 'Uploads that wait for a buffer.', waiting),
  gauge('blob_reserved_bytes', 'Memory of small uploads besides.', reservedBytes),
];

const SERVICES = ['healthy', 'degraded', 'unhealthy'] as const;

const healthFamilies = ({ status, database, storage, auth, problems }: Health): readonly Family[] => [
  gauge('health', 'Which of these the registry is: 1, else 0.', states(SERVICES, status)),
  gauge(
    'service_health',
    'The same of its parts.',
    Object.entries({ database, storage, auth }).flatMap(([service, state]) => states(SERVICES, state, { service })),
  ),
  gauge('problems', 'What people should see to: GET /health says it.', problems.length),
];

const diskFamilies = async (dataDir: string): Promise<readonly Family[]> => {
  const { bavail, blocks, bsize } = await statfs(dataDir);
  return [
    gauge('data_free_bytes', 'Room that is left where the data folder is.', bavail * bsize),
    gauge('data_size_bytes', 'All the room that there is.', blocks * bsize),
  ];
};

const certificateFamilies = ({ certificate }: Measured): readonly Family[] =>
  certificate === undefined
    ? []
    : [
        gauge(
          'certificate_end_timestamp_seconds',
          'When the TLS certificate ends.',
          certificate.current().validTo.getTime() / 1000,
        ),
        gauge('certificate_problems', 'What people should see to about it.', certificate.problems().length),
      ];

/** A collector for each part that can be away by itself. */
export const collectorsOf = (measured: Measured): readonly Collector[] => {
  const { log, accessLog, generations, blobs, throughput, health, dataDir } = measured;
  const statuses = () => Object.entries(generations).map(([group, { status }]) => [group, status()] as const);
  return [
    {
      name: 'log',
      collect: async () => [gauge('event_log_head', 'The position of the newest event.', numberOf(await log.head()))],
    },
    { name: 'appends', collect: () => logFamilies(log.counts()) },
    { name: 'projections', collect: () => projectionFamilies(statuses()) },
    { name: 'queues', collect: () => queueFamilies(measured) },
    { name: 'accessLog', collect: () => accessFamilies(accessLog.status()) },
    { name: 'blobs', collect: () => blobFamilies(blobs.stats(), blobs.buffers()) },
    {
      name: 'throughput',
      collect: () => [
        counter(
          'transferred_bytes_total',
          'Bytes of blobs and manifests that came and went.',
          by('category', throughput.totals()),
        ),
      ],
    },
    { name: 'uploads', collect: async () => [gauge('upload_sessions', 'Uploads under way.', await blobs.uploads.count())] },
    { name: 'disk', collect: () => diskFamilies(dataDir) },
    { name: 'health', collect: async () => healthFamilies(await health()) },
    { name: 'certificate', collect: () => certificateFamilies(measured) },
  ];
};
