import { parentPort } from 'node:worker_threads';
import type { OrderMessage } from '../../src/blobs/orders.ts';

/** Dies of the first `discard`, answers everything else. */
parentPort?.on('message', (message: OrderMessage | 'end') => {
  if (message === 'end') return parentPort?.close();
  if (message.name === 'discard') throw new Error('out of memory');
  parentPort?.postMessage({ call: message.call, answer: true });
});
