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

/** What means the same, whichever of its characters are percent-encoded; `slashes`: those of the name as well. */
const anyEncoding = (path: string, slashes: number): fc.Arbitrary<string> =>
  fc
    .array(fc.constantFrom('plain', 'plain', 'upper', 'lower'), { minLength: path.length, maxLength: path.length })
    .map((choices) =>
      [...path]
        .map((character, at) => {
          const hex = character.charCodeAt(0).toString(16);
          if (choices[at] === 'plain' || character === ':' || (character === '/' && at >= slashes)) return character;
          return `%${choices[at] === 'upper' ? hex.toUpperCase() : hex}`;
        })
        .join(''),
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

  it('is the same however the path is percent-encoded, as far as that means the same', () => {
    const encoded = fc
      .tuple(anyName, anyTail)
      .chain(([name, tail]) => fc.tuple(fc.constant({ name, tail }), anyEncoding(`${name}${tail}`, name.length)));
    fc.assert(
      fc.property(encoded, anyQuery, ([{ name, tail }, path], query) => {
        const rewritten = withNameAsSegment(`/v2/${path}${query}`).replaceAll('%2f', '%2F');
        expect(rewritten).to.equal(`/v2/${name.replaceAll('/', '%2F')}${tail}${query}`);
      }),
      { numRuns: 1000 },
    );
    expect(withNameAsSegment('/v2/a/b%252F%2561/tags/list'), 'decoded once').to.equal('/v2/a%2Fb%252F%2561/tags/list');
    expect(withNameAsSegment('/v2/a/%C3%A9%3F%23/tags/list'), 'what is reserved stays').to.equal(
      '/v2/a%2F%C3%A9%3F%23/tags/list',
    );
  });

  it('is all there is where the end says nothing', () => {
    const resource = /.\/(?:(?:tags\/list|blobs\/uploads)$|(?:manifests|blobs|blobs\/uploads|referrers)\/[^/]*$)/;
    const others = fc.constantFrom(
      'tags/list',
      'blobs/uploads',
      'manifests/x',
      'blobs/x',
      'tags',
      'uploads/x',
      'blobs/uploads/x',
    );
    const plain = anyName.filter((name) => !resource.test(name));
    fc.assert(
      fc.property(fc.oneof(plain, others), fc.constantFrom('', '/'), anyQuery, (name, end, query) => {
        const rewritten = withNameAsSegment(`/v2/${name}${end}${query}`);
        expect(rewritten.replace('/?', '?')).to.equal(
          `/v2/${name.replaceAll('/', '%2F')}${rewritten.endsWith('/') ? '/' : ''}${query}`,
        );
        expect(withNameAsSegment(rewritten), 'once is enough').to.equal(rewritten);
      }),
    );
    expect(withNameAsSegment('/v2/a%2fb/c?x=/d')).to.equal('/v2/a%2fb%2Fc?x=/d');
  });

  it('is left alone where there is none', () => {
    for (const url of [
      '/',
      '/v2',
      '/v2/',
      '/v2/?x=/a/manifests/b',
      '/v2/_catalog?last=a/b/tags/list',
      '/v2/_oci/ext/discover',
      '/v2/../a',
      '/v2/a/b#c',
      '/api/v1/repositories',
      '/api/v1/repositories/',
      '/api/registry/repositories/',
      '/api/registry/repositories?limit=1',
      '/api/v1/users/a/b',
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

describe('the name in a path of the management API, and of the monitoring API,', () => {
  const paths = fc.constantFrom('/api/v1/repositories', '/api/registry/repositories');

  it('ends with the path, or where nothing of a name can stand', () => {
    fc.assert(
      fc.property(
        paths,
        anyName,
        fc.constantFrom('', '/-/immutability', '/-/tags/v1', '/-/'),
        anyQuery,
        (before, name, tail, query) => {
          const rewritten = withNameAsSegment(`${before}/${name}${tail}${query}`);
          expect(rewritten).to.equal(`${before}/${name.replaceAll('/', '%2F')}${tail}${query}`);
          expect(withNameAsSegment(rewritten), 'once is enough').to.equal(rewritten);
          expect(withNameAsSegment(`${before}/${encodeURIComponent(name)}${tail}${query}`)).to.equal(rewritten);
        },
      ),
      { numRuns: 1000 },
    );
    const before = '/api/registry/repositories';
    expect(withNameAsSegment(`${before}/a/b/`), 'a slash at the end').to.equal(`${before}/a%2Fb/`);
    expect(withNameAsSegment(`${before}/a/-/b/-/c`), 'the first of two').to.equal(`${before}/a/-/b/-/c`);
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
        const odd = [...encoded].map((character) => (character === 'a' ? '%61' : character)).join('');
        const { digest } = IMAGE.manifest;
        await exchange(admin, ['GET', `/v2/${odd}/t%61gs/list`], { status: 200 });
        for (const path of [name, encoded, odd]) {
          await exchange(admin, ['GET', `/v2/${path}/referrers/${digest}`], { status: 200 });
          await exchange(admin, ['HEAD', `/v2/${path}/blobs/${IMAGE.config.digest}`], { status: 200 });
        }
        await exchange(admin, ['DELETE', `/v2/${odd}/manifests/${digest}`], { status: 202 });
        await exchange(admin, ['GET', `/v2/${name}/manifests/${digest}`], { status: 404, code: 'MANIFEST_UNKNOWN' });
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
