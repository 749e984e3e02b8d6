import { RegistryError } from '../../errors.ts';

export type Span = Readonly<{ start: number; end: number }>;

/**
 * The one range of a `Range` header (RFC 9110, section 14). Several ranges, other units and malformed ones are ignored: undefined.
 * One that ends before it begins may be ignored or refused (section 14.2): OCI's conformance suite wants it refused.
 * So is any range of an empty blob: clients that ask for `bytes=0-` of everything are to get its no bytes.
 * @returns 'unsatisfiable' when the range lies outside of the `size` bytes, or backwards
 */
export const rangeOf = (header: string | undefined, size: number): Span | 'unsatisfiable' | undefined => {
  const match = /^bytes=(\d*)-(\d*)$/i.exec(header?.trim() ?? '');
  if (match === null || size === 0) return undefined;
  const [, from = '', to = ''] = match;
  if (from === '' && to === '') return undefined;
  if (from === '') return Number(to) === 0 ? 'unsatisfiable' : { start: Math.max(0, size - Number(to)), end: size - 1 };
  const start = Number(from);
  const end = to === '' ? size - 1 : Number(to);
  return start >= size || (to !== '' && end < start) ? 'unsatisfiable' : { start, end: Math.min(end, size - 1) };
};

/** `Content-Range` of a chunk: `a-b` as OCI has it, or with HTTP's `bytes ` and `/total`. @throws RegistryError `UPLOAD_INVALID` */
export const chunkRange = (header: string | undefined): Span | undefined => {
  if (header === undefined) return undefined;
  const match = /^(?:bytes[ =])?(\d{1,15})-(\d{1,15})(?:\/(?:\d+|\*))?$/.exec(header.trim());
  const start = Number(match?.[1]);
  const end = Number(match?.[2]);
  if (match === null || end < start) {
    throw new RegistryError('UPLOAD_INVALID', 'Content-Range must be <first byte>-<last byte>.', {
      contentRange: header.slice(0, 100),
    });
  }
  return { start, end };
};

/**
 * The digests that an `If-Match` or `If-None-Match` header names, or any (RFC 9110, section 13.1). A weak one never matches strongly.
 * @param weakly whether weak ones count
 */
export const etagsIn = (header: string | undefined, weakly: boolean): readonly string[] | '*' | undefined => {
  if (header === undefined) return undefined;
  if (header.trim() === '*') return '*';
  const etags = header.split(',').map((etag) => etag.trim());
  return etags.map((etag) => /^"(.*)"$/.exec(weakly ? etag.replace(/^W\//, '') : etag)?.[1] ?? '');
};

/** Whether an `If-None-Match` header names `etag` (RFC 9110, section 13.1.2: weak comparison). */
export const matchesEtag = (header: string | undefined, etag: string): boolean => {
  if (header === undefined) return false;
  if (header.trim() === '*') return true;
  return header.split(',').some((candidate) => candidate.trim().replace(/^W\//, '') === etag);
};
