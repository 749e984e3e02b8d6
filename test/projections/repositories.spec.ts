import { repositories } from '../../src/projections/repositories.ts';
import {
  as,
  at,
  cleared,
  created,
  described,
  ended,
  given,
  image,
  imageOf,
  LIFE,
  layer,
  linked,
  NAME,
  push,
  released,
  remove,
  ruled,
  shownTo,
  withImage,
} from '../support/facts.ts';
import { projecting } from '../support/projecting.ts';
import { forAnyHistory, recordedOf } from '../support/repositoryCommands.ts';
import { NOTHING, statesOf } from '../support/repositoryModel.ts';

const team = {
  repositoryId: LIFE,
  name: NAME,
  ownerId: 7,
  visibility: 'private',
  createdAt: at(0),
  description: '',
  immutableTags: [] as readonly string[],
  hasReleasedAttachments: false,
} as const;

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

  it('are gone with their end, and what is cleared away afterwards does not bring them back', () =>
    projecting(repositories)(...withImage, ended(1, 0), cleared).yields({}));

  it('live on when something of a former life is recorded', () => {
    const second = { ...team, repositoryId: 'life-2', createdAt: at(1) };
    const again = { ...created, data: { ...created.data, repositoryId: 'life-2' } };
    const signature = imageOf('a signature', as('subject', image));
    for (const late of [ended(1, 0), ruled('v*'), released(signature, 'subjectDeleted'), cleared])
      projecting(repositories)(created, again, late).yields({ [NAME]: second });
  });

  it('know what is said of them, who may see them and whose they are', () => {
    projecting(repositories)(created, described('An app.')).yields({ [NAME]: { ...team, description: 'An app.' } });
    projecting(repositories)(created, shownTo('public')).yields({ [NAME]: { ...team, visibility: 'public' } });
    projecting(repositories)(created, given(9)).yields({ [NAME]: { ...team, ownerId: 9 } });
  });

  it('know by which rules their tags stay', () => {
    projecting(repositories)(created, ruled('v*', 'latest')).yields({ [NAME]: { ...team, immutableTags: ['v*', 'latest'] } });
    projecting(repositories)(created, ruled('v*'), ruled()).yields({ [NAME]: team });
  });

  it('know whether an attachment was ever released in them, and do not care for other manifests', () => {
    const signature = imageOf('a signature', as('subject', image));
    projecting(repositories)(created, released(image, 'tagMoved')).yields({ [NAME]: team });
    projecting(repositories)(created, released(signature, 'tagMoved')).yields({
      [NAME]: { ...team, hasReleasedAttachments: true },
    });
  });

  it('come to the same, whatever happens in them', () =>
    forAnyHistory((history) => {
      const { rules } = statesOf(history).at(-1) ?? NOTHING;
      const hasReleasedAttachments = history.some(
        ({ type, data }) => type === 'ManifestReleased' && 'subject' in (data as object),
      );
      const expected = { ...team, immutableTags: rules, hasReleasedAttachments };
      projecting(repositories)(...history).yields(history.length === 0 ? {} : { [NAME]: expected });
    }));
});
