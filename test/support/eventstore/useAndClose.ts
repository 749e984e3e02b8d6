import { eventstoreEventLog } from '../../../src/events/log/eventstore.ts';
import { NO_STREAM } from '../../../src/events/log/log.ts';
import { events } from '../../contracts/eventLog/given.ts';

// Opens a log, appends, reads, follows, says so, waits for a word on its input, closes. Nothing else ends the process.
const [url = ''] = process.argv.slice(2);
const log = await eventstoreEventLog(url, { prefix: 'ours', appendTryMs: 200, appendTotalMs: 500, readMs: 300 });
await log.append(`ours.${crypto.randomUUID()}`, NO_STREAM, events(3));
const following = (async () => {
  let seen = 0;
  for await (const batch of log.follow('', { limit: 10 })) {
    seen += batch.length;
    if (seen === batch.length) process.stdout.write('follows\n');
  }
  process.stdout.write('followed\n');
})();
await new Promise((resolve) => process.stdin.once('data', resolve));
process.stdin.destroy();
const inVain = Promise.allSettled([log.append('ours.last', NO_STREAM, events(1)), log.head()]);
await log.close();
await Promise.all([following, inVain]);
process.stdout.write('closed\n');
