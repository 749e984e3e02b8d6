import type { HttpClient } from '../support/http.ts';
import { type Blob, digestOf, noise } from '../support/images.ts';
import { exchange } from './exchanges.ts';

/** The same bytes for the same seed. */
export const blobOf = (seed: string, size = 3000): Blob => {
  const bytes = noise(size, seed);
  return { digest: digestOf(bytes), bytes, mediaType: 'application/octet-stream' };
};

export const expectBlob = (client: HttpClient, repository: string, { digest, bytes }: Blob): Promise<unknown> =>
  exchange(client, ['GET', `/v2/${repository}/blobs/${digest}`], { status: 200, bytes });

export const expectNoBlob = (client: HttpClient, repository: string, { digest }: Blob): Promise<unknown> =>
  exchange(client, ['GET', `/v2/${repository}/blobs/${digest}`], { status: 404 });
