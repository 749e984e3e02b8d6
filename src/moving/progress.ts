/** How far something is. `of`: how many there are, where that is known. */
export type Progress = Readonly<{
  doing: string;
  done: number;
  of?: number | undefined;
  /** What is counted; `events` when absent. */
  unit?: string;
  finished?: boolean;
}>;

export type OnProgress = (progress: Progress) => void;

/** Told after so many events: often enough for a reader, seldom enough to cost nothing. */
export const PROGRESS_EVERY = 100;

export type ProgressOptions = Readonly<{
  write: (text: string) => void;
  /** A terminal has one line that is written over; anything else a line now and then. */
  isTerminal: boolean;
  /** Milliseconds, from any moment on. */
  now?: () => number;
}>;

const EVERY_MS = { terminal: 1000, other: 5000 };

const ERASE_LINE = '\r\x1b[2K';

const grouped = (count: number): string => count.toLocaleString('en-US');

const amount = (done: number, of: number | undefined, unit: string): string =>
  of === undefined || of === 0
    ? `${grouped(done)} ${unit}`
    : `${grouped(done)} of ${grouped(of)} ${unit} (${Math.floor((100 * Math.min(done, of)) / of)} %)`;

const speed = (count: number, ms: number): string => (ms < 1 ? '' : `, ${grouped(Math.round((1000 * count) / ms))}/s`);

/** Tells a person how far things are: once a second on a terminal, every few seconds elsewhere, and the end of each step. */
export const tellProgress = ({ write, isTerminal, now = () => performance.now() }: ProgressOptions): OnProgress => {
  const every = isTerminal ? EVERY_MS.terminal : EVERY_MS.other;
  let step: Readonly<{ doing: string; startedAt: number; from: number }> | undefined;
  let toldAt = 0;

  return (progress) => {
    if (step?.doing !== progress.doing) {
      step = { doing: progress.doing, startedAt: now(), from: progress.finished === true ? 0 : progress.done };
      toldAt = step.startedAt;
    }
    if (progress.finished !== true && now() - toldAt < every) return;
    toldAt = now();
    const { doing, done, of, unit = 'events' } = progress;
    const text = `${doing}: ${amount(done, of, unit)}${speed(done - step.from, toldAt - step.startedAt)}`;
    const end = !isTerminal || progress.finished === true ? '\n' : '';
    write(`${isTerminal ? ERASE_LINE : ''}${text}${end}`);
    if (progress.finished === true) step = undefined;
  };
};
