import { stat } from 'node:fs/promises';
import type { Catalogue } from '../events/catalogue.ts';
import { goOn, refused } from './cannotMove.ts';
import { type Header, parseEvent, parseFooter, parseHeader } from './format.ts';
import { linesOf } from './lines.ts';
import { type Fingerprint, fingerprinting, type Moved, mustBeUnder } from './moved.ts';
import { type OnProgress, PROGRESS_EVERY } from './progress.ts';

type Ends = Readonly<{ header: Header; footer: Fingerprint }>;

const brokenOff = (file: string): Error =>
  refused(`${file} broke off before its end. Go on with the export (export --resume ${file}) and import it then.`);

/** The lines of the events, between the first and the last line, which it returns. @throws CannotMove where one of those is missing */
async function* bodyOf(file: string): AsyncGenerator<string, Ends> {
  let header: Header | undefined;
  let held: string | undefined;
  let read = 0;
  for await (const { text, end } of linesOf(file)) {
    if (header === undefined) header = parseHeader(text, file);
    else if (held !== undefined) yield held;
    if (read > 0) held = text;
    read = end;
  }
  if (header === undefined) throw refused(`${file} is no export of a registry's log.`);
  const footer = held === undefined ? undefined : parseFooter(held);
  if (footer === undefined || (await stat(file)).size !== read) throw brokenOff(file);
  return { header, footer };
}

export type Reading = Readonly<{
  /** Looks at each line of an event, the first of which has the number 2 in the file. */
  look?: (line: string, number: number) => void;
  onProgress?: OnProgress | undefined;
  signal?: AbortSignal | undefined;
}>;

/** Reads a whole export and compares its lines with what the last one says. @throws CannotMove */
export const checkExport = async (file: string, reading: Reading = {}): Promise<Ends> => {
  const { look = () => undefined, onProgress = () => undefined, signal } = reading;
  const body = bodyOf(file);
  const found = fingerprinting();
  for (;;) {
    const next = await body.next();
    if (next.done === true) {
      onProgress({ doing: 'Checking the file', done: found.events(), of: found.events(), finished: true });
      return sound(file, next.value, found.result());
    }
    goOn(signal, `the first ${found.events()} events of the file were checked`);
    found.add(next.value);
    look(next.value, found.events() + 1);
    if (found.events() % PROGRESS_EVERY === 0) onProgress({ doing: 'Checking the file', done: found.events() });
  }
};

const sound = (file: string, ends: Ends, found: Fingerprint): Ends => {
  const { events, sha256 } = ends.footer;
  if (found.events !== events)
    throw refused(`${file} was altered: it has ${found.events} events, and says that they are ${events}.`);
  if (found.sha256 !== sha256)
    throw refused(`${file} was altered: the SHA-256 of its events is ${found.sha256}, and it says that it is ${sha256}.`);
  return ends;
};

/** @throws CannotMove at an event that does not follow the one before it in its stream */
const inOrder = (): ((event: Moved, where: string) => void) => {
  const next = new Map<string, number>();
  return ({ stream, revision }, where) => {
    const expected = next.get(stream) ?? 0;
    if (revision !== expected)
      throw refused(`${where} is out of order: revision ${revision} of ${stream} where ${expected} comes next.`);
    next.set(stream, revision + 1);
  };
};

export type ImportOptions = Omit<Reading, 'look'> & Readonly<{ streamPrefix: string; catalogue: Catalogue }>;

export type Importable = Ends & Readonly<{ events: () => AsyncIterable<Moved> }>;

/**
 * An export whose every line was looked at: whole, unaltered, in order, of this registry's prefix, and known to this release.
 * @throws CannotMove
 */
export const readExport = async (file: string, options: ImportOptions): Promise<Importable> => {
  const { streamPrefix, catalogue } = options;
  const mustFollow = inOrder();
  const look = (line: string, number: number): void => {
    const where = `Line ${number} of ${file}`;
    const event = parseEvent(line, where, catalogue);
    mustBeUnder(streamPrefix, event);
    mustFollow(event, where);
  };
  const ends = await checkExport(file, { ...options, look });
  async function* events(): AsyncGenerator<Moved> {
    let number = 1;
    for await (const line of bodyOf(file)) {
      number += 1;
      yield parseEvent(line, `Line ${number} of ${file}`, catalogue);
    }
  }
  return { ...ends, events };
};
