import { basicChallengeOf } from '../identity/scopes.ts';
import type { Refusing, Worded, Wording } from './refusal.ts';

/** The codes of the management API. `/v2` repeats them beside its own, so that one client can read both surfaces. */
export const MANAGEMENT_WORDING: Wording = {
  BLOB_REFERENCED: { status: 409, code: 'CONFLICT' },
  BLOB_UNKNOWN: { status: 404, code: 'NOT_FOUND' },
  CONFLICT: { status: 409, code: 'CONFLICT' },
  DENIED: { status: 403, code: 'FORBIDDEN' },
  DIGEST_INVALID: { status: 400, code: 'INVALID_REQUEST' },
  INTERNAL: { status: 500, code: 'INTERNAL_ERROR' },
  MANIFEST_BLOB_UNKNOWN: { status: 400, code: 'INVALID_REQUEST' },
  MANIFEST_INVALID: { status: 400, code: 'INVALID_REQUEST' },
  MANIFEST_TOO_LARGE: { status: 413, code: 'INVALID_REQUEST' },
  MANIFEST_UNKNOWN: { status: 404, code: 'NOT_FOUND' },
  METHOD_NOT_ALLOWED: { status: 405, code: 'INVALID_REQUEST' },
  MISDIRECTED: { status: 421, code: 'FORBIDDEN' },
  NAME_INVALID: { status: 400, code: 'INVALID_REQUEST' },
  NOT_ACCEPTABLE: { status: 406, code: 'INVALID_REQUEST' },
  NOT_FOUND: { status: 404, code: 'NOT_FOUND' },
  PRECONDITION_FAILED: { status: 412, code: 'CONFLICT' },
  RANGE_INVALID: { status: 416, code: 'INVALID_REQUEST' },
  REPOSITORY_UNKNOWN: { status: 404, code: 'REPOSITORY_NOT_FOUND' },
  REQUEST_INVALID: { status: 400, code: 'INVALID_REQUEST' },
  REQUEST_TOO_LARGE: { status: 413, code: 'INVALID_REQUEST' },
  SIZE_INVALID: { status: 400, code: 'INVALID_REQUEST' },
  STORAGE_FULL: { status: 507, code: 'STORAGE_FULL' },
  TAG_IMMUTABLE: { status: 409, code: 'CONFLICT' },
  TAG_INVALID: { status: 400, code: 'INVALID_REQUEST' },
  TAG_UNKNOWN: { status: 404, code: 'NOT_FOUND' },
  TOO_MANY_REQUESTS: { status: 429, code: 'RATE_LIMITED' },
  TOO_MANY_TAGS: { status: 414, code: 'INVALID_REQUEST' },
  UNAUTHENTICATED: { status: 401, code: 'UNAUTHORIZED' },
  UNAVAILABLE: { status: 503, code: 'UNAVAILABLE' },
  UNSUPPORTED: { status: 405, code: 'INVALID_REQUEST' },
  UPLOAD_INVALID: { status: 400, code: 'INVALID_REQUEST' },
  UPLOAD_UNKNOWN: { status: 404, code: 'NOT_FOUND' },
};

/** As the documented sample names it; the registry protocol says `name`. */
const detailsOf = ({ error, detail }: Worded): Worded['detail'] => {
  if (error.code !== 'REPOSITORY_UNKNOWN') return detail;
  const { name = '', ...others } = detail;
  return { repository: name, ...others };
};

/** `{ code, message, details }`, the value of `error` in the management API's bodies. */
export const managementError = (worded: Worded): Readonly<Record<string, unknown>> => ({
  code: MANAGEMENT_WORDING[worded.error.code].code,
  message: worded.message,
  details: detailsOf(worded),
});

/** How the management API refuses, and what stands in no surface. */
export const MANAGEMENT_REFUSING: Refusing = {
  wording: MANAGEMENT_WORDING,
  body: (refusal) => ({ error: managementError(refusal) }),
};

/** The same where people and their programs log in with a password: who has not is asked for it. */
export const CHALLENGING: Refusing = {
  ...MANAGEMENT_REFUSING,
  headers: ({ error }) =>
    error.code === 'UNAUTHENTICATED' ? { 'www-authenticate': basicChallengeOf('GhostDock Registry') } : {},
};
