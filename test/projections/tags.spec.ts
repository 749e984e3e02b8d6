import { expect } from 'chai';
import { tagKey, tags } from '../../src/projections/tags.ts';
import { at, type Content, image, LIFE, otherImage, tagged, untagged, withImage } from '../support/facts.ts';
import { projecting } from '../support/projecting.ts';
import { forAnyHistory } from '../support/repositoryCommands.ts';
import { NOTHING, statesOf } from '../support/repositoryModel.ts';

const tag = (name: string, { digest }: Content, movedAt: string) => ({ [tagKey(LIFE, name)]: { name, digest, movedAt } });

describe('the tags', () => {
  it('are one document each, in their repository', () =>
    projecting(tags)(...withImage, tagged('latest', image), tagged('v1', image)).yields({
      ...tag('latest', image, at(4)),
      ...tag('v1', image, at(5)),
    }));

  it('point at what they were moved to last, since then', () =>
    projecting(tags)(tagged('latest', image), tagged('latest', otherImage, { digest: image.digest, since: at(0) })).yields(
      tag('latest', otherImage, at(1)),
    ));

  it('are gone when deleted, alone or with their manifest', () => {
    projecting(tags)(tagged('latest', image), untagged('latest', image, at(0))).yields({});
    projecting(tags)(tagged('latest', image), untagged('latest', image, at(0), 'manifestDeleted')).yields({});
  });

  it('come back when they are set again', () =>
    projecting(tags)(tagged('latest', image), untagged('latest', image, at(0)), tagged('latest', image)).yields(
      tag('latest', image, at(2)),
    ));

  it('of one repository stand together, before those of one whose id only begins like it', () => {
    const keys = [tagKey('life-1', 'z'), tagKey('life-10', 'a'), tagKey('life-1', '_'), tagKey('life-1', 'A')];
    expect(keys.filter((key) => key.startsWith(tagKey('life-1', '')))).to.have.lengthOf(3);
  });

  it('are what the history says, whatever it was', () =>
    forAnyHistory((history) => {
      const pointers = [...(statesOf(history).at(-1) ?? NOTHING).tags];
      const moved = (name: string): string =>
        at(history.findLastIndex(({ type, data }) => type === 'TagMoved' && (data as { tag: string }).tag === name));
      const expected = pointers.map(([name, digest]) => [tagKey(LIFE, name), { name, digest, movedAt: moved(name) }] as const);
      projecting(tags)(...history).yields(Object.fromEntries(expected));
    }));
});
