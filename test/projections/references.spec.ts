import { expect } from 'chai';
import { digestOf } from '../../src/oci/digest.ts';
import { attachedTo, heldBy, listedBy, references, releasedFrom, taggedBy } from '../../src/projections/references.ts';
import {
  as,
  at,
  type Content,
  config,
  content,
  created,
  heldAgain,
  image,
  imageOf,
  index,
  LIFE,
  layer,
  linked,
  otherImage,
  pushed,
  released,
  removed,
  tagged,
  untagged,
  withImage,
} from '../support/facts.ts';
import { projecting } from '../support/projecting.ts';
import { forAnyHistory } from '../support/repositoryCommands.ts';
import { NOTHING, statesOf } from '../support/repositoryModel.ts';

const byManifest = ({ digest }: Content, holder: Content) => `${heldBy(LIFE, digest)}manifest/${holder.digest}`;
const byIndex = ({ digest }: Content, holder: Content) => `${listedBy(LIFE, digest)}${holder.digest}`;
const byAttached = ({ digest }: Content, holder: Content) => `${attachedTo(LIFE, digest)}${holder.digest}`;
const byReleased = ({ digest }: Content, holder: Content) => `${releasedFrom(LIFE, digest)}${holder.digest}`;
const byTag = ({ digest }: Content, tag: string) => `${taggedBy(LIFE, digest)}${tag}`;
const edges = (...keys: readonly string[]) => Object.fromEntries(keys.map((key) => [key, {}]));

describe('the references', () => {
  it('have nothing for a blob that is only linked', () => projecting(references)(created, linked(layer)).yields({}));

  it('say that a manifest holds all that it names', () =>
    projecting(references)(...withImage).yields(edges(byManifest(config, image), byManifest(layer, image))));

  it('say that an index holds its manifests, and an attachment its subject', () => {
    const signature = imageOf('a signature', as('subject', image));
    projecting(references)(pushed(index), pushed(signature)).yields(
      edges(byIndex(image, index), byIndex(otherImage, index), byAttached(image, signature)),
    );
  });

  it('keep apart the attachments that were released, and bring them back', () => {
    const signature = imageOf('a signature', as('subject', image));
    const letGo = released(signature, 'subjectDeleted');
    projecting(references)(pushed(signature), letGo).yields(edges(byReleased(image, signature)));
    projecting(references)(pushed(signature), letGo, heldAgain(signature, 'subject')).yields(edges(byAttached(image, signature)));
    projecting(references)(pushed(signature), letGo, removed(signature)).yields({});
  });

  it('say once what a manifest names in two roles', () => {
    const twice = imageOf('its config is its layer', as('config', layer), as('layer', layer));
    projecting(references)(pushed(twice)).yields(edges(byManifest(layer, twice)));
    projecting(references)(pushed(twice), removed(twice)).yields({});
  });

  it('forget a manifest that was deleted, and keep what others hold', () =>
    projecting(references)(...withImage, pushed(otherImage), removed(image)).yields(
      edges(...otherImage.references.map((reference) => byManifest(reference, otherImage))),
    ));

  it('say that a tag holds the manifest that it points at', () =>
    projecting(references)(tagged('latest', image), tagged('v1', image)).yields(
      edges(byTag(image, 'latest'), byTag(image, 'v1')),
    ));

  it('say that a tag that moved holds the new one only', () =>
    projecting(references)(tagged('latest', image), tagged('latest', otherImage, { digest: image.digest, since: at(0) })).yields(
      edges(byTag(otherImage, 'latest')),
    ));

  it('forget a tag that was deleted', () =>
    projecting(references)(tagged('latest', image), untagged('latest', image, at(0))).yields({}));

  it('keep digests of either algorithm apart, and repositories', () => {
    const long = { ...content('long'), digest: digestOf('long', 'sha512') };
    projecting(references)(pushed(imageOf('of long', as('layer', long)))).yields(
      edges(byManifest(long, imageOf('of long', as('layer', long)))),
    );
    expect(heldBy('life-10', image.digest).startsWith(heldBy('life-1', image.digest))).to.equal(false);
    expect(taggedBy(LIFE, image.digest).startsWith(heldBy(LIFE, image.digest))).to.equal(true);
  });

  it('are what the history says, whatever it was', () =>
    forAnyHistory((history) => {
      const { manifests, tags, released: letGo } = statesOf(history).at(-1) ?? NOTHING;
      const edge = (holder: Content) => ({
        config: byManifest,
        layer: byManifest,
        manifest: byIndex,
        subject: letGo.has(holder.digest) ? byReleased : byAttached,
      });
      const named = [...manifests].flatMap(([digest, all]) =>
        all.map((one) => edge({ digest, size: 0 })[one.role](one, { digest, size: 0 })),
      );
      const pointed = [...tags].map(([tag, digest]) => byTag({ digest, size: 0 }, tag));
      projecting(references)(...history).yields(edges(...named, ...pointed));
    }));
});
