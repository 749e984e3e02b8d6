export const OCI_MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
export const OCI_INDEX = 'application/vnd.oci.image.index.v1+json';
export const OCI_ARTIFACT = 'application/vnd.oci.artifact.manifest.v1+json';
/** What ORAS wrote before there was OCI's. */
const ORAS_ARTIFACT = 'application/vnd.cncf.oras.artifact.manifest.v1+json';
export const DOCKER_MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json';
export const DOCKER_LIST = 'application/vnd.docker.distribution.manifest.list.v2+json';
const DOCKER_SCHEMA1 = [
  'application/vnd.docker.distribution.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v1+prettyjws',
];

export type ManifestKind = 'image' | 'index' | 'artifact' | 'schema1' | 'opaque';

/** What a manifest of a media type looks like inside. Types that nobody here knows are kept as they are: `opaque`. */
export const kindOf = (mediaType: string): ManifestKind => {
  if (mediaType === OCI_MANIFEST || mediaType === DOCKER_MANIFEST) return 'image';
  if (mediaType === OCI_INDEX || mediaType === DOCKER_LIST) return 'index';
  if (mediaType === OCI_ARTIFACT || mediaType === ORAS_ARTIFACT) return 'artifact';
  return DOCKER_SCHEMA1.includes(mediaType) ? 'schema1' : 'opaque';
};

/** A media type without its parameters, in lower case. Empty when it is none (RFC 6838, section 4.2). */
export const essenceOf = (contentType: string | undefined): string => {
  const essence = (contentType ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
  return /^[a-z0-9][a-z0-9!#$&^_.+-]{0,126}\/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}$/.test(essence) ? essence : '';
};

/** Layers that clients do not upload, because others may not give them on (OCI image spec, *Non-distributable layers*; docker's foreign ones). */
export const isNondistributable = (mediaType: string): boolean =>
  mediaType.startsWith('application/vnd.oci.image.layer.nondistributable.v1.tar') ||
  mediaType.startsWith('application/vnd.docker.image.rootfs.foreign.diff.tar');
