import type { Blob, Manifest } from '../support/images.ts';
import type { Parts } from './content.ts';
import { type Answer, type Exchange, type Expected, gets, type Sending, type Step, send } from './row.ts';

/** Steps that many rows begin with. */

export const OCTETS = { 'content-type': 'application/octet-stream' };

export const begin = (repository = '{repo}', query: NonNullable<Sending['query']> = {}): Exchange =>
  send(`POST /v2/${repository}/blobs/uploads/`, gets(202, { location: /./ }), { query });

/** A part of a blob, as PATCH and PUT send it. */
export const part = ({ bytes }: Blob, from = 0, to = bytes.length, range = `${from}-${to - 1}`): Sending => ({
  body: bytes.subarray(from, to),
  headers: { ...OCTETS, 'content-range': range },
});

export const finish = (digest: string, sending: Sending = {}, expected: Expected | readonly Expected[] = gets(201)): Exchange =>
  send('PUT {location}', expected, {
    ...sending,
    headers: { ...OCTETS, ...sending.headers },
    query: { digest },
  });

/** POST, then one PUT with all of it. */
export const pushBlob = (one: Blob, repository = '{repo}'): readonly Step[] => [
  begin(repository),
  finish(one.digest, { body: one.bytes }),
];

export const putting = ({ bytes, mediaType }: Manifest, headers: Readonly<Record<string, string>> = {}): Sending => ({
  body: bytes,
  headers: { 'content-type': mediaType, ...headers },
});

/** PUT of a manifest; under its digest where nothing else is said. */
export const put = (
  one: Manifest,
  expected: Expected | readonly Expected[] = gets(201),
  { reference = one.digest, repository = '{repo}', headers = {} }: PutOptions = {},
): Exchange => send(`PUT /v2/${repository}/manifests/${reference}`, expected, putting(one, headers));

type PutOptions = Readonly<{ reference?: string; repository?: string; headers?: Readonly<Record<string, string>> }>;

/** The blobs, then the manifest. */
export const pushed = (
  { manifest, blobs }: Parts,
  reference: string = manifest.digest,
  repository = '{repo}',
): readonly Step[] => [...blobs.flatMap((one) => pushBlob(one, repository)), put(manifest, gets(201), { reference, repository })];

export const DELETES_OFF = { 405: 'it does not delete' };
export const NO_TAG_DELETES = { 400: 'it does not delete tags', 405: 'it does not delete tags' };

export const remove = (path: string, unless: Readonly<Record<number, string>> = DELETES_OFF): Exchange =>
  send(`DELETE ${path}`, gets(202), {}, { unless });

export const removeTag = (tag: string, repository = '{repo}'): Exchange =>
  remove(`/v2/${repository}/manifests/${tag}`, NO_TAG_DELETES);

export const textOf = (answer: Answer): string => answer.body.toString();

/** Says what a list is, where it is not this one. */
export const isList = (found: unknown, expected: readonly string[]): string | undefined =>
  JSON.stringify(found) === JSON.stringify(expected) ? undefined : `${JSON.stringify(found)} is not ${JSON.stringify(expected)}`;
