import { linkKey, links } from '../../src/projections/links.ts';
import { at, type Content, config, created, LIFE, layer, linked, unlinked, withImage } from '../support/facts.ts';
import { projecting } from '../support/projecting.ts';
import { BLOBS, forAnyHistory } from '../support/repositoryCommands.ts';
import { NOTHING, statesOf } from '../support/repositoryModel.ts';

const held = ({ digest, size }: Content, linkedAt: string) => ({ [linkKey(LIFE, digest)]: { digest, size, linkedAt } });

describe('the links of a repository to its blobs', () => {
  it('are one document a blob, with its size and since when', () =>
    projecting(links)(...withImage).yields({ ...held(config, at(1)), ...held(layer, at(2)) }));

  it('are the same for a blob that was mounted', () => {
    const mounted = { ...linked(layer), data: { ...linked(layer).data, mountedFrom: 'team/base' } };
    projecting(links)(created, mounted).yields(held(layer, at(1)));
  });

  it('are gone when unlinked, for whatever cause, and back when linked again', () => {
    for (const cause of ['deleted', 'collected', 'missing'] as const)
      projecting(links)(linked(layer), unlinked(layer, cause)).yields({});
    projecting(links)(linked(layer), unlinked(layer), linked(layer)).yields(held(layer, at(2)));
  });

  it('add up to their number and bytes, each repository for itself', () => {
    const elsewhere = { ...linked(layer), data: { ...linked(layer).data, repository: 'team/other', repositoryId: 'other' } };
    projecting(links)(linked(layer), elsewhere, linked(config)).addsUpTo({ links: 3, bytes: 2 * layer.size + config.size });
    projecting(links)(linked(layer), elsewhere, unlinked(layer)).addsUpTo({ links: 1, bytes: layer.size });
  });

  it('are what the history says and add up to that, whatever it was', () =>
    forAnyHistory((history) => {
      const blobs = BLOBS.filter(({ digest }) => (statesOf(history).at(-1) ?? NOTHING).blobs.has(digest));
      const since = ({ digest }: Content): string =>
        at(history.findLastIndex(({ type, data }) => type === 'BlobLinked' && (data as { digest: string }).digest === digest));
      const projected = projecting(links)(...history);
      projected.yields(Object.assign({}, ...blobs.map((blob) => held(blob, since(blob)))));
      const bytes = blobs.reduce((sum, { size }) => sum + size, 0);
      projected.addsUpTo(blobs.length === 0 ? {} : { links: blobs.length, bytes });
    }));
});
