import { RegistryError } from '../../errors.ts';
import { LARGEST_PAGE } from '../../projections/views/views.ts';

export type PageQuery = Readonly<{ n?: string | readonly string[]; last?: string | readonly string[] }>;

/** Of a parameter that was given more than once, the last. */
export const lastOf = (value: string | readonly string[] | undefined): string | undefined =>
  typeof value === 'string' ? value : value?.at(-1);

/** `n` and `last` of a list. Without `n`, or above it, a page has LARGEST_PAGE entries. @throws RegistryError `REQUEST_INVALID` */
export const pageOf = ({ n, last }: PageQuery): Readonly<{ limit: number; last: string | undefined }> => {
  const wanted = lastOf(n);
  if (wanted === undefined) return { limit: LARGEST_PAGE, last: lastOf(last) };
  if (!/^\d{1,15}$/.test(wanted))
    throw new RegistryError('REQUEST_INVALID', 'n must be a whole number, 0 or more.', { n: wanted.slice(0, 40) });
  return { limit: Math.min(Number(wanted), LARGEST_PAGE), last: lastOf(last) };
};

/** The `Link` to the page behind `last` (RFC 8288). */
export const nextPage = (path: string, limit: number, last: string): string =>
  `<${path}?n=${limit}&last=${encodeURIComponent(last)}>; rel="next"`;
