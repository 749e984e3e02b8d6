import { digestOf, type Manifest, OCI_MANIFEST, randomImage } from '../support/images.ts';
import type { Exchange } from './exchanges.ts';

/** What is pushed to `m/app` before a manifest of its parts can be. */
export const IMAGE = randomImage('manifests');
export const ABSENT = digestOf('absent');

export const descriptor = (digest: string, size = 10): object => ({ mediaType: 'application/octet-stream', digest, size });
export const CONFIG = descriptor(IMAGE.config.digest, IMAGE.config.bytes.length);
export const LAYERS = IMAGE.layers.map(({ digest, bytes }) => descriptor(digest, bytes.length));

/** A manifest in just this spelling. */
export const written = (text: string, mediaType: string): Manifest => ({
  bytes: Buffer.from(text),
  digest: digestOf(text),
  mediaType,
});
export const manifestOf = (value: object, mediaType = OCI_MANIFEST): Manifest => written(JSON.stringify(value), mediaType);
export const imageManifest = (fields: object = {}): object => ({
  schemaVersion: 2,
  mediaType: OCI_MANIFEST,
  config: CONFIG,
  layers: LAYERS,
  ...fields,
});

export const put = (
  repository: string,
  reference: string,
  { bytes, mediaType }: Manifest,
  contentType = mediaType,
): Exchange['send'] => [
  'PUT',
  `/v2/${repository}/manifests/${reference}`,
  { body: bytes, headers: { 'content-type': contentType } },
];

/** The answer to a push to `m/app`. */
export const stored = ({ digest }: Manifest) =>
  ({
    status: 201,
    headers: { location: `/v2/m/app/manifests/${digest}`, 'docker-content-digest': digest, 'content-length': '0' },
  }) as const;
