import { fsync } from 'node:fs';
import { promisify } from 'node:util';
import { parentPort, workerData } from 'node:worker_threads';
import { claims } from './claims.ts';
import { countersIn } from './counters.ts';
import { layoutOf } from './layout.ts';
import { type AnswerMessage, faultOf, type OrderMessage, type Orders, type Piece, type WorkerSetup } from './orders.ts';
import { parts } from './parts.ts';
import { placing } from './placing.ts';
import { runningHashes } from './runningHashes.ts';
import { sessionFolders } from './sessionFolders.ts';

if (parentPort === null) throw new Error('This file is the inside of a worker thread.');
const port = parentPort;

const { root, counters: memory } = workerData as WorkerSetup;
const layout = layoutOf(root);
const counters = countersIn(memory);
const hashes = runningHashes();
const claimed = claims(layout);
const folders = sessionFolders(layout, counters);
const place = placing({ layout, counters, fsync: promisify(fsync), removeSession: folders.remove });

const orders: Orders = {
  begin: ({ id, file }) => folders.begin(id, file),
  ...parts({ layout, counters, hashes, digestWith: place.digestWith }),
  finish: ({ id, size, digest }) =>
    claimed(id, (beat) => place.verified({ id, size, digest, beat }, hashes.digest(id, size, digest))),
  replace: ({ id, size, digest }) => place.verified({ id, size, digest, beat: () => undefined }, digest),
  remove: ({ id }) => {
    hashes.forget(id);
    return folders.remove(id);
  },
  put: place.small,
};

const carryOut = async ({ call, name, order }: OrderMessage): Promise<AnswerMessage> => {
  try {
    // The sender's types say that name and order belong together.
    return { call, answer: await (orders[name] as (order: unknown) => unknown)(order) };
  } catch (error) {
    return { call, fault: faultOf(error) };
  }
};

const isPiece = (answer: unknown): answer is Piece => (answer as Piece | undefined)?.bytes instanceof ArrayBuffer;

port.on('message', async (message: OrderMessage | 'end') => {
  if (message === 'end') {
    // After the removals that are still under way.
    setImmediate(folders.close);
    return port.close();
  }
  const result = await carryOut(message);
  port.postMessage(result, isPiece(result.answer) ? [result.answer.bytes] : []);
});
