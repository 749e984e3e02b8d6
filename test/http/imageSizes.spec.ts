import { expect } from 'chai';
import { imageSizesIn } from '../../src/http/imageSizes.ts';
import { taggedImages } from '../../src/http/taggedImages.ts';
import type { Digest } from '../../src/oci/digest.ts';
import { type Manifest, manifestKey } from '../../src/projections/manifests.ts';
import { type Tag, tagKey } from '../../src/projections/tags.ts';
import type { Views } from '../../src/projections/views/views.ts';
import { as, content, imageOf, indexOf, LIFE, type Pushable } from '../support/facts.ts';
import { turnsDuring } from '../support/turns.ts';

const PUSHED_AT = '2026-01-01T00:00:00.000Z';
const kept = (pushable: Pushable): Manifest => ({ ...pushable, pushedAt: PUSHED_AT });

type Held = Readonly<{ views: Pick<Views, 'getMany'>; reads: readonly (readonly string[])[] }>;

/** Views with these documents, and what was read of them. */
const holding = (documents: Map<string, unknown>): Held => {
  const reads: (readonly string[])[] = [];
  const getMany = async (_view: unknown, keys: readonly string[]) => {
    reads.push(keys);
    return keys.map((key) => documents.get(key));
  };
  return { views: { getMany: getMany as Views['getMany'] }, reads };
};
const manifestsOf = (...all: readonly Pushable[]): Map<string, unknown> =>
  new Map(all.map((one) => [manifestKey(LIFE, one.digest), kept(one)]));

const layer = content('a layer of some length');
const config = content('config');
const image = imageOf('image', as('config', config), as('layer', layer));
const other = imageOf('other', as('config', content('other config')), as('layer', layer));
const sizesOf = (digests: readonly { digest: Digest }[], ...all: readonly Pushable[]) =>
  imageSizesIn(holding(manifestsOf(...all)).views, LIFE)(digests.map(({ digest }) => digest));

describe('the size of an image', () => {
  const IMAGE = config.size + layer.size;

  it('is the sum of what its manifest names, each digest once, without its subject', async () => {
    const twice = imageOf('twice', as('config', config), as('layer', layer), as('layer', layer));
    const attached = imageOf('attached', as('config', config), as('subject', image));
    expect(await sizesOf([image, twice, attached], image, twice, attached)).to.deep.equal([IMAGE, IMAGE, config.size]);
  });

  it('is, of an index, that of its manifests and of what they name, what they share once', async () => {
    const index = indexOf('index', image, other);
    const all = image.size + other.size + IMAGE + content('other config').size;
    expect(await sizesOf([index], index, image, other)).to.deep.equal([all]);
  });

  it('is, of an index whose manifests are not all there, as much as is known', async () => {
    const index = indexOf('index', image, other);
    expect(await sizesOf([index], index, image)).to.deep.equal([image.size + other.size + IMAGE]);
  });

  it('looks into no index within an index, and into no more than 100 manifests of one', async () => {
    const inner = indexOf('inner', image);
    const outer = indexOf('outer', inner);
    expect(await sizesOf([outer], outer, inner, image)).to.deep.equal([inner.size + image.size]);
    const many = Array.from({ length: 150 }, (_, n) => imageOf(`image ${n}`, as('layer', content(`layer ${n}`))));
    const index = indexOf('many', ...many);
    const { views, reads } = holding(manifestsOf(index, ...many));
    await imageSizesIn(views, LIFE)([index.digest]);
    expect(reads.flat()).to.have.length(101);
  });

  it('looks at 100,000 things that listed manifests name a page: what is behind them counts without', async () => {
    const layers = Array.from({ length: 3999 }, (_, n) => as('layer', content(`layer ${n}`)));
    const LAYERS = layers.reduce((sum, { size }) => sum + size, 0);
    const large = Array.from({ length: 30 }, (_, n) =>
      imageOf(`image ${n}`, as('config', content(`config ${10 + n}`)), ...layers),
    );
    const indexes = [indexOf('first', ...large.slice(0, 20)), indexOf('second', ...large.slice(20)), indexOf('third', image)];
    const [first, second, third] = indexes as [Pushable, Pushable, Pushable];
    const listed = ({ references }: Pushable): number => references.reduce((sum, { size }) => sum + size, 0);
    const CONFIG = content('config 10').size;
    const { views } = holding(manifestsOf(...indexes, ...large, image));
    const sizes = imageSizesIn(views, LIFE);
    const digests = indexes.map(({ digest }) => digest);
    expect(await sizes(digests)).to.deep.equal([
      listed(first) + 20 * CONFIG + LAYERS,
      listed(second) + 5 * CONFIG + LAYERS,
      listed(third),
    ]);
    expect(await imageSizesIn(views, LIFE)([third.digest]), 'a page begins anew').to.deep.equal([listed(third) + IMAGE]);
  });

  it('is found with a turn for others between two reads', async () => {
    const many = Array.from({ length: 60 }, (_, n) => imageOf(`image ${n}`, as('layer', content(`layer ${n}`))));
    const indexes = Array.from({ length: 10 }, (_, n) => indexOf(`index ${n}`, ...many));
    const { views, reads } = holding(manifestsOf(...indexes, ...many));
    const digests = indexes.map(({ digest }) => digest);
    expect(await turnsDuring(() => imageSizesIn(views, LIFE)(digests))).to.be.at.least(reads.length - 1);
    expect(reads).to.have.length(31);
  });

  it('is unknown where the manifest is', async () => {
    expect(await sizesOf([image, other], image)).to.deep.equal([IMAGE, undefined]);
  });

  it('is read once for many tags, and a few manifests at a time', async () => {
    const many = Array.from({ length: 60 }, (_, n) => imageOf(`image ${n}`, as('layer', content(`layer ${n}`))));
    const { views, reads } = holding(manifestsOf(...many));
    const sizes = imageSizesIn(views, LIFE);
    const digests = many.map(({ digest }) => digest);
    await sizes([...digests, ...digests]);
    await sizes(digests);
    expect(reads.map((keys) => keys.length)).to.deep.equal([25, 25, 10]);
  });
});

describe('tags with the sizes of what they point at', () => {
  const tag = (name: string, { digest }: Pushable): Tag => ({ name, digest, movedAt: PUSHED_AT });
  const found = async (documents: Map<string, unknown>, page: readonly Tag[]) => {
    const { views } = holding(documents);
    const all = await taggedImages(views, LIFE, imageSizesIn(views, LIFE), page);
    return all.map(({ tag: { name, digest }, size }) => [name, digest, size]);
  };

  it('follow a tag that has moved away from a manifest that is gone', async () => {
    const documents = manifestsOf(other);
    documents.set(tagKey(LIFE, 'b'), tag('b', other));
    const [size] = await sizesOf([other], other);
    expect(await found(documents, [tag('a', other), tag('b', image)])).to.deep.equal([
      ['a', other.digest, size],
      ['b', other.digest, size],
    ]);
  });

  it('leave out a tag that has gone', async () => {
    const [size] = await sizesOf([other], other);
    expect(await found(manifestsOf(other), [tag('a', other), tag('b', image)])).to.deep.equal([['a', other.digest, size]]);
  });

  it('keep a tag that stays where nothing is', async () => {
    const documents = new Map<string, unknown>([[tagKey(LIFE, 'b'), tag('b', image)]]);
    expect(await found(documents, [tag('b', image)])).to.deep.equal([['b', image.digest, undefined]]);
  });
});
