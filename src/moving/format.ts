import type { Catalogue } from '../events/catalogue.ts';
import type { Metadata } from '../events/event.ts';
import { refused } from './cannotMove.ts';
import { type Fingerprint, lineOf, type Moved } from './moved.ts';

/** The first line of an export. */
export type Header = Readonly<{ format: string; version: number; release: string; streamPrefix: string }>;

/** Raise it with every change of the lines; a release refuses a file of a newer one. */
const VERSION = 1;
const FORMAT = 'ghostdock-log';
const BEGINNING = `{"format":"${FORMAT}",`;

const asRecord = (value: unknown): Readonly<Record<string, unknown>> | undefined =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined;

const parsed = (line: string): Readonly<Record<string, unknown>> | undefined => {
  try {
    return asRecord(JSON.parse(line));
  } catch {
    return undefined;
  }
};

export const headerLine = (release: string, streamPrefix: string): string =>
  `${JSON.stringify({ format: FORMAT, version: VERSION, release, streamPrefix } satisfies Header)}\n`;

/** The last line: how many events, and the SHA-256 of their lines with the line feeds. */
export const footerLine = ({ events, sha256 }: Fingerprint): string => `${JSON.stringify({ events, sha256 })}\n`;

/** Whether a text may be a first line that was torn off while it was written. */
export const mayBeTornHeader = (text: string): boolean => text.startsWith(BEGINNING) || BEGINNING.startsWith(text);

/** @throws CannotMove when it is none, or that of a newer release */
export const parseHeader = (line: string, file: string): Header => {
  const header = parsed(line);
  if (header?.format !== FORMAT || typeof header.version !== 'number' || typeof header.streamPrefix !== 'string')
    throw refused(`${file} is no export of a registry's log.`);
  if (header.version > VERSION)
    throw refused(`${file} was written by the newer release ${String(header.release)}. Run at least that release here.`);
  return header as Header;
};

/** Undefined for a line that is no last line. */
export const parseFooter = (line: string): Fingerprint | undefined => {
  const footer = parsed(line);
  const { events, sha256 } = footer ?? {};
  if (footer === undefined || Object.keys(footer).length !== 2) return undefined;
  return typeof events === 'number' && typeof sha256 === 'string' ? { events, sha256 } : undefined;
};

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

const isMetadata = (value: unknown): value is Metadata => {
  const metadata = asRecord(value);
  const version = metadata?.version;
  return typeof metadata?.at === 'string' && typeof version === 'number' && Number.isInteger(version) && version >= 1;
};

const isMoved = (value: Readonly<Record<string, unknown>>): value is Moved => {
  const { id, type, stream, revision, data, metadata } = value;
  const named = typeof id === 'string' && UUID.test(id) && typeof type === 'string' && typeof stream === 'string';
  const placed = Number.isSafeInteger(revision) && (revision as number) >= 0;
  return named && placed && asRecord(data) !== undefined && isMetadata(metadata);
};

/** What is wrong with an event by its type, or undefined. Older versions have no schema any more: their steps upwards will tell. */
const faultIn = (event: Moved, catalogue: Catalogue): string | undefined => {
  const definition = catalogue.definitionOf(event.type);
  const { version } = event.metadata;
  if (definition === undefined || version > definition.version)
    return `${event.type} version ${version} was written by a newer release. Run at least that release here`;
  if (version < definition.version) return undefined;
  try {
    catalogue.check(event);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
};

/** An event of this release or an older one, written as this registry writes it. @throws CannotMove which names the line */
export const parseEvent = (line: string, where: string, catalogue: Catalogue): Moved => {
  const event = parsed(line);
  if (event === undefined || !isMoved(event)) throw refused(`${where} holds no event.`);
  const fault = faultIn(event, catalogue);
  if (fault !== undefined) throw refused(`${where} cannot be taken: ${fault.replace(/\.$/, '')}.`);
  // This also finds fields that no event has.
  if (lineOf(event) !== line) throw refused(`${where} was altered: it is not written as an export writes it.`);
  return event;
};
