import { randomUUID } from 'node:crypto';
import { NO_STREAM } from '../../../src/events/log/log.ts';
import { sqliteEventLog } from '../../../src/events/log/sqlite.ts';
import { anEvent } from '../../contracts/eventLog/given.ts';

// Appends until it is killed, and writes a line for each append once it is acknowledged: `<stream> <revision> <position> <batch>`.
// Each event says which batch it belongs to and how many events that has.
const [path = '', appenders = '8'] = process.argv.slice(2);
const log = await sqliteEventLog(path);

const appendForever = async (index: number): Promise<never> => {
  const stream = `appender-${index}`;
  const [last] = await log.readStream(stream, { direction: 'backwards', limit: 1 });
  for (let expected = last?.revision ?? NO_STREAM; ; ) {
    const batch = randomUUID();
    const of = 1 + ((expected + 1) % 5);
    const added = Array.from({ length: of }, (_, part) => anEvent({ batch, part, of }));
    const { revision, position } = await log.append(stream, expected, added);
    await new Promise((written) => process.stdout.write(`${stream} ${revision} ${position} ${batch}\n`, written));
    expected = revision;
  }
};

await Promise.all(Array.from({ length: Number(appenders) }, (_, index) => appendForever(index)));
