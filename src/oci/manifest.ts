import { RegistryError } from '../errors.ts';
import { type Digest, isDigest } from './digest.ts';
import { essenceOf, isNondistributable, kindOf } from './mediaTypes.ts';

export type Role = 'config' | 'layer' | 'manifest' | 'subject';
export type NamedContent = Readonly<{ digest: Digest; size: number; role: Role; mayBeMissing: boolean }>;

/** What the registry needs to know of a manifest. The bytes are stored as they came. */
export type ManifestContent = Readonly<{
  mediaType: string;
  artifactType?: string;
  subject?: Digest;
  /** Every digest that it names, in the order of the document, each role and digest once. */
  references: readonly NamedContent[];
}>;

/** The most content that one manifest may name: what fits into one event. */
export const MOST_REFERENCES = 4000;

type Json = Readonly<Record<string, unknown>>;

const invalid = (problem: string, at?: string): RegistryError =>
  new RegistryError(
    'MANIFEST_INVALID',
    at === undefined ? `The manifest ${problem}.` : `The manifest's ${at} ${problem}.`,
    at === undefined ? {} : { at },
  );

/** Programs in Go write null for a list that they never filled, and read it as they read a field that is not there. */
const given = (value: unknown): unknown => value ?? undefined;

const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value);

// A byte order mark is left in and so refused (RFC 8259, section 8.1): clients that read JSON strictly could not pull it again.
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

const parse = (bytes: Uint8Array): Json => {
  let value: unknown;
  try {
    value = JSON.parse(decoder.decode(bytes));
  } catch (cause) {
    throw new RegistryError(
      'MANIFEST_INVALID',
      'The manifest is not JSON.',
      { problem: (cause as Error).message.slice(0, 200) },
      { cause },
    );
  }
  if (!isObject(value)) throw invalid('is not a JSON object');
  return value;
};

/**
 * A descriptor (OCI image spec, *Content descriptors*). One with `urls` or of a type that nobody uploads is a foreign layer: its content
 * may live elsewhere.
 */
const descriptor = (value: unknown, at: string, role: Role): NamedContent => {
  if (!isObject(value)) throw invalid('is not a descriptor', at);
  const { digest, size } = value;
  const [urls, mediaType] = [given(value.urls), given(value.mediaType)];
  if (typeof digest !== 'string' || !isDigest(digest)) throw invalid('is not a sha256 or sha512 digest', `${at}.digest`);
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) throw invalid('is not a size in bytes', `${at}.size`);
  if (mediaType !== undefined && typeof mediaType !== 'string') throw invalid('is not a text', `${at}.mediaType`);
  if (urls !== undefined && !Array.isArray(urls)) throw invalid('is not a list', `${at}.urls`);
  const isForeign = (urls ?? []).length > 0 || (role === 'layer' && isNondistributable(mediaType ?? ''));
  return { digest, size, role, mayBeMissing: role === 'subject' || isForeign };
};

const descriptors = (value: unknown, at: string, role: Role): readonly NamedContent[] => {
  if (value === null) return [];
  if (!Array.isArray(value)) throw invalid('is not a list of descriptors', at);
  if (value.length > MOST_REFERENCES) throw invalid(`names more than ${MOST_REFERENCES} things`, at);
  return value.map((item, index) => descriptor(item, `${at}[${index}]`, role));
};

const optional = (value: unknown, at: string, role: Role): readonly NamedContent[] =>
  value === undefined ? [] : descriptors(value, at, role);

/** Schema 2, and not an image to one reader and an index to another, who would pull different things (CVE-2021-41190). */
const checkForm = (manifest: Json, ...fields: readonly string[]): void => {
  if (manifest.schemaVersion !== 2) throw invalid('is not 2', 'schemaVersion');
  const foreign = fields.find((field) => given(manifest[field]) !== undefined);
  if (foreign !== undefined) throw invalid('does not belong into a manifest of this media type', foreign);
};

const contentOf = (manifest: Json, mediaType: string): readonly NamedContent[] => {
  switch (kindOf(mediaType)) {
    case 'schema1':
      throw invalid('is of schema 1, which docker retired; push it with a client of this decade', 'mediaType');
    case 'image':
      checkForm(manifest, 'manifests');
      return [descriptor(manifest.config, 'config', 'config'), ...descriptors(manifest.layers, 'layers', 'layer')];
    case 'index':
      checkForm(manifest, 'layers', 'config');
      return descriptors(manifest.manifests, 'manifests', 'manifest');
    case 'artifact':
      return optional(manifest.blobs, 'blobs', 'layer');
    case 'opaque':
      checkForm(manifest);
      return [];
  }
};

const textField = (object: Json, field: string, at = field): string | undefined => {
  const value = given(object[field]);
  if (value !== undefined && typeof value !== 'string') throw invalid('is not a text', at);
  return value === '' ? undefined : value;
};

/** The media type: the request's, which must be the one that the manifest gives itself, if any. */
const mediaTypeOf = (manifest: Json, contentType: string | undefined): string => {
  const own = textField(manifest, 'mediaType');
  const announced = essenceOf(contentType);
  if (own !== undefined && announced !== '' && essenceOf(own) !== announced) {
    throw invalid(`is ${own.slice(0, 200)}, but it was sent as ${announced}`, 'mediaType');
  }
  const mediaType = own === undefined ? announced : essenceOf(own);
  if (mediaType === '') throw invalid('has no media type: send it as Content-Type or in its mediaType');
  return mediaType;
};

/**
 * OCI distribution spec, *Listing referrers*: without an `artifactType` an image manifest has its config's media type. Text that an
 * event can hold: a lone surrogate, from the client or from the cut, is none.
 */
const artifactTypeOf = (manifest: Json, mediaType: string): string | undefined => {
  const own = given(manifest.artifactType);
  if (kindOf(mediaType) === 'opaque' && typeof own !== 'string') return undefined;
  const config = manifest.config;
  const ofConfig =
    kindOf(mediaType) === 'image' && isObject(config) ? textField(config, 'mediaType', 'config.mediaType') : undefined;
  return (textField(manifest, 'artifactType') ?? ofConfig)?.slice(0, 255).toWellFormed();
};

const isDescriptor = (value: unknown): boolean => isObject(value) && typeof value.digest === 'string' && isDigest(value.digest);

/** What a document of another kind calls its subject may be anything: it is one where it is a descriptor. */
const subjectOf = (manifest: Json, mediaType: string): NamedContent | undefined => {
  const subject = given(manifest.subject);
  if (subject === undefined || (kindOf(mediaType) === 'opaque' && !isDescriptor(subject))) return undefined;
  return descriptor(subject, 'subject', 'subject');
};

const distinct = (references: readonly NamedContent[]): readonly NamedContent[] => {
  const byKey = new Map<string, NamedContent>();
  for (const reference of references) {
    const key = `${reference.role}/${reference.digest}`;
    const known = byKey.get(key);
    byKey.set(key, known === undefined ? reference : { ...known, mayBeMissing: known.mayBeMissing && reference.mayBeMissing });
  }
  return [...byKey.values()];
};

/**
 * The annotations of a manifest that was read before, in full: those that are texts, as OCI has it. Anything else, in a list beside those of
 * others, could keep clients from reading the whole list, or this registry from writing it (nested deeper than JSON can be written).
 */
export const annotationsIn = (bytes: Uint8Array): Readonly<Record<string, string>> | undefined => {
  const { annotations } = parse(bytes);
  if (!isObject(annotations)) return undefined;
  return Object.fromEntries(Object.entries(annotations).filter((one): one is [string, string] => typeof one[1] === 'string'));
};

/**
 * Reads a manifest as it was pushed.
 * @throws RegistryError `MANIFEST_INVALID`, saying where
 */
export const readManifest = (bytes: Uint8Array, contentType: string | undefined): ManifestContent => {
  const manifest = parse(bytes);
  const mediaType = mediaTypeOf(manifest, contentType);
  const content = contentOf(manifest, mediaType);
  const subject = subjectOf(manifest, mediaType);
  const references = distinct([...content, ...(subject === undefined ? [] : [subject])]);
  if (references.length > MOST_REFERENCES) throw invalid(`names more than ${MOST_REFERENCES} things`);
  const artifactType = artifactTypeOf(manifest, mediaType);
  return {
    mediaType,
    references,
    ...(artifactType !== undefined && { artifactType }),
    ...(subject !== undefined && { subject: subject.digest }),
  };
};
