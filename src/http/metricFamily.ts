/** Names of labels and their values, of which there is a bounded number: never a path, a name or an address that somebody chose. */
export type Labels = Readonly<Record<string, string>>;

export type Sample = Readonly<{
  value: number;
  labels?: Labels;
  /** Of a histogram: the name of its sample, which is not that of the family. */
  name?: string;
}>;

/** A metric with its values as of a moment. `untyped`: what the documents call `…_total` although it also goes down. */
export type Family = Readonly<{
  name: string;
  help: string;
  type: 'counter' | 'gauge' | 'histogram' | 'untyped';
  samples: readonly Sample[];
}>;

/** Families that belong together, read at the moment of a scrape. What throws or takes too long is left out of it. */
export type Collector = Readonly<{ name: string; collect: () => readonly Family[] | Promise<readonly Family[]> }>;

const family =
  (type: Family['type']) =>
  (name: string, help: string, value: number | readonly Sample[]): Family => ({
    name: `ghostdock_${name}`,
    help,
    type,
    samples: typeof value === 'number' ? [{ value }] : value,
  });

export const counter = family('counter');
export const gauge = family('gauge');
export const untyped = family('untyped');

/** A sample for each entry, named by one label. */
export const by = (label: string, values: Readonly<Record<string, number>>): readonly Sample[] =>
  Object.entries(values).map(([name, value]) => ({ value, labels: { [label]: name } }));

/** Of what is in one of several states: 1 for that one, 0 for the others. */
export const states = (all: readonly string[], now: string, labels: Labels = {}): readonly Sample[] =>
  all.map((state) => ({ value: state === now ? 1 : 0, labels: { ...labels, state } }));

/** @param counts how many were at most so much, and the last beyond them all */
export const histogram = (
  name: string,
  help: string,
  rows: readonly Readonly<{ labels: Labels; bounds: readonly number[]; counts: readonly number[]; sum: number }>[],
): Family => {
  const full = `ghostdock_${name}`;
  const samples = rows.flatMap(({ labels, bounds, counts, sum }) => {
    let running = 0;
    const buckets = counts.map((count, index) => {
      running += count;
      const bound = bounds[index];
      return { name: `${full}_bucket`, value: running, labels: { ...labels, le: bound === undefined ? '+Inf' : String(bound) } };
    });
    return [...buckets, { name: `${full}_sum`, value: sum, labels }, { name: `${full}_count`, value: running, labels }];
  });
  return { name: full, help, type: 'histogram', samples };
};
