import type { ErrorDetail } from '../../errors.ts';
import { managementError } from '../managementErrors.ts';
import type { Refusing, Worded, Wording } from '../refusal.ts';

/** The codes of the OCI distribution spec (*Error codes*); `UNKNOWN` and `UNAVAILABLE` are distribution's for a failing server. */
export const OCI_WORDING: Wording = {
  BLOB_REFERENCED: { status: 405, code: 'UNSUPPORTED' },
  BLOB_UNKNOWN: { status: 404, code: 'BLOB_UNKNOWN' },
  CONFLICT: { status: 409, code: 'DENIED' },
  DENIED: { status: 403, code: 'DENIED' },
  DIGEST_INVALID: { status: 400, code: 'DIGEST_INVALID' },
  INTERNAL: { status: 500, code: 'UNKNOWN' },
  MANIFEST_BLOB_UNKNOWN: { status: 400, code: 'MANIFEST_BLOB_UNKNOWN' },
  MANIFEST_INVALID: { status: 400, code: 'MANIFEST_INVALID' },
  MANIFEST_TOO_LARGE: { status: 413, code: 'MANIFEST_INVALID' },
  MANIFEST_UNKNOWN: { status: 404, code: 'MANIFEST_UNKNOWN' },
  METHOD_NOT_ALLOWED: { status: 405, code: 'UNSUPPORTED' },
  MISDIRECTED: { status: 421, code: 'DENIED' },
  NAME_INVALID: { status: 400, code: 'NAME_INVALID' },
  NOT_ACCEPTABLE: { status: 406, code: 'UNSUPPORTED' },
  NOT_FOUND: { status: 404, code: 'UNSUPPORTED' },
  PRECONDITION_FAILED: { status: 412, code: 'DENIED' },
  RANGE_INVALID: { status: 416, code: 'BLOB_UPLOAD_INVALID' },
  REPOSITORY_UNKNOWN: { status: 404, code: 'NAME_UNKNOWN' },
  REQUEST_INVALID: { status: 400, code: 'UNSUPPORTED' },
  REQUEST_TOO_LARGE: { status: 413, code: 'SIZE_INVALID' },
  SIZE_INVALID: { status: 400, code: 'SIZE_INVALID' },
  STORAGE_FULL: { status: 507, code: 'UNAVAILABLE' },
  TAG_IMMUTABLE: { status: 409, code: 'DENIED' },
  TAG_INVALID: { status: 400, code: 'MANIFEST_INVALID' },
  TAG_UNKNOWN: { status: 404, code: 'MANIFEST_UNKNOWN' },
  TOO_MANY_REQUESTS: { status: 429, code: 'TOOMANYREQUESTS' },
  TOO_MANY_TAGS: { status: 414, code: 'MANIFEST_INVALID' },
  UNAUTHENTICATED: { status: 401, code: 'UNAUTHORIZED' },
  UNAVAILABLE: { status: 503, code: 'UNAVAILABLE' },
  UNSUPPORTED: { status: 405, code: 'UNSUPPORTED' },
  UPLOAD_INVALID: { status: 400, code: 'BLOB_UPLOAD_INVALID' },
  UPLOAD_UNKNOWN: { status: 404, code: 'BLOB_UPLOAD_UNKNOWN' },
};

type OciError = Readonly<{ code: string; message: string; detail: ErrorDetail }>;

/** One error a missing digest, as docker's clients print them. */
const errorsOf = ({ error, code, message, detail }: Worded): readonly OciError[] => {
  const missing = detail.missing;
  if (error.code !== 'MANIFEST_BLOB_UNKNOWN' || !Array.isArray(missing)) return [{ code, message, detail }];
  return missing.map((one: ErrorDetail) => ({ code, message, detail: one }));
};

/** OCI's `errors`, and the management API's `error` beside it. */
const ociBody = (refusal: Worded): Readonly<Record<string, unknown>> => ({
  errors: errorsOf(refusal),
  error: managementError(refusal),
});

export const OCI_REFUSING: Refusing = { wording: OCI_WORDING, body: ociBody };

/** Stands in every answer of `/v2`: by it docker's clients know a registry. */
export const API_VERSION = { 'docker-distribution-api-version': 'registry/2.0' };
