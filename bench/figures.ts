/** One line of the results: what was asked, and what came out, its number first and then its unit. */
export type Figure = Readonly<{ question: string; figure: string }>;

export type Verdict = Readonly<{ target: string; met: 'yes' | 'no' | 'not measured' | '' }>;

type Target = Readonly<{ of: RegExp; unit: string } & ({ atLeast: number } | { atMost: number })>;

const TARGETS: readonly Target[] = [
  { of: /^manifest GET/, atLeast: 12, unit: '×' },
  { of: /^push,/, atLeast: 2, unit: '×' },
  { of: /^pull,/, atLeast: 1.3, unit: '×' },
  { of: /^appends, 100 at a time/, atLeast: 30_000, unit: 'events/s' },
  { of: /^rebuild/, atLeast: 35_000, unit: 'events/s' },
  { of: /^credentials, (Basic|Bearer|.* made from)/, atLeast: 0.95, unit: '×' },
  { of: /^start with 1,000,000 events/, atMost: 2, unit: 's' },
];

const numberOf = (figure: string): number => Number(/^[\d,]*\.?\d+/.exec(figure)?.[0].replaceAll(',', ''));

/** What a figure should have been, and whether it was. A figure in another unit (no other registry to compare with) was not measured. */
export const verdictOn = ({ question, figure }: Figure): Verdict => {
  const target = TARGETS.find(({ of }) => of.test(question));
  if (target === undefined) return { target: '', met: '' };
  const { unit } = target;
  const reached = numberOf(figure);
  const [wanted, met] =
    'atLeast' in target
      ? [`≥ ${target.atLeast.toLocaleString('en')}`, reached >= target.atLeast]
      : [`≤ ${target.atMost.toLocaleString('en')}`, reached <= target.atMost];
  const measured = figure.split(/[\s(;]+/)[1] === unit;
  return { target: `${wanted} ${unit}`, met: measured ? (met ? 'yes' : 'no') : 'not measured' };
};

export const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;

/** Three significant digits, and commas. */
export const rounded = (value: number): string => Number(value.toPrecision(3)).toLocaleString('en', { maximumFractionDigits: 3 });
