import { expect } from 'chai';
import { essenceOf, kindOf, type ManifestKind } from '../../src/oci/mediaTypes.ts';

describe('the kind of a manifest', () => {
  const kinds: readonly (readonly [mediaType: string, kind: ManifestKind])[] = [
    ['application/vnd.oci.image.manifest.v1+json', 'image'],
    ['application/vnd.docker.distribution.manifest.v2+json', 'image'],
    ['application/vnd.oci.image.index.v1+json', 'index'],
    ['application/vnd.docker.distribution.manifest.list.v2+json', 'index'],
    ['application/vnd.oci.artifact.manifest.v1+json', 'artifact'],
    ['application/vnd.cncf.oras.artifact.manifest.v1+json', 'artifact'],
    ['application/vnd.docker.distribution.manifest.v1+json', 'schema1'],
    ['application/vnd.docker.distribution.manifest.v1+prettyjws', 'schema1'],
    ['application/json', 'opaque'],
    ['application/vnd.oci.image.manifest.v2+json', 'opaque'],
    ['', 'opaque'],
  ];
  for (const [mediaType, kind] of kinds) it(`of "${mediaType}" is ${kind}`, () => expect(kindOf(mediaType)).to.equal(kind));
});

describe('the essence of a content type', () => {
  const longest = `${'a'.repeat(127)}/${'b'.repeat(127)}`;
  const essences: readonly (readonly [contentType: string | undefined, essence: string])[] = [
    ['application/json', 'application/json'],
    ['Application/JSON', 'application/json'],
    ['  application/json  ', 'application/json'],
    ['application/json; charset=utf-8', 'application/json'],
    ['application/json;charset=utf-8;q=1', 'application/json'],
    ['application/vnd.a-b_c.d+json', 'application/vnd.a-b_c.d+json'],
    ["application/a!#$&^_.+-'".slice(0, -1), 'application/a!#$&^_.+-'],
    [longest, longest],
    [undefined, ''],
    ['', ''],
    [';', ''],
    ['; charset=utf-8', ''],
    ['application', ''],
    ['application/', ''],
    ['/json', ''],
    ['application/json/more', ''],
    ['application /json', ''],
    ['application/js on', ''],
    ['application/json, text/plain', ''],
    ['*/*', ''],
    ['.a/b', ''],
    ['application/json\r\nX-Injected: 1', ''],
    ['äpplication/json', ''],
    [`a${longest}`, ''],
    [`${longest}b`, ''],
    ['a'.repeat(1_000_000), ''],
    [`${'a/'.repeat(500_000)}`, ''],
  ];
  for (const [contentType, essence] of essences) {
    it(`of ${String(contentType).slice(0, 60)} is "${essence.slice(0, 60)}"`, () => {
      expect(essenceOf(contentType)).to.equal(essence);
    });
  }
});
