import { repositories } from '../../src/projections/repositories.ts';
import { at, created, image, LIFE, layer, linked, NAME, push, remove, withImage } from '../support/facts.ts';
import { projecting } from '../support/projecting.ts';
import { forAnyHistory, recordedOf } from '../support/repositoryCommands.ts';

const team = { repositoryId: LIFE, name: NAME, ownerId: 7, visibility: 'private', createdAt: at(0) } as const;

describe('the repositories', () => {
  it('are there from their first event on, with their owner and when that was', () =>
    projecting(repositories)(created).yields({ [NAME]: team }));

  it('may have no owner', () =>
    projecting(repositories)({ ...created, data: { ...created.data, ownerId: null } }).yields({
      [NAME]: { ...team, ownerId: null },
    }));

  it('do not change with what they hold', () => projecting(repositories)(...withImage, linked(layer)).yields({ [NAME]: team }));

  it('stay when nothing is left in them', async () =>
    projecting(repositories)(...(await recordedOf([push({ ...image, references: [] }), remove(image)]))).yields({
      [NAME]: { ...team, createdAt: at(0) },
    }));

  it('have another id in another life', () => {
    const again = { ...created, data: { ...created.data, repositoryId: 'life-2', ownerId: 8 } };
    projecting(repositories)(created, again).yields({
      [NAME]: { ...team, repositoryId: 'life-2', ownerId: 8, createdAt: at(1) },
    });
  });

  it('come to the same, whatever happens in them', () =>
    forAnyHistory((history) => projecting(repositories)(...history).yields(history.length === 0 ? {} : { [NAME]: team })));
});
