import { referrerKey, referrers, subjectKey } from '../../src/projections/referrers.ts';
import { as, config, content, image, imageOf, LIFE, layer, otherImage, pushed, removed, tagged } from '../support/facts.ts';
import { projecting } from '../support/projecting.ts';

const signature = imageOf('a signature', as('config', config), as('layer', layer), as('subject', image));
const typed = { ...pushed(signature), data: { ...pushed(signature).data, artifactType: 'application/vnd.example.signature' } };
const listed = {
  [referrerKey(LIFE, image.digest, signature.digest)]: {
    subject: subjectKey(LIFE, image.digest),
    digest: signature.digest,
    mediaType: signature.mediaType,
    size: signature.size,
  },
};

describe('the referrers', () => {
  it('are the manifests that name a subject, whether it is there or not', () => {
    projecting(referrers)(pushed(signature)).yields(listed);
    projecting(referrers)(pushed(image), pushed(signature), tagged('signed', signature)).yields(listed);
  });

  it('are none of the manifests that name other things', () =>
    projecting(referrers)(pushed(image), pushed(otherImage)).yields({}));

  it('keep their artifact type', () => {
    const [[key, referrer] = ['', {}]] = Object.entries(listed);
    projecting(referrers)(typed).yields({ [key]: { ...referrer, artifactType: 'application/vnd.example.signature' } as never });
  });

  it('are gone when they are deleted, and stay when their subject is', () => {
    projecting(referrers)(pushed(signature), removed(signature)).yields({});
    projecting(referrers)(pushed(image), pushed(signature), removed(image)).yields(listed);
  });

  it('stand apart by their subject', () => {
    const other = imageOf('another signature', as('subject', content('somewhere else')));
    projecting(referrers)(pushed(signature), pushed(other)).yields({
      ...listed,
      [referrerKey(LIFE, content('somewhere else').digest, other.digest)]: {
        subject: subjectKey(LIFE, content('somewhere else').digest),
        digest: other.digest,
        mediaType: other.mediaType,
        size: other.size,
      },
    });
  });
});
