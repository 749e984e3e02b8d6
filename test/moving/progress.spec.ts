import { expect } from 'chai';
import { type Progress, tellProgress } from '../../src/moving/progress.ts';

/** What is written while things are told, a quarter of a second apart. */
const written = (isTerminal: boolean, told: readonly Progress[]): readonly string[] => {
  const texts: string[] = [];
  let time = 0;
  const tell = tellProgress({ write: (text) => void texts.push(text), isTerminal, now: () => time });
  for (const progress of told) {
    tell(progress);
    time += 250;
  }
  return texts;
};

const steps = (count: number, of?: number): readonly Progress[] =>
  Array.from({ length: count }, (_, index) => ({ doing: 'Copying', done: 1000 * index, of }));

const shown = (text: string): string => text.replace('\r\x1b[2K', '⏎');

describe('Progress', () => {
  it('is one line on a terminal, written over once a second, until the step is finished', () => {
    const texts = written(true, [...steps(9, 16_000), { doing: 'Copying', done: 9000, of: 16_000, finished: true }]);
    expect(texts.map(shown)).to.deep.equal([
      '⏎Copying: 4,000 of 16,000 events (25 %), 4,000/s',
      '⏎Copying: 8,000 of 16,000 events (50 %), 4,000/s',
      '⏎Copying: 9,000 of 16,000 events (56 %), 4,000/s\n',
    ]);
  });

  it('is a line every few seconds elsewhere', () => {
    expect(written(false, steps(45))).to.deep.equal(['Copying: 20,000 events, 4,000/s\n', 'Copying: 40,000 events, 4,000/s\n']);
  });

  it('always tells the end of a step, however short', () => {
    const texts = written(false, [
      { doing: 'Copying', done: 1, of: 1, finished: true },
      { doing: 'Verifying', done: 1, of: 1, finished: true },
    ]);
    expect(texts).to.deep.equal(['Copying: 1 of 1 events (100 %)\n', 'Verifying: 1 of 1 events (100 %)\n']);
  });

  it('counts the speed of each step for itself, from where it began', () => {
    const texts = written(false, [
      { doing: 'Comparing', done: 0 },
      { doing: 'Copying', done: 500_000 },
      { doing: 'Copying', done: 501_000, unit: 'documents', finished: true },
    ]);
    expect(texts).to.deep.equal(['Copying: 501,000 documents, 4,000/s\n']);
  });

  it('says nothing of an amount that nobody knows, nor of none', () => {
    expect(written(false, [{ doing: 'Copying', done: 0, of: 0, finished: true }])).to.deep.equal(['Copying: 0 events\n']);
  });
});
