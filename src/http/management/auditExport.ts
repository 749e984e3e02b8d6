import type { FastifyBaseLogger } from 'fastify';
import type { HttpDeps } from '../deps.ts';
import { LOG_FIELDS, type LogAnswered, logsAnswered } from './auditAnswers.ts';
import { type Found, type MergedTrails, mergedTrails, type Order, type Scan } from './auditMerge.ts';

/** Entries of each log that are read, named and written at a time: all that an export holds. */
export const EXPORTED_AT_ONCE = 500;

export type ExportFormat = Readonly<{ type: string; head: string; lineOf: (answered: LogAnswered) => string }>;

const COLUMNS = Object.keys(LOG_FIELDS) as readonly (keyof LogAnswered)[];

/** A spreadsheet takes for a formula what begins so (OWASP, *CSV Injection*). The apostrophe itself, so that one can be taken away again. */
const FORMULA = /^[=+\-@\t\r\n']/;
const QUOTED = /[",\r\n]/;

/** RFC 4180. A text that a spreadsheet would calculate gets an apostrophe in front. */
const cellOf = (value: string | number | null): string => {
  if (typeof value !== 'string') return value === null ? '' : String(value);
  const text = FORMULA.test(value) ? `'${value}` : value;
  return QUOTED.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
};

export const EXPORT_FORMATS: Readonly<Record<'csv' | 'ndjson', ExportFormat>> = {
  csv: {
    type: 'text/csv; charset=utf-8; header=present',
    head: `${COLUMNS.join(',')}\r\n`,
    lineOf: (answered) => `${COLUMNS.map((column) => cellOf(answered[column])).join(',')}\r\n`,
  },
  ndjson: {
    type: 'application/x-ndjson; charset=utf-8',
    head: '',
    lineOf: (answered) => `${JSON.stringify(answered)}\n`,
  },
};

/** What may be asked for by `Accept`, where no format is named. */
export const formatFor = (accept: string | undefined): keyof typeof EXPORT_FORMATS =>
  accept?.toLowerCase().includes('text/csv') === true ? 'csv' : 'ndjson';

/** What is added while an export in the order of time goes on is not its own: else one of a busy registry might never end. */
const upToNow = (scans: readonly Scan[]): Promise<readonly Scan[]> =>
  Promise.all(
    scans.map(async (scan) => {
      const { items } = await scan.views.find(scan.view, { where: scan.where, sort: ['-key'], limit: 1 });
      const last = items[0]?.key;
      // The only condition that a scan has of its keys is a range.
      return last === undefined
        ? scan
        : { ...scan, where: { ...scan.where, key: { ...(scan.where.key as object), $lte: last } } };
    }),
  );

export type Exporting = Readonly<{ deps: HttpDeps; scans: readonly Scan[]; order: Order; log: FastifyBaseLogger }>;

async function* linesOf(
  { head, lineOf }: ExportFormat,
  { deps, log }: Exporting,
  trail: MergedTrails,
  first: readonly Found[],
): AsyncGenerator<string> {
  yield head;
  for (let found = first; found.length > 0; found = await trail.next()) {
    const fitting = found.filter(({ fits }) => fits);
    yield (await logsAnswered(deps, fitting, log)).map(lineOf).join('');
  }
}

/**
 * The lines of an export, a page at a time. The first one is read by the time that this resolves: where the views can't be read, that is
 * refused, and no file is begun.
 */
export const openExport = async (format: ExportFormat, exporting: Exporting): Promise<AsyncGenerator<string>> => {
  const { scans, order } = exporting;
  const trail = mergedTrails(order === 'asc' ? await upToNow(scans) : scans, { order, pageSize: EXPORTED_AT_ONCE });
  return linesOf(format, exporting, trail, await trail.next());
};
