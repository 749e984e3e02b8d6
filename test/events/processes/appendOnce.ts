import { NO_STREAM } from '../../../src/events/log/log.ts';
import { sqliteEventLog } from '../../../src/events/log/sqlite.ts';
import { events } from '../../contracts/eventLog/given.ts';
import { FAILING_COMMIT, faultyWriter, noFaults, SQLITE_IOERR_FSYNC } from './faults.ts';

// Opens a log, appends, closes. Told to fail, its disk fails under the append.
const [path = '', fail] = process.argv.slice(2);
const faults = noFaults();
if (fail === 'fail') faults[FAILING_COMMIT] = SQLITE_IOERR_FSYNC;
const log = await sqliteEventLog(path, fail === undefined ? {} : { startWriter: faultyWriter(faults) });
await log.append('a', NO_STREAM, events(1));
await log.close();
console.log('closed');
