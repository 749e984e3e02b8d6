import { sqliteEventLog } from '../../src/events/log/sqlite.ts';
import { sqliteGeneration } from '../../src/projections/views/sqliteGeneration.ts';
import { rebuildInThread } from '../../src/projections/views/sqliteRebuild.ts';
import { seen } from './projecting.ts';
import { toys } from './toys.ts';

// A process that builds the toy views from a log, to be killed: `node toyGeneration.ts LOG FOLDER` says over and over how far it is.

const [, , path = '', folder = ''] = process.argv;
const log = await sqliteEventLog(path);
const generation = sqliteGeneration({
  folder,
  group: toys,
  log,
  prepare: seen,
  build: rebuildInThread(new URL('./toyRebuild.worker.ts', import.meta.url), { log: path }),
  onError: (error) => console.error(error),
});
const saying = setInterval(() => console.log(`building ${generation.status().building?.events ?? 0}`), 5);
await generation.ready;
clearInterval(saying);
console.log('ready');
