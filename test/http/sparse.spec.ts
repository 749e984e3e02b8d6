import { expect } from 'chai';
import { registryFor } from '../support/app.ts';
import { pushImage } from '../support/http.ts';
import { digestOf, indexOf, OCI_INDEX, OCI_MANIFEST, randomImage } from '../support/images.ts';
import { errorsOf, exchange } from './exchanges.ts';
import { descriptor, manifestOf, put } from './manifestSamples.ts';

const [HERE, LATER, NEVER] = ['amd64', 'arm64', 's390x'].map((architecture) =>
  randomImage(`sparse ${architecture}`, { layers: 1, platform: { architecture, os: 'linux' } }),
) as [ReturnType<typeof randomImage>, ReturnType<typeof randomImage>, ReturnType<typeof randomImage>];
const INDEX = indexOf([HERE, LATER, NEVER]).manifest;

describe('an index of which images are missing', () => {
  describe('without the setting', () => {
    const registry = registryFor();

    it('is refused, with an error for each', async () => {
      const { admin } = registry();
      await pushImage(admin, 's/app', HERE.manifest.digest, HERE);
      const refused = await exchange(admin, put('s/app', 'latest', INDEX), { status: 400, code: 'MANIFEST_BLOB_UNKNOWN' });
      expect(errorsOf(refused).map(({ detail }) => detail)).to.deep.equal(
        [LATER, NEVER].map(({ manifest: { digest } }) => ({ digest, role: 'manifest' })),
      );
      await exchange(admin, ['GET', '/v2/s/app/manifests/latest'], { status: 404 });
    });
  });

  describe('with GHOSTDOCK_SPARSE_INDEXES=on', () => {
    const registry = registryFor({ GHOSTDOCK_SPARSE_INDEXES: 'on' });

    it('is taken, and gives what is there', async () => {
      const { admin } = registry();
      await pushImage(admin, 's/app', HERE.manifest.digest, HERE);
      await exchange(admin, put('s/app', 'latest', INDEX), { status: 201 });
      await exchange(admin, ['GET', '/v2/s/app/manifests/latest'], { status: 200, bytes: INDEX.bytes });
      await exchange(admin, ['GET', `/v2/s/app/manifests/${HERE.manifest.digest}`], { status: 200, bytes: HERE.manifest.bytes });
      for (const { manifest } of [LATER, NEVER])
        await exchange(admin, ['GET', `/v2/s/app/manifests/${manifest.digest}`], { status: 404, code: 'MANIFEST_UNKNOWN' });
    });

    it('is completed by what is pushed later', async () => {
      const { admin } = registry();
      await pushImage(admin, 's/app', LATER.manifest.digest, LATER);
      const path = `/v2/s/app/manifests/${LATER.manifest.digest}`;
      await exchange(admin, ['GET', path], { status: 200, bytes: LATER.manifest.bytes });
      await exchange(admin, ['DELETE', path], { status: 202 });
      await exchange(admin, ['GET', path], { status: 404 });
    });

    it('can be the first thing in its repository, and deleted as any other', async () => {
      const { admin } = registry();
      await exchange(admin, put('s/first', 'latest', INDEX), { status: 201 });
      await exchange(admin, put('s/first', 'again', INDEX), { status: 201 });
      await exchange(admin, ['GET', '/v2/s/first/tags/list'], {
        status: 200,
        json: { name: 's/first', tags: ['again', 'latest'] },
      });
      await exchange(admin, ['DELETE', `/v2/s/first/manifests/${INDEX.digest}`], { status: 202 });
      await exchange(admin, ['GET', '/v2/s/first/manifests/latest'], { status: 404 });
    });

    it('excuses only what an index names: an image needs its blobs as ever', async () => {
      const { admin } = registry();
      const image = manifestOf({ schemaVersion: 2, mediaType: OCI_MANIFEST, config: descriptor(digestOf('c')), layers: [] });
      await exchange(admin, put('s/app', 'image', image), { status: 400, code: 'MANIFEST_BLOB_UNKNOWN' });
      const broken = manifestOf({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: [{ digest: 'x' }] }, OCI_INDEX);
      await exchange(admin, put('s/app', 'broken', broken), { status: 400, code: 'MANIFEST_INVALID' });
    });
  });
});
