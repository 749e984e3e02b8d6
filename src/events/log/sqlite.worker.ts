import { parentPort, workerData } from 'node:worker_threads';
import { openForWriting } from './sqliteSchema.ts';
import { serveWriter } from './sqliteWriter.ts';

/** What `sqliteEventLog` gives its writer thread. */
export type WriterData = Readonly<{ path: string }>;

if (parentPort === null) throw new Error('This module is the writer thread of an event log. It does not run on its own.');
serveWriter(parentPort, openForWriting((workerData as WriterData).path));
