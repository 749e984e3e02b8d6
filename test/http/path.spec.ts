import { expect } from 'chai';
import fc from 'fast-check';
import { withNameAsSegment } from '../../src/http/oci/path.ts';
import { registryFor } from '../support/app.ts';
import { pushBlob, pushManifest, tagsOf } from '../support/http.ts';
import { digestOf, randomImage } from '../support/images.ts';
import { anyName, anyTag } from './arbitraries.ts';
import { exchange } from './exchanges.ts';

const IMAGE = randomImage('path', { layers: 1 });
const DIGEST = digestOf('any');

/** What stands behind a name, and a name for each. */
const anyTail = fc.oneof(
  anyTag.map((tag) => `/manifests/${tag}`),
  fc.constantFrom(
    '/tags/list',
    '/tags/list/',
    '/blobs/uploads',
    '/blobs/uploads/',
    `/manifests/${DIGEST}`,
    `/blobs/${DIGEST}`,
    `/referrers/${DIGEST}`,
  ),
  fc.uuid().map((id) => `/blobs/uploads/${id}`),
);
const anyQuery = fc.constantFrom(
  '',
  '?',
  '?n=1',
  '?last=a/b/tags/list',
  '?digest=sha256:abc&mount=/v2/x/manifests/y',
  '?/manifests/z',
);

describe('the name in a path of /v2', () => {
  it('is one segment, whatever it looks like, and the rest is as it was', () => {
    fc.assert(
      fc.property(anyName, anyTail, anyQuery, (name, tail, query) => {
        const rewritten = withNameAsSegment(`/v2/${name}${tail}${query}`);
        expect(rewritten).to.equal(`/v2/${name.replaceAll('/', '%2F')}${tail}${query}`);
        expect(withNameAsSegment(rewritten), 'once is enough').to.equal(rewritten);
        expect(withNameAsSegment(`http://registry.test:5000/v2/${name}${tail}${query}`)).to.equal(rewritten);
      }),
      { numRuns: 2000 },
    );
  });

  it('is left alone where there is none', () => {
    for (const url of [
      '/',
      '/v2',
      '/v2/',
      '/v2/?x=/a/manifests/b',
      '/v2/_catalog?last=a/b/tags/list',
      '/v2/tags/list',
      '/v2/a/b',
      '/auth',
      '*',
      '',
    ])
      expect(withNameAsSegment(url)).to.equal(url);
  });

  it('is never read beyond the path, and reading any text ends well', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (path, query) => {
        const url = `/v2/${path.replaceAll('?', '')}?${query}`;
        expect(withNameAsSegment(url).endsWith(`?${query}`)).to.equal(true);
      }),
    );
  });
});

describe('a repository with any name that the grammar allows', () => {
  const registry = registryFor();

  it('takes uploads, blobs, manifests and tags, and gives back its own', async () => {
    const { admin } = registry();
    await fc.assert(
      fc.asyncProperty(anyName, anyTag, async (name, tag) => {
        for (const blob of [IMAGE.config, ...IMAGE.layers]) await pushBlob(admin, name, blob);
        await pushManifest(admin, name, tag, IMAGE.manifest);
        const own = { bytes: Buffer.from(name), digest: digestOf(name), mediaType: '' };
        const begun = await exchange(admin, ['POST', `/v2/${name}/blobs/uploads/`], { status: 202 });
        const location = String(begun.headers.location);
        expect(location).to.match(new RegExp(`^/v2/${name.replaceAll('.', '\\.')}/blobs/uploads/[0-9a-f-]{36}$`));
        await exchange(admin, ['GET', location], { status: 204 });
        await exchange(admin, ['PATCH', location, { body: own.bytes }], { status: 202, headers: { location } });
        await exchange(admin, ['PUT', `${location}?digest=${own.digest}`], {
          status: 201,
          headers: { location: `/v2/${name}/blobs/${own.digest}` },
        });
        await exchange(admin, ['GET', `/v2/${name}/blobs/${own.digest}`], { status: 200, bytes: own.bytes });
        for (const reference of [tag, IMAGE.manifest.digest])
          await exchange(admin, ['GET', `/v2/${name}/manifests/${reference}`], { status: 200, bytes: IMAGE.manifest.bytes });
        expect(await tagsOf(admin, name)).to.contain(tag);
        const encoded = encodeURIComponent(name);
        await exchange(admin, ['GET', `/v2/${encoded}/manifests/${tag}`], { status: 200, bytes: IMAGE.manifest.bytes });
        await exchange(admin, ['DELETE', `/v2/${name}/manifests/${tag}`], { status: 202 });
        await exchange(admin, ['DELETE', `/v2/${name}/blobs/${own.digest}`], { status: 202 });
        expect(await tagsOf(admin, name)).not.to.contain(tag);
      }),
      { numRuns: 40 },
    );
  });

  it('is not mistaken for another: each has only what was pushed to it', async () => {
    const { admin } = registry();
    const names = [
      'x',
      'x/manifests',
      'x/manifests/y',
      'x/blobs',
      'x/blobs/uploads',
      'x/tags',
      'x/tags/list',
      'tags/list',
      'x-y',
      'x.y',
      'x/y',
    ];
    for (const name of names)
      await pushBlob(admin, `only/${name}`, { bytes: Buffer.from(name), digest: digestOf(name), mediaType: '' });
    for (const name of names)
      for (const other of names) {
        const status = other === name ? 200 : 404;
        await exchange(admin, ['GET', `/v2/only/${name}/blobs/${digestOf(other)}`], { status });
      }
  });
});
