/** Every way in which a request is refused, in the registry's own words. Each surface words them for its clients. */
export type ErrorCode =
  | 'BLOB_REFERENCED'
  | 'BLOB_UNKNOWN'
  | 'CONFLICT'
  | 'DENIED'
  | 'DIGEST_INVALID'
  | 'INTERNAL'
  | 'MANIFEST_BLOB_UNKNOWN'
  | 'MANIFEST_INVALID'
  | 'MANIFEST_TOO_LARGE'
  | 'MANIFEST_UNKNOWN'
  | 'METHOD_NOT_ALLOWED'
  | 'MISDIRECTED'
  | 'NAME_INVALID'
  | 'NOT_ACCEPTABLE'
  | 'NOT_FOUND'
  | 'PRECONDITION_FAILED'
  | 'RANGE_INVALID'
  | 'REPOSITORY_UNKNOWN'
  | 'REQUEST_INVALID'
  | 'REQUEST_TOO_LARGE'
  | 'SIZE_INVALID'
  | 'STORAGE_FULL'
  | 'TAG_IMMUTABLE'
  | 'TAG_INVALID'
  | 'TAG_UNKNOWN'
  | 'TOO_MANY_REQUESTS'
  | 'TOO_MANY_TAGS'
  | 'UNAUTHENTICATED'
  | 'UNAVAILABLE'
  | 'UNSUPPORTED'
  | 'UPLOAD_INVALID'
  | 'UPLOAD_UNKNOWN';

export type ErrorDetail = Readonly<Record<string, unknown>>;

/** A request refused, or a failure with a name. Holds no HTTP status: that is the surface's business. */
export class RegistryError extends Error {
  override readonly name = 'RegistryError';
  readonly code: ErrorCode;
  /** What a client may know about the refusal: names, digests, limits. Never a secret, a path or a stack. */
  readonly detail: ErrorDetail;

  constructor(code: ErrorCode, message: string, detail: ErrorDetail = {}, options: { cause?: unknown } = {}) {
    super(message, options);
    this.code = code;
    this.detail = detail;
  }
}

export const isRefusal = (error: unknown, code: ErrorCode): error is RegistryError =>
  error instanceof RegistryError && error.code === code;
