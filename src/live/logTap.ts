import { type Feed, feedOf } from './feed.ts';

/** A line of the log, as the stream of it tells it. */
export type LogRecord = Readonly<{
  /** Epoch milliseconds. */
  timestamp: number;
  level: 'INFO' | 'WARN' | 'ERROR';
  message: string;
  logger: string;
  thread: string;
  /** What the line says besides: the fault, the request. */
  details?: Readonly<Record<string, unknown>>;
}>;

type Destination = Readonly<{ write: (line: string) => unknown }>;

export type LogTap = Feed<LogRecord> &
  Readonly<{
    /** What a logger writes to in place of `destination`: that gets each line as it is, and watchers what they may see of it. */
    into: (destination: Destination) => Destination;
  }>;

/** Everything that is logged is logged on this one. */
export const MAIN_THREAD = 'main';
const LOGGER = 'ghostdock';
const INFO = 30;
const WARN = 40;
const ERROR = 50;

const levelOf = (level: number): LogRecord['level'] => (level >= ERROR ? 'ERROR' : level >= WARN ? 'WARN' : 'INFO');

/** Of a line as pino writes it, undefined of what is below INFO. It knows no more than the log does: what is left out there is not here. */
const recordOf = (line: string): LogRecord | undefined => {
  let parsed: Record<string, unknown>;
  try {
    parsed = JSON.parse(line);
  } catch {
    return undefined;
  }
  const { level, time, msg, name, pid: _pid, hostname: _host, ...details } = parsed;
  if (typeof level !== 'number' || level < INFO) return undefined;
  return {
    timestamp: Number(time),
    level: levelOf(level),
    message: String(msg ?? ''),
    logger: String(name ?? LOGGER),
    thread: MAIN_THREAD,
    ...(Object.keys(details).length > 0 && { details }),
  };
};

/** Shows the log while it is written. Without watchers it is a comparison a line. */
export const logTap = (): LogTap => {
  let told: ((record: LogRecord) => void) | undefined;
  const feed = feedOf<LogRecord>((tell) => {
    told = tell;
    return () => {
      told = undefined;
    };
  });
  return {
    ...feed,
    into: (destination) => ({
      write: (line) => {
        destination.write(line);
        if (told === undefined) return;
        const record = recordOf(line);
        if (record !== undefined) told(record);
      },
    }),
  };
};
