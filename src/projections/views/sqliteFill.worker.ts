import { parentPort, workerData } from 'node:worker_threads';
import { type Batch, filler } from './sqliteFill.ts';

// The writing half of a build: takes documents, answers each message once it is committed, ends at null.

export type FillerData = Readonly<{ path: string; views: readonly string[] }>;

const { path, views } = workerData as FillerData;
const { write, close } = filler(path, views, Date.now);

parentPort?.on('message', (batches: readonly Batch[] | null) => {
  if (batches === null) {
    close();
    parentPort?.close();
    return;
  }
  write(batches);
  parentPort?.postMessage('written');
});
