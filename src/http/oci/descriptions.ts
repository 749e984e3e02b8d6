import type { RouteDescription } from '../routeDescription.ts';

// What the routes of `/v2` say of themselves. Their handlers read requests as streams and check them in the protocol's own words.

const tags = ['Registry'] as const;
const TEXT = { type: 'string' } as const;
const COUNT = { type: 'integer', minimum: 0 } as const;
const BYTES = { 'application/octet-stream': { schema: { type: 'string', format: 'binary' } } } as const;

const DIGEST = { type: 'string', description: '`sha256:` or `sha512:` and the hash in lower-case hex.' } as const;
const NAME = { type: 'string', description: 'The name of the repository.', example: 'team/app' } as const;
const NAMED = { type: 'object', properties: { name: NAME } } as const;
const OF_REFERENCE = {
  type: 'object',
  properties: { name: NAME, reference: { type: 'string', description: 'A tag or a digest.', example: 'latest' } },
} as const;
const OF_DIGEST = { type: 'object', properties: { name: NAME, digest: DIGEST } } as const;
const OF_UPLOAD = {
  type: 'object',
  properties: { name: NAME, upload: { type: 'string', description: 'The session. Follow `Location`, and make no path of it.' } },
} as const;

const query = (properties: object): object => ({ type: 'object', properties });
const PAGE = {
  n: { ...COUNT, description: 'Items a page; none for 0.' },
  last: { type: 'string', description: 'What the last page ended with.' },
} as const;

const answered = (description: string, headers: object = {}): object => ({ type: 'null', description, headers });
const LINK = { Link: { type: 'string', description: 'The next page, where there is one.' } } as const;
const LOCATION = { Location: { type: 'string', description: 'Relative to this registry.' } } as const;
const CONTENT_DIGEST = { 'Docker-Content-Digest': DIGEST } as const;
const PUSHED = { ...LOCATION, ...CONTENT_DIGEST } as const;
const SESSION = {
  ...LOCATION,
  Range: { type: 'string', description: 'What is kept: `0-<last byte>`, and `0-0` of nothing.' },
  'Docker-Upload-UUID': TEXT,
} as const;
const ANY_JSON = { type: 'object', additionalProperties: true } as const;

export const VERSION: RouteDescription = {
  summary: 'Says that this is a registry, and which one.',
  tags,
  response: {
    200: {
      type: 'object',
      description: 'What it is called, its version, and what it can do besides.',
      properties: {
        registry: { ...TEXT, example: 'GhostDock Registry' },
        version: { ...TEXT, example: '1.0.0' },
        features: { type: 'array', items: TEXT, example: ['oauth'] },
      },
      required: ['registry', 'version', 'features'],
      additionalProperties: false,
    },
  },
};

export const CATALOG: RouteDescription = {
  summary: 'Lists the names of the repositories that you may read.',
  tags,
  querystring: query(PAGE),
  response: {
    200: {
      type: 'object',
      description: 'In byte order.',
      properties: { repositories: { type: 'array', items: TEXT, example: ['library/nginx', 'myapp/frontend'] } },
      required: ['repositories'],
      additionalProperties: false,
      headers: LINK,
    },
  },
};

export const TAGS: RouteDescription = {
  summary: 'Lists the tags of a repository.',
  tags,
  params: NAMED,
  querystring: query(PAGE),
  response: {
    200: {
      type: 'object',
      description: 'In byte order.',
      properties: {
        name: { ...TEXT, example: 'myapp/frontend' },
        tags: { type: 'array', items: TEXT, example: ['latest', 'v1.0.0'] },
      },
      required: ['name', 'tags'],
      additionalProperties: false,
      headers: LINK,
    },
  },
};

export const GET_MANIFEST: RouteDescription = {
  summary: 'Gets a manifest, byte for byte as it was pushed.',
  description: 'The answer has the media type that was pushed, whatever `Accept` says.',
  head: 'Tells whether a manifest is there, and its digest.',
  tags,
  params: OF_REFERENCE,
  response: {
    200: { description: 'The manifest.', content: { '*/*': { schema: ANY_JSON } }, headers: CONTENT_DIGEST },
    304: answered('It is the one that `If-None-Match` names.', CONTENT_DIGEST),
  },
};

export const PUT_MANIFEST: RouteDescription = {
  summary: 'Pushes a manifest under a tag or its digest, which makes the repository where there is none.',
  description: '`If-Match` and `If-None-Match: *` move a tag on a condition only.',
  tags,
  params: OF_REFERENCE,
  querystring: query({ tag: { type: 'array', items: TEXT, description: 'Tags that are set besides, at most 100.' } }),
  body: { content: { '*/*': { schema: ANY_JSON } } },
  response: { 201: answered('It is stored.', PUSHED) },
};

export const DELETE_MANIFEST: RouteDescription = {
  summary: 'Deletes a tag alone, or a manifest with all its tags.',
  tags,
  params: OF_REFERENCE,
  response: { 202: answered('It is gone.') },
};

export const GET_BLOB: RouteDescription = {
  summary: 'Gets a blob, or the part of it that `Range` names.',
  head: 'Tells whether a blob is there, and its size.',
  tags,
  params: OF_DIGEST,
  response: {
    200: { description: 'The bytes.', content: BYTES, headers: CONTENT_DIGEST },
    206: { description: 'The part.', content: BYTES, headers: CONTENT_DIGEST },
    304: answered('It is the one that `If-None-Match` names.', CONTENT_DIGEST),
  },
};

export const DELETE_BLOB: RouteDescription = {
  summary: 'Takes a blob out of a repository, where no manifest needs it.',
  tags,
  params: OF_DIGEST,
  response: { 202: answered('It is gone.') },
};

export const BEGIN_UPLOAD: RouteDescription = {
  summary: 'Begins the upload of a blob, takes it whole, or mounts it from another repository.',
  tags,
  params: NAMED,
  querystring: query({
    digest: { ...DIGEST, description: 'Of the body, which is the whole blob.' },
    mount: { ...DIGEST, description: 'Of a blob that another repository has.' },
    from: { ...TEXT, description: 'That repository. Absent: any that you may read.' },
    'digest-algorithm': { enum: ['sha256', 'sha512'], description: 'What the digest will be of.' },
  }),
  response: { 201: answered('The blob is there.', PUSHED), 202: answered('Send the bytes to `Location`.', SESSION) },
};

export const UPLOAD_STATUS: RouteDescription = {
  summary: 'Says how much of an upload has come.',
  tags,
  params: OF_UPLOAD,
  response: { 204: answered('How much has come.', SESSION) },
};

export const UPLOAD_CHUNK: RouteDescription = {
  summary: 'Sends the next bytes of an upload.',
  description: '`Content-Range` is `<first>-<last>`; without it the bytes follow what has come.',
  tags,
  params: OF_UPLOAD,
  body: { content: BYTES },
  response: { 202: answered('They are kept.', SESSION) },
};

export const FINISH_UPLOAD: RouteDescription = {
  summary: 'Ends an upload, with its last bytes or without.',
  tags,
  params: OF_UPLOAD,
  querystring: { ...query({ digest: { ...DIGEST, description: 'Of the whole blob.' } }), required: ['digest'] },
  response: { 201: answered('The blob is there.', PUSHED) },
};

export const CANCEL_UPLOAD: RouteDescription = {
  summary: 'Gives up an upload.',
  tags,
  params: OF_UPLOAD,
  response: { 204: answered('It is gone.') },
};

export const DELETE_REPOSITORY: RouteDescription = {
  summary: 'Deletes a repository with everything in it.',
  tags,
  params: NAMED,
  response: {
    202: {
      type: 'object',
      description: 'It is gone.',
      properties: { message: { ...TEXT, example: 'Repository deleted' }, manifestsDeleted: COUNT },
      required: ['message', 'manifestsDeleted'],
      additionalProperties: false,
    },
  },
};

export const REFERRERS: RouteDescription = {
  summary: 'Lists the manifests whose subject this one is, as an OCI image index.',
  tags,
  params: OF_DIGEST,
  querystring: query({ artifactType: { ...TEXT, description: 'Only those of this type.' }, n: PAGE.n, last: PAGE.last }),
  response: {
    200: {
      description: 'An image index of their descriptors.',
      content: { 'application/vnd.oci.image.index.v1+json': { schema: ANY_JSON } },
      headers: { ...LINK, 'OCI-Filters-Applied': { type: 'string', description: '`artifactType`, where that was asked for.' } },
    },
  },
};
