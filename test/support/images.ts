import { createCipheriv, createHash, hash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';

export const OCI_MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
export const OCI_INDEX = 'application/vnd.oci.image.index.v1+json';
export const OCI_CONFIG = 'application/vnd.oci.image.config.v1+json';
export const OCI_LAYER_GZIP = 'application/vnd.oci.image.layer.v1.tar+gzip';
export const OCI_LAYER = 'application/vnd.oci.image.layer.v1.tar';
export const DOCKER_MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json';

export type Algorithm = 'sha256' | 'sha512';
export type Blob = Readonly<{ digest: string; bytes: Buffer; mediaType: string }>;
export type Manifest = Readonly<{ digest: string; bytes: Buffer; mediaType: string }>;
export type Platform = Readonly<{ architecture: string; os: string }>;
export type Image = Readonly<{ manifest: Manifest; config: Blob; layers: readonly Blob[]; platform: Platform }>;
export type Index = Readonly<{ manifest: Manifest; images: readonly Image[] }>;

const LINUX: Platform = { architecture: 'amd64', os: 'linux' };

export const digestOf = (bytes: Uint8Array | string, algorithm: Algorithm = 'sha256'): string =>
  `${algorithm}:${hash(algorithm, bytes, 'hex')}`;

/** Numbers from 0 to 1 (excluded), the same for the same seed (mulberry32). */
export const seeded = (seed: number): (() => number) => {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
};

/** Bytes that do not compress, the same for the same seed. */
export const noise = (size: number, seed: string | number): Buffer => {
  const key = createHash('sha256').update(String(seed)).digest();
  return createCipheriv('aes-256-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(size));
};

const NOISE_BLOCK = 1024 * 1024;

/** A stream of `size` bytes that is never held whole: one block, over and over, each time stamped with its number. */
export const noiseStream = (size: number, seed: string | number): Readable => {
  const block = noise(NOISE_BLOCK, seed);
  const blocks = function* (): Generator<Buffer> {
    for (let sent = 0; sent < size; sent += NOISE_BLOCK) {
      const next = Buffer.from(block.subarray(0, Math.min(NOISE_BLOCK, size - sent)));
      if (next.length >= 8) next.writeBigUInt64LE(BigInt(sent));
      yield next;
    }
  };
  return Readable.from(blocks(), { highWaterMark: 2, objectMode: true });
};

const blobOf = (bytes: Buffer, mediaType: string, algorithm?: Algorithm): Blob => ({
  digest: digestOf(bytes, algorithm),
  bytes,
  mediaType,
});
const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
const descriptorOf = ({ digest, bytes, mediaType }: Blob | Manifest): Readonly<Record<string, unknown>> => ({
  mediaType,
  digest,
  size: bytes.length,
});

const octal = (value: number, width: number): string => `${value.toString(8).padStart(width - 1, '0')}\0`;

const tarHeader = (name: string, size: number): Buffer => {
  const header = Buffer.alloc(512);
  header.write(name, 0, 100);
  header.write(octal(0o644, 8), 100);
  header.write(octal(0, 8), 108);
  header.write(octal(0, 8), 116);
  header.write(octal(size, 12), 124);
  header.write(octal(0, 12), 136);
  header.write('        ', 148); // the checksum is made with spaces in its own place
  header.write('0', 156);
  header.write('ustar\x0000', 257);
  header.write(
    `${octal(
      header.reduce((sum, byte) => sum + byte, 0),
      7,
    )} `,
    148,
  );
  return header;
};

/** A tar archive of these files, the same bytes for the same files: what `docker import` and a layer are made of. */
export const tarOf = (files: Readonly<Record<string, Uint8Array | string>>): Buffer => {
  const entries = Object.entries(files).flatMap(([name, content]) => {
    const bytes = Buffer.from(content);
    return [tarHeader(name, bytes.length), bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)];
  });
  return Buffer.concat([...entries, Buffer.alloc(1024)]);
};

type Shape = Readonly<{
  platform?: Platform;
  /** Of the layers' digests. Config and manifest keep sha256: the clients of today know no other for those. */
  algorithm?: Algorithm;
  gzip?: boolean;
}>;

/** An image of these layers (tar archives), as every client accepts it. */
export const imageOf = (tars: readonly Buffer[], { platform = LINUX, algorithm = 'sha256', gzip = false }: Shape = {}): Image => {
  const layers = tars.map((tar) =>
    gzip ? blobOf(gzipSync(tar, { level: 1 }), OCI_LAYER_GZIP, algorithm) : blobOf(tar, OCI_LAYER, algorithm),
  );
  const rootfs = { type: 'layers', diff_ids: tars.map((tar) => digestOf(tar)) };
  const config = blobOf(json({ ...platform, config: {}, rootfs }), OCI_CONFIG);
  const manifest = { schemaVersion: 2, mediaType: OCI_MANIFEST, config: descriptorOf(config), layers: layers.map(descriptorOf) };
  return { manifest: blobOf(json(manifest), OCI_MANIFEST), config, layers, platform };
};

/** A small image of `layers` layers of `size` bytes each; another one for each seed. */
export const randomImage = (
  seed: string | number,
  { layers = 3, size = 1024, platform = LINUX }: { layers?: number; size?: number; platform?: Platform } = {},
): Image =>
  imageOf(
    Array.from({ length: layers }, (_, index) => tarOf({ [`file-${index}`]: noise(size, `${seed}-${index}`) })),
    { platform },
  );

/** In the very order of fields in which skopeo writes an index: it writes anew the one that it copies. */
export const indexOf = (images: readonly Image[]): Index => {
  const manifests = images.map(({ manifest, platform }) => ({
    ...descriptorOf(manifest),
    platform: { architecture: platform.architecture, os: platform.os },
  }));
  return { manifest: blobOf(json({ schemaVersion: 2, mediaType: OCI_INDEX, manifests }), OCI_INDEX), images };
};

/** Writes an OCI layout that skopeo reads as `oci:<folder>:<tag>`. */
export const writeLayout = (folder: string, tag: string, root: Image | Index): void => {
  const images = 'images' in root ? root.images : [root];
  const blobs = [root.manifest, ...images.flatMap(({ manifest, config, layers }) => [manifest, config, ...layers])];
  for (const { digest, bytes } of blobs) {
    const [algorithm = '', hex = ''] = digest.split(':');
    mkdirSync(join(folder, 'blobs', algorithm), { recursive: true });
    writeFileSync(join(folder, 'blobs', algorithm, hex), bytes);
  }
  const annotations = { 'org.opencontainers.image.ref.name': tag };
  writeFileSync(join(folder, 'oci-layout'), json({ imageLayoutVersion: '1.0.0' }));
  writeFileSync(
    join(folder, 'index.json'),
    json({ schemaVersion: 2, manifests: [{ ...descriptorOf(root.manifest), annotations }] }),
  );
};
