import { type FileHandle, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { syncFolder } from '../secrets/privateFiles.ts';
import { refused } from './cannotMove.ts';
import { type Exporting, linesIn } from './exportLog.ts';
import { mayBeTornHeader, parseFooter, parseHeader } from './format.ts';
import { linesOf } from './lines.ts';
import type { Fingerprint } from './moved.ts';
import { checkExport } from './readExport.ts';

const BATCH = 256 * 1024;

type Lines = AsyncGenerator<string, Fingerprint>;

/** Writes lines as they come, many at a time. @returns what their generator returned */
export const writeLines = async (lines: Lines, write: (text: string) => Promise<void>): Promise<Fingerprint> => {
  let batch: string[] = [];
  let length = 0;
  const flush = async (): Promise<void> => {
    const text = batch.join('');
    batch = [];
    length = 0;
    await write(text);
  };
  try {
    for (;;) {
      const next = await lines.next();
      if (next.done === true) return next.value;
      batch.push(next.value);
      length += next.value.length;
      if (length >= BATCH) await flush();
    }
  } finally {
    if (length > 0) await flush(); // also when it was stopped: what is there need not be read again
  }
};

const isExisting = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === 'EEXIST';

const openNew = async (file: string): Promise<FileHandle> => {
  try {
    return await open(file, 'wx', 0o600);
  } catch (error) {
    if (!isExisting(error)) throw error;
    throw refused(`${file} exists already. An export that broke off is gone on with by export --resume ${file}.`);
  }
};

const openToResume = async (file: string): Promise<FileHandle> => {
  const handle = await open(file, 'a+', 0o600);
  await handle.chmod(0o600);
  return handle;
};

const mustAgree = (file: string, number: number, found: string, expected: string, streamPrefix: string): void => {
  if (number === 1) {
    const header = parseHeader(found, file);
    if (header.streamPrefix === streamPrefix) return;
    throw refused(`${file} is the export of streams under "${header.streamPrefix}.", and these are under "${streamPrefix}.".`);
  }
  if (found === expected) return;
  const complete = parseFooter(found);
  if (complete !== undefined)
    throw refused(`${file} is complete with ${complete.events} events, and the log has more by now. Export to another file.`);
  throw refused(`${file} is no export of this log: its line ${number} is another than the log gives. Export to another file.`);
};

/** Takes from `lines` those that the file has already. @returns its length without a line that was torn off */
const passWritten = async (file: string, handle: FileHandle, lines: Lines, streamPrefix: string): Promise<number> => {
  let kept = 0;
  let number = 0;
  for await (const { text, end } of linesOf(file)) {
    number += 1;
    const expected = await lines.next();
    if (expected.done === true) throw refused(`${file} has more lines than the export of this log.`);
    mustAgree(file, number, text, expected.value, streamPrefix);
    kept = end;
  }
  if (kept === 0) await mustBeTorn(file, handle);
  return kept;
};

const mustBeTorn = async (file: string, handle: FileHandle): Promise<void> => {
  const { buffer, bytesRead } = await handle.read({ buffer: Buffer.alloc(64), position: 0 });
  if (!mayBeTornHeader(buffer.subarray(0, bytesRead).toString())) throw refused(`${file} is no export of a registry's log.`);
};

/**
 * Writes the log to a file for its owner alone, and reads it back before it says that it is there. `resume`: goes on with what is in
 * the file, which has to be the beginning of the same export.
 *
 * @throws CannotMove
 */
export const exportFile = async (file: string, resume: boolean, exporting: Exporting): Promise<Fingerprint> => {
  const lines = linesIn(exporting);
  const handle = await (resume ? openToResume(file) : openNew(file));
  try {
    if (resume) await handle.truncate(await passWritten(file, handle, lines, exporting.streamPrefix));
    const written = await writeLines(lines, (text) => handle.appendFile(text));
    await handle.sync();
    syncFolder(dirname(file));
    await checkExport(file, { onProgress: exporting.onProgress, signal: exporting.signal });
    return written;
  } finally {
    await handle.close();
  }
};
