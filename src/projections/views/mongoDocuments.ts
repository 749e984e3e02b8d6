import type { Position } from '../../events/event.ts';
import type { Document, Placed } from '../projection.ts';

/** A document as it is stored. One without `d` is a tombstone. */
export type Stored = Readonly<{
  /** Its key. */
  _id: string;
  /** The position of the last event in it. */
  p: Position;
  /** Its value, for queries and mostly for readers too. */
  d?: Document;
  /** The JSON of its value, where `d` cannot say everything that JSON can. */
  t?: string;
  /** When the tombstone was written, in milliseconds since 1970. */
  w?: number;
}>;

/** A document to be written, and about how many bytes it takes. */
export type Sized = Readonly<{ stored: Stored; size: number }>;

// A dot is a path to MongoDB and a dollar an operator; BSON ends a name at NUL.
const NAME = /^[^$.\0][^.\0]*$/;

const isPlain = (value: object): boolean => {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
};

/**
 * About how many bytes a value takes as BSON, or undefined where it would not come back as JSON would bring it back: names that are
 * no names there, half a surrogate pair, -0, and what is no JSON.
 */
const sizeOf = (value: unknown): number | undefined => {
  switch (typeof value) {
    case 'string':
      return value.isWellFormed() ? 3 * value.length + 8 : undefined;
    case 'number':
      return Number.isFinite(value) && !Object.is(value, -0) ? 8 : undefined;
    case 'boolean':
      return 1;
    case 'object':
      return value === null ? 1 : sizeOfObject(value);
    default:
      return undefined;
  }
};

const sizeOfObject = (value: object): number | undefined => {
  const isList = Array.isArray(value);
  if (!isList && !isPlain(value)) return undefined;
  let size = 8;
  for (const [name, part] of Object.entries(value)) {
    const partSize = isList || (NAME.test(name) && name.isWellFormed()) ? sizeOf(part) : undefined;
    if (partSize === undefined) return undefined;
    size += 3 * name.length + 4 + partSize;
  }
  return size;
};

/** What queries can see of a value that BSON cannot hold as it is: every field with a plain name, every text made well-formed. */
const searchable = (value: unknown): unknown => {
  if (typeof value === 'string') return value.toWellFormed();
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(searchable);
  const fields = Object.entries(value).filter(([name]) => NAME.test(name) && name.isWellFormed());
  return Object.fromEntries(fields.map(([name, part]) => [name, searchable(part)]));
};

/** @param at when this is written, in milliseconds since 1970 */
export const storedFrom = ({ key, position, value }: Placed, at: number): Sized => {
  const own = 3 * key.length + position.length + 64;
  if (value === undefined) return { stored: { _id: key, p: position, w: at }, size: own };
  const size = sizeOf(value);
  if (size !== undefined) return { stored: { _id: key, p: position, d: value }, size: own + size };
  const t = JSON.stringify(value);
  return { stored: { _id: key, p: position, d: searchable(JSON.parse(t)) as Document, t }, size: own + 8 * t.length };
};

/** Undefined for a tombstone. */
export const valueIn = <D extends Document>({ d, t }: Pick<Stored, 'd' | 't'>): D | undefined =>
  t === undefined ? (d as D | undefined) : (JSON.parse(t) as D);
