import { closeSync, existsSync, fstatSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs';

export type Journal<T> = Readonly<{
  /** What was added in earlier lives. */
  frames: () => Iterable<T>;
  /** Returns once the operating system has it: it outlives the process, not a power cut. */
  add: (frame: T) => void;
  close: () => void;
}>;

/** An append-only file of JSON lines. A last line that a kill cut short was never acknowledged, and goes. */
export const journal = <T>(path: string): Journal<T> => {
  const before = existsSync(path) ? readFileSync(path) : Buffer.alloc(0);
  const whole = before.lastIndexOf(10) + 1;
  const file = openSync(path, 'a');
  if (fstatSync(file).size > whole) ftruncateSync(file, whole);
  return {
    frames: function* () {
      for (let at = 0; at < whole; ) {
        const end = before.indexOf(10, at);
        yield JSON.parse(before.toString('utf8', at, end)) as T;
        at = end + 1;
      }
    },
    add: (frame) => {
      const line = Buffer.from(`${JSON.stringify(frame)}\n`);
      for (let at = 0; at < line.length; ) at += writeSync(file, line, at);
    },
    close: () => closeSync(file),
  };
};
