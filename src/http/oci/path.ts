/** Of a request by way of a proxy (RFC 9112, section 3.2.2). */
const ORIGIN = /^https?:\/\/[^/?#]*/i;

/**
 * Repository names contain slashes, so what a `/v2/` path asks for is told by its end, from right to left: a repository may itself
 * be called `a/manifests/b` or `tags/list`. Rewrites the path so that the name is one segment, its slashes encoded, and the
 * router's declarative patterns fit. Everything else is left as it is.
 */
export const withNameAsSegment = (target: string): string => {
  const url = target.startsWith('/') ? target : target.replace(ORIGIN, '');
  if (!url.startsWith('/v2/')) return url;
  const query = url.indexOf('?');
  const path = query === -1 ? url : url.slice(0, query);
  const end = nameEnd(path);
  if (end <= 4) return url;
  return `/v2/${path.slice(4, end).replaceAll('/', '%2F')}${path.slice(end)}${query === -1 ? '' : url.slice(query)}`;
};

/** The index of the slash behind the name, or -1. A slash at the very end makes no difference. */
const nameEnd = (url: string): number => {
  const path = url.endsWith('/') ? url.slice(0, -1) : url;
  if (path.endsWith('/tags/list')) return path.length - 10;
  if (path.endsWith('/blobs/uploads')) return path.length - 14;
  const last = path.lastIndexOf('/');
  if (path.endsWith('/manifests', last)) return last - 10;
  if (path.endsWith('/blobs/uploads', last)) return last - 14;
  if (path.endsWith('/blobs', last)) return last - 6;
  if (path.endsWith('/referrers', last)) return last - 10;
  return -1;
};
