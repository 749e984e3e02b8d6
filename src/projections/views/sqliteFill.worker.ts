import { parentPort, workerData } from 'node:worker_threads';
import { filler, type Rows } from './sqliteFill.ts';

// The writing half of a build: takes rows, answers each batch once it is committed, ends at null.

export type FillerData = Readonly<{ path: string; views: readonly string[] }>;

const { path, views } = workerData as FillerData;
const { write, close } = filler(path, views, Date.now);

parentPort?.on('message', (rows: readonly Rows[] | null) => {
  if (rows === null) {
    close();
    parentPort?.close();
    return;
  }
  write(rows);
  parentPort?.postMessage('written');
});
