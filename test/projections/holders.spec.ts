import { holders, holdersOf } from '../../src/projections/holders.ts';
import { created, LIFE, layer, linked, NAME, unlinked, withImage } from '../support/facts.ts';
import { projecting } from '../support/projecting.ts';

const key = `${holdersOf(layer.digest)}${NAME}`;

describe('the holders of a blob', () => {
  it('are the repositories that it is linked in', () =>
    projecting(holders)(created, linked(layer)).yields({ [key]: { repositoryId: LIFE } }));

  it('are one for each blob, and none for a manifest', () => {
    const digests = withImage.flatMap((fact) => (fact.type === 'BlobLinked' ? [fact.data.digest] : []));
    projecting(holders)(...withImage).yields(
      Object.fromEntries(digests.map((digest) => [`${holdersOf(digest)}${NAME}`, { repositoryId: LIFE }])),
    );
  });

  it('are gone with the link, and back with it', () => {
    projecting(holders)(created, linked(layer), unlinked(layer)).yields({});
    projecting(holders)(created, linked(layer), unlinked(layer), linked(layer)).yields({ [key]: { repositoryId: LIFE } });
  });

  it('of another life stay when the blobs of the former one are unlinked', () => {
    const again = { ...linked(layer), data: { ...linked(layer).data, repositoryId: 'life-2' } };
    projecting(holders)(linked(layer), again, unlinked(layer, 'repositoryDeleted')).yields({ [key]: { repositoryId: 'life-2' } });
    projecting(holders)(linked(layer), unlinked(layer, 'repositoryDeleted'), again).yields({ [key]: { repositoryId: 'life-2' } });
  });
});
