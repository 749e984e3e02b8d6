import { hash } from 'node:crypto';
import type { Recorded } from './event.ts';

/** A value that JSON cannot hold, or that would not come back as it went in: a defect of whoever made it. */
export class NotJson extends Error {
  override readonly name = 'NotJson';
}

// A plain object is one that `JSON.parse` could have made: no Date, Map, class or boxed value, whose JSON is another thing.
const isPlain = (value: object): boolean => {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
};

const inArray = (array: readonly unknown[]): string | undefined => {
  for (let index = 0; index < array.length; index++) {
    const fault = faultIn(array[index]);
    if (fault !== undefined) return `[${index}]${fault}`;
  }
  return undefined;
};

const inObject = (object: Readonly<Record<string, unknown>>): string | undefined => {
  if (!isPlain(object)) return ` is a ${object.constructor?.name ?? 'special object'}, not a plain object`;
  for (const key of Object.keys(object)) {
    const fault = key.isWellFormed() ? faultIn(object[key]) : ' is a key with a lone surrogate';
    if (fault !== undefined) return `.${key.toWellFormed()}${fault}`;
  }
  return undefined;
};

/** Where and why a value is not JSON, e.g. `.references[3].size is NaN`. Allocates nothing while all is well: it is on the path of every append. */
const faultIn = (value: unknown): string | undefined => {
  switch (typeof value) {
    case 'string':
      return value.isWellFormed() ? undefined : ' has a lone surrogate';
    case 'number':
      return Number.isFinite(value) ? undefined : ` is ${value}`;
    case 'boolean':
      return undefined;
    case 'object':
      if (value === null) return undefined;
      return Array.isArray(value) ? inArray(value) : inObject(value as Readonly<Record<string, unknown>>);
    default:
      return ` is ${value === undefined ? 'undefined' : `a ${typeof value}`}`;
  }
};

/** @throws NotJson which names the path, starting at `root` */
export const mustBeJson = (value: unknown, root: string): void => {
  const fault = faultIn(value);
  if (fault !== undefined) throw new NotJson(`${root}${fault}, which JSON cannot hold.`);
};

// ECMAScript's own rules for numbers and strings are those of RFC 8785 (3.2.2); and it compares strings by UTF-16 code units (3.2.3).
const textOf = (value: unknown): string => {
  if (Array.isArray(value)) return `[${value.map(textOf).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const object = value as Readonly<Record<string, unknown>>;
  const members = Object.keys(object)
    .sort((one, other) => (one < other ? -1 : 1))
    .map((key) => `${JSON.stringify(key)}:${textOf(object[key])}`);
  return `{${members.join(',')}}`;
};

/** The one text of a JSON value, by RFC 8785 (JSON Canonicalization Scheme). @throws NotJson */
export const canonicalJson = (value: unknown): string => {
  mustBeJson(value, '$');
  return textOf(value);
};

/**
 * The leaf of an event in the proof: 32 bytes, SHA-256 over the canonical JSON of what was recorded, before any upcasting.
 * Without the position, which changes when a log moves house.
 *
 * @throws NotJson
 */
export const leafOf = ({ id, type, stream, revision, data, metadata }: Recorded): Buffer =>
  hash('sha256', canonicalJson({ id, type, stream, revision, data, metadata }), 'buffer');
