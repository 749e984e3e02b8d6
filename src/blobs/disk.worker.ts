import { parentPort, workerData } from 'node:worker_threads';
import { claims } from './claims.ts';
import { countersIn } from './counters.ts';
import { layoutOf } from './layout.ts';
import { type AnswerMessage, faultOf, type OrderMessage, type Orders, type Piece, type WorkerSetup } from './orders.ts';
import { parts } from './parts.ts';
import { placing } from './placing.ts';
import { runningHashes } from './runningHashes.ts';
import { beginSession, removeSession } from './sessionFolder.ts';

if (parentPort === null) throw new Error('This file is the inside of a worker thread.');
const port = parentPort;

const { root, counters: memory } = workerData as WorkerSetup;
const layout = layoutOf(root);
const counters = countersIn(memory);
const hashes = runningHashes();
const claimed = claims(layout);
const place = placing({ layout, counters });

const orders: Orders = {
  begin: ({ id, file }) => beginSession(layout, counters, id, file),
  ...parts({ layout, counters, hashes }),
  finish: ({ id, size, digest }) =>
    claimed(id, (beat) => place.verified({ id, size, digest, beat }, hashes.digest(id, size, digest))),
  replace: ({ id, size, digest }) => place.verified({ id, size, digest, beat: () => undefined }, digest),
  remove: ({ id }) => {
    hashes.forget(id);
    return removeSession(layout, id);
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
  // What is still under way (removing files of a session that is over) ends before the thread does.
  if (message === 'end') return port.close();
  const result = await carryOut(message);
  port.postMessage(result, isPiece(result.answer) ? [result.answer.bytes] : []);
});
