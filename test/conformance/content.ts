import { randomBytes } from 'node:crypto';
import {
  type Algorithm,
  type Blob,
  digestOf,
  type Manifest,
  noise,
  OCI_CONFIG,
  OCI_INDEX,
  OCI_LAYER,
  OCI_MANIFEST,
} from '../support/images.ts';

/** Other bytes in every run: what an earlier one has left in the registry plays no part. */
const SALT = randomBytes(8).toString('hex');

export const blob = (name: string, size = 64, algorithm: Algorithm = 'sha256', mediaType = OCI_LAYER): Blob => {
  const bytes = noise(size, `${SALT} ${name}`);
  return { bytes, digest: digestOf(bytes, algorithm), mediaType };
};

/** A digest that nothing has. */
export const absent = (name: string, algorithm: Algorithm = 'sha256'): string => digestOf(`${SALT} absent ${name}`, algorithm);

export type Descriptor = Readonly<Record<string, unknown> & { digest: string; size: number; mediaType: string }>;

export const descriptor = ({ digest, bytes, mediaType }: Blob | Manifest, fields: object = {}): Descriptor => ({
  mediaType,
  digest,
  size: bytes.length,
  ...fields,
});

/** Of something that is nowhere. */
export const missing = (name: string, algorithm?: Algorithm): Descriptor => ({
  mediaType: OCI_LAYER,
  digest: absent(name, algorithm),
  size: 10,
});

/** A manifest in just these bytes. */
export const written = (text: string, mediaType: string, algorithm: Algorithm = 'sha256'): Manifest => ({
  bytes: Buffer.from(text),
  digest: digestOf(text, algorithm),
  mediaType,
});

export const manifest = (value: object, mediaType = OCI_MANIFEST, algorithm?: Algorithm): Manifest =>
  written(JSON.stringify(value), mediaType, algorithm);

/** An image or artifact, with the blobs that it needs. */
export type Parts = Readonly<{ manifest: Manifest; blobs: readonly Blob[] }>;

type Shape = Readonly<{ algorithm?: Algorithm; layers?: number; mediaType?: string; fields?: object }>;

/** An image of small layers; another one for each name. */
export const image = (
  name: string,
  { algorithm = 'sha256', layers = 1, mediaType = OCI_MANIFEST, fields = {} }: Shape = {},
): Parts => {
  const config = blob(`${name} config`, 40, algorithm, OCI_CONFIG);
  const ofLayers = Array.from({ length: layers }, (_, index) => blob(`${name} layer ${index}`, 64, algorithm));
  const body = {
    schemaVersion: 2,
    mediaType,
    config: descriptor(config),
    layers: ofLayers.map((layer) => descriptor(layer)),
    ...fields,
  };
  return { manifest: manifest(body, mediaType, algorithm), blobs: [config, ...ofLayers] };
};

/** An index; the spaces make another one of each name. */
export const index = (name: string, manifests: readonly Descriptor[], fields: object = {}, algorithm?: Algorithm): Manifest =>
  manifest(
    { schemaVersion: 2, mediaType: OCI_INDEX, manifests, annotations: { name: `${SALT} ${name}` }, ...fields },
    OCI_INDEX,
    algorithm,
  );

/** The same manifest under the other algorithm. */
export const alsoAs = ({ bytes, mediaType }: Manifest, algorithm: Algorithm): Manifest => ({
  bytes,
  mediaType,
  digest: digestOf(bytes, algorithm),
});

export const EMPTY: Blob = { bytes: Buffer.alloc(0), digest: digestOf(''), mediaType: OCI_LAYER };
