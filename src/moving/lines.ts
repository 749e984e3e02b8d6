import { createReadStream } from 'node:fs';
import { refused } from './cannotMove.ts';

/** A line with its line feed, and where the next one begins, in bytes. */
export type Line = Readonly<{ text: string; end: number }>;

// The largest event has half a mebibyte of data, and the largest append 1,000,000 bytes.
const LONGEST = 4 * 1024 * 1024;
const LINE_FEED = 10;

/**
 * The whole lines of a file, one by one. What comes after the last line feed was torn off while it was written, and is not given.
 * @throws CannotMove at a line longer than any export has
 */
export async function* linesOf(file: string): AsyncGenerator<Line> {
  let begun: readonly Buffer[] = [];
  let length = 0;
  let end = 0;
  for await (const chunk of createReadStream(file, { highWaterMark: 256 * 1024 })) {
    const bytes = chunk as Buffer;
    let at = 0;
    for (let feed = bytes.indexOf(LINE_FEED); feed !== -1; feed = bytes.indexOf(LINE_FEED, at)) {
      const last = bytes.subarray(at, feed + 1);
      const line = begun.length === 0 ? last : Buffer.concat([...begun, last]);
      at = feed + 1;
      end += line.length;
      begun = [];
      length = 0;
      yield { text: line.toString(), end };
    }
    const rest = bytes.subarray(at);
    length += rest.length;
    if (length > LONGEST) throw refused(`${file} has a line of more than ${LONGEST} bytes: it is no export.`);
    if (rest.length > 0) begun = [...begun, rest];
  }
}
