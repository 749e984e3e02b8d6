/** Of a request by way of a proxy (RFC 9112, section 3.2.2). */
const ORIGIN = /^https?:\/\/[^/?#]*/i;

/** What means the same encoded or not (RFC 3986, sections 2.3 and 6.2.2.2): letters, digits, `-`, `.`, `_`, `~`. */
const UNRESERVED = /%(2[de]|3[0-9]|4[1-9a-f]|5[0-9af]|6[1-9a-f]|7[0-9ae])/gi;

const withoutNeedlessEncoding = (path: string): string =>
  path.includes('%') ? path.replace(UNRESERVED, (_encoded, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))) : path;

const MANAGED = '/api/v1/repositories/';
const MONITORED = '/api/registry/repositories/';
const BEFORE_NAMES = ['/v2/', MANAGED, MONITORED];
/** What no name contains, and what a repository's own resources stand behind in the management API. */
const BEHIND_NAME = '/-/';

/** What somebody may mean as the name of a repository, also a wrong one. Nothing of the protocol's own, which begins with `_`. */
const MEANT_AS_NAME = /^[a-z0-9](?:[\w./-]|%2f)*$/i;

/**
 * Repository names contain slashes, so what a `/v2/` path asks for is told by its end, from right to left: a repository may itself
 * be called `a/manifests/b` or `tags/list`; where its end says nothing, it is all name. In `/api/v1/repositories/`, and in the monitoring
 * API's `/api/registry/repositories/`, names end at `/-/`.
 * Rewrites the path so that the name is one segment, its slashes encoded, and the router's declarative patterns fit. Everything else
 * is left as it is.
 * @param prefix what a proxy that strips nothing leaves before the registry's own paths
 */
export const withNameAsSegment = (target: string, prefix = ''): string => {
  const url = withoutPrefix(target.startsWith('/') ? target : target.replace(ORIGIN, ''), prefix);
  const before = BEFORE_NAMES.find((beginning) => url.startsWith(beginning));
  if (before === undefined) return url;
  const query = url.indexOf('?');
  const path = withoutNeedlessEncoding(query === -1 ? url : url.slice(0, query));
  const end = before === '/v2/' ? nameEnd(path) : managedNameEnd(path);
  if (end <= before.length) return url;
  const name = path.slice(before.length, end).replaceAll('/', '%2F');
  return `${before}${name}${path.slice(end)}${query === -1 ? '' : url.slice(query)}`;
};

const managedNameEnd = (path: string): number => {
  const end = path.indexOf(BEHIND_NAME);
  if (end !== -1) return end;
  return path.endsWith('/') ? path.length - 1 : path.length;
};

const withoutPrefix = (url: string, prefix: string): string => {
  if (prefix === '' || !url.startsWith(prefix)) return url;
  const rest = url.slice(prefix.length);
  if (rest.startsWith('/')) return rest;
  return rest === '' || rest.startsWith('?') ? `/${rest}` : url;
};

/** The index of the slash behind the name, the path's length where it is all name, or -1. A slash at the very end makes no difference. */
const nameEnd = (url: string): number => {
  const path = url.endsWith('/') ? url.slice(0, -1) : url;
  const end = resourceAt(path);
  if (end > 4) return end;
  return MEANT_AS_NAME.test(path.slice(4)) ? path.length : -1;
};

/** Where in a path that ends like one of the protocol's resources that end begins. */
const resourceAt = (path: string): number => {
  if (path.endsWith('/tags/list')) return path.length - 10;
  if (path.endsWith('/blobs/uploads')) return path.length - 14;
  const last = path.lastIndexOf('/');
  if (path.endsWith('/manifests', last)) return last - 10;
  if (path.endsWith('/blobs/uploads', last)) return last - 14;
  if (path.endsWith('/blobs', last)) return last - 6;
  if (path.endsWith('/referrers', last)) return last - 10;
  return -1;
};
