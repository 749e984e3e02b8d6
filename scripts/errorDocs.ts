import { writeFileSync } from 'node:fs';
import type { ErrorCode } from '../src/errors.ts';
import { MANAGEMENT_WORDING } from '../src/http/managementErrors.ts';
import { OCI_WORDING } from '../src/http/oci/errors.ts';

// Writes docs/errors.md from the wordings of the surfaces: `node scripts/errorDocs.ts`. A spec fails while the page is out of date.

export const ERROR_DOCS = new URL('../docs/errors.md', import.meta.url);

type Explained = Readonly<{ means: string; help: string; detail?: string }>;

/** When it happens, what the caller can do, and what stands in `detail`. A new code does not compile until it is explained here. */
export const EXPLAINED: Readonly<Record<ErrorCode, Explained>> = {
  BLOB_REFERENCED: {
    means: 'A blob is to be deleted that a manifest of the repository still needs.',
    help: 'Delete the manifests that name it first.',
    detail: '`digest`',
  },
  BLOB_UNKNOWN: {
    means: 'The repository does not have this blob. Others may: a blob is visible where it was pushed or mounted.',
    help: 'Push it here, or mount it from a repository that has it.',
    detail: '`digest`',
  },
  CONFLICT: {
    means:
      'What is to be made exists already, or did once, such as a username; or the change would leave nobody who can administer the registry; ' +
      'or there are as many access tokens as a user may have.',
    help: 'Take another name; make another administrator first; revoke tokens.',
    detail: '`field`, or `most`',
  },
  DENIED: {
    means: 'The caller is known and may not do this here. The answer is the same whether the repository exists or not.',
    help: 'Ask whoever owns the namespace, or an administrator.',
    detail: '`scope`: what would have been needed',
  },
  DIGEST_INVALID: {
    means:
      'A digest is neither `sha256:` nor `sha512:` with that many lower-case hex digits, or what was sent does not hash to it.',
    help: 'Compute it over the very bytes that are sent. A refused upload goes on where it was before the request.',
    detail: '`digest`, `computed` or `actual`',
  },
  INTERNAL: {
    means: 'The registry failed. Nothing of what went wrong is shown.',
    help: 'Its log has the cause, under the request id.',
    detail: '`requestId`',
  },
  MANIFEST_BLOB_UNKNOWN: {
    means: 'A manifest names content that the repository does not have. `/v2` lists one error for each missing digest.',
    help: 'Push the blobs and the child manifests first, the manifest last.',
    detail: '`digest` and `role` (`config`, `layer`, `manifest`)',
  },
  MANIFEST_INVALID: {
    means: 'What was sent is no manifest of its type; the message says where and why.',
    help: 'Mend it, or send the `Content-Type` that it has.',
    detail: '`at`: the field',
  },
  MANIFEST_TOO_LARGE: {
    means: 'A manifest has more bytes than `GHOSTDOCK_LARGEST_MANIFEST`.',
    help: 'Put what is large into a blob.',
    detail: '`largest`, in bytes',
  },
  MANIFEST_UNKNOWN: {
    means: 'The repository has no such manifest, nor a tag of this name.',
    help: 'List the tags.',
    detail: '`reference` or `digest`',
  },
  METHOD_NOT_ALLOWED: {
    means: 'The path exists and does not take this method.',
    help: 'The `Allow` header says what it takes.',
    detail: '`method`',
  },
  MISDIRECTED: {
    means:
      'The registry has no authentication, and was asked for by a name that it does not know as its own: that may be a page in a browser that means to use it.',
    help: 'Use `localhost` or the public URL, or name the name in `GHOSTDOCK_ALLOWED_HOSTS`.',
    detail: '`host`',
  },
  NAME_INVALID: {
    means: 'No repository can be called so.',
    help: 'At most 255 lower-case letters and digits, joined by `.`, `_`, `__` or `-`, in parts joined by `/`.',
    detail: '`name`',
  },
  NOT_ACCEPTABLE: {
    means: 'The path answers with a type that the request does not accept: a stream of events is `text/event-stream`.',
    help: 'Send `Accept: text/event-stream`, or none.',
    detail: '`accept`: what it answers with',
  },
  NOT_FOUND: { means: 'There is nothing under this path, or no such user.', help: 'Look at the path.', detail: '`path`' },
  PRECONDITION_FAILED: {
    means:
      'A push was to happen only while the tag points at a certain manifest (`If-Match`), or at none (`If-None-Match: *`), and it does not.',
    help: 'Read the tag again, and decide anew.',
    detail: '`tag`, and `digest`: where it points now, or null',
  },
  RANGE_INVALID: {
    means: 'A download asks for bytes beyond the blob, or a chunk does not begin where its upload ends.',
    help: 'Go on from where the `Content-Range` or `Range` header of the answer says.',
    detail: '`size`, in bytes',
  },
  REPOSITORY_UNKNOWN: {
    means: 'There is no such repository. The first push makes one.',
    help: 'Look at the name, and at whether it needs a user or organisation before it.',
    detail: '`name`',
  },
  REQUEST_INVALID: {
    means: 'A parameter, a body or the path itself is not what it must be; the message says which.',
    help: 'Mend the request.',
    detail: '`field`, `n` or `path`',
  },
  REQUEST_TOO_LARGE: {
    means: 'A blob has more bytes than `GHOSTDOCK_LARGEST_BLOB`, or a body more than its kind may have.',
    help: 'Send less, or raise the limit. A refused chunk leaves its upload as it was.',
    detail: '`largest`, in bytes',
  },
  SIZE_INVALID: {
    means: 'Another number of bytes came than was announced.',
    help: 'Send what `Content-Length` and `Content-Range` say. Nothing of the chunk was kept.',
    detail: '`length`, or `contentLength` and `contentRange`',
  },
  STORAGE_FULL: {
    means: 'The volume of the registry has no room left. Nothing was stored in part.',
    help: 'Make room, then push again.',
  },
  TAG_IMMUTABLE: {
    means:
      'A tag exists and a rule of its repository keeps it where it is: it can be neither moved nor deleted, nor can the manifest that it points at, what an index under it lists, or the repository as long as it has rules.',
    help: 'Push under another tag. Who administers the repository may change its rules.',
    detail: '`tag` and `rule`, or `rules` of the repository',
  },
  TAG_INVALID: {
    means: 'No tag can be called so.',
    help: '1 to 128 letters, digits, `_`, `.` or `-`, beginning with a letter, a digit or `_`.',
    detail: '`tag`',
  },
  TAG_UNKNOWN: { means: 'A tag is to be deleted that does not exist (any more).', help: 'List the tags.', detail: '`tag`' },
  TOO_MANY_REQUESTS: {
    means:
      'The caller has sent too many requests, pulled too many manifests, or there were too many failed logins. See docs/limits.md.',
    help: 'Wait as many seconds as `Retry-After` says.',
    detail: '`retryAfter`, in seconds, and `limit`',
  },
  TOO_MANY_TAGS: {
    means: 'One push sets more tags than are allowed.',
    help: 'Set the rest in another.',
    detail: '`tags`, `most`',
  },
  UNAUTHENTICATED: {
    means:
      'There are no credentials, or they are not valid, or the token was issued for something else. The message does not tell ' +
      'which part of wrong credentials is wrong.',
    help: 'Log in; the `WWW-Authenticate` header says where, and what to ask for.',
    detail: '`scope`: what is needed',
  },
  UNAVAILABLE: {
    means: 'The registry cannot do this now: it is starting or stopping, its log or views are behind, or too many logins wait.',
    help: 'Try again after `Retry-After` seconds. What is repeated is done once.',
  },
  UNSUPPORTED: { means: 'This registry does not delete (`GHOSTDOCK_DELETES`).', help: 'Ask its operator.' },
  UPLOAD_INVALID: {
    means: 'The `Content-Range` of a chunk is none.',
    help: 'Write it as `<first byte>-<last byte>`.',
    detail: '`contentRange`',
  },
  UPLOAD_UNKNOWN: {
    means: 'There is no such upload: it is finished, cancelled or expired, or it belongs to another repository or user.',
    help: 'Begin a new one.',
    detail: '`id`; `meanwhile` where it ended while the request was under way',
  },
};

const INTRODUCTION = `# The errors

This page is generated by \`node scripts/errorDocs.ts\` from the words of each surface in \`src/http/\`; change it there.

Inside there is one code for every way in which a request is refused. A surface words it for its clients:

- \`/v2\` as the OCI distribution specification has it, with the management API's error beside it:
  \`{"errors":[{"code","message","detail"}],"error":{"code","message","details"}}\`
- \`/api/v1\`, \`/auth\`, \`/health\` and every path that there is not: \`{"error":{"code","message","details"}}\`
- whatever else stands below \`/api\`, the [monitoring API](monitoring.md), in the words of the status: \`{"error","message"}\`

The message is for people and may change; program against the status and the code. \`detail\` (\`details\`) is always an object. A
refusal to \`HEAD\` has no body. What is no HTTP request at all is refused with 400, 408 or 431 in both forms.
`;

const codes = Object.keys(EXPLAINED) as ErrorCode[];

const worded = ({ status, code }: Readonly<{ status: number; code: string }>): string => `${status} \`${code}\``;

const rows = codes.map((code) => {
  const { means } = EXPLAINED[code];
  return `| [${code}](#${code.toLowerCase()}) | ${worded(OCI_WORDING[code])} | ${worded(MANAGEMENT_WORDING[code])} | ${means} |`;
});

const chapter = (code: ErrorCode): string => {
  const { means, help, detail } = EXPLAINED[code];
  return [`## ${code}`, means, `**What to do.** ${help}`, ...(detail === undefined ? [] : [`**Detail.** ${detail}.`])].join(
    '\n\n',
  );
};

/** The whole page. */
export const docsOfErrors = (): string => {
  const table = ['| inside | `/v2` | management API | when |', '| --- | --- | --- | --- |', ...rows].join('\n');
  return `${[INTRODUCTION.trimEnd(), table, ...codes.map(chapter)].join('\n\n')}\n`;
};

if (import.meta.main) writeFileSync(ERROR_DOCS, docsOfErrors());
