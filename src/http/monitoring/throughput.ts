import type { FastifyInstance } from 'fastify';
import type { Category, Rate, Rates } from '../../live/throughput.ts';
import type { HttpDeps } from '../deps.ts';
import { described } from '../described.ts';
import { answer } from '../schemas.ts';
import { answers, TIMESTAMP } from './schemas.ts';

/** How the categories are called where they are asked for. Streams call them as the registry does. */
const NAMES = {
  blobUpload: 'BLOB_UPLOAD',
  blobDownload: 'BLOB_DOWNLOAD',
  manifestUpload: 'MANIFEST_UPLOAD',
  manifestDownload: 'MANIFEST_DOWNLOAD',
} as const satisfies Readonly<Record<Category, string>>;

const BYTES_PER_SECOND = { type: 'number', minimum: 0 } as const;
const RATE = answer({
  current: { ...BYTES_PER_SECOND, description: 'Bytes per second, over the last second.' },
  average: { ...BYTES_PER_SECOND, description: 'Bytes per second, over the last 5 s.' },
  totalBytes: { type: 'integer', minimum: 0, description: 'Bytes of the last second.' },
});
const ANSWER = answer({
  timestamp: TIMESTAMP,
  categories: answer(Object.fromEntries(Object.values(NAMES).map((name) => [name, RATE]))),
  overall: answer({ read: RATE, write: RATE, total: RATE }),
});

const sum = (...rates: readonly Rate[]): Rate => ({
  current: rates.reduce((all, { current }) => all + current, 0),
  average: rates.reduce((all, { average }) => all + average, 0),
  totalBytes: rates.reduce((all, { totalBytes }) => all + totalBytes, 0),
});

const overallOf = ({ blobUpload, blobDownload, manifestUpload, manifestDownload }: Rates) => {
  const read = sum(blobDownload, manifestDownload);
  const write = sum(blobUpload, manifestUpload);
  return { read, write, total: sum(read, write) };
};

/** What the stream of the throughput tells. */
export const throughputUpdateOf = (rates: Rates) => ({ timestamp: Date.now(), categories: rates, overall: overallOf(rates) });

/** `GET /api/throughput/current` */
export const throughputRoutes = (app: FastifyInstance, deps: HttpDeps): void => {
  described(app, '/throughput/current', {
    GET: {
      action: 'monitor',
      schema: {
        summary: 'The bytes that this node moves, of blobs and manifests, up and down.',
        description: 'Bytes count as they come and go, not when a transfer ends.',
        tags: ['Monitoring'],
        response: answers(ANSWER),
      },
      handler: async () => {
        const { categories, ...rest } = throughputUpdateOf(deps.live.throughput.rates());
        const named = Object.entries(NAMES).map(([category, name]) => [name, categories[category as Category]]);
        return { ...rest, categories: Object.fromEntries(named) };
      },
    },
  });
};
