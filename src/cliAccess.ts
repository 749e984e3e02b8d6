import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { parseArgs } from 'node:util';
import { type Verified, verifyDays } from './access/verify.ts';
import { counted, locked, mustHaveLog, type Verb, withClosing } from './cliMoving.ts';
import { readConfig } from './config.ts';
import { accessStreamsUnder, streamsUnder } from './events/streams.ts';
import { accessLogPlaceOf, logPlaceOf, openLog } from './stores.ts';
import { UsageError } from './usageError.ts';

export const ACCESS_USAGE = `  access verify         Computes the seals of the access log's days anew from its records, and compares them with those among the facts.
                        With --day 2026-01-31 that of one day.`;

/** Records of the access log are not those that were sealed. */
export class NotAsSealed extends Error {
  override readonly name = 'NotAsSealed';
}

const WORDS: Readonly<Record<Verified['finding'], string>> = {
  asSealed: 'as sealed',
  dropped: 'dropped, after its retention',
  missing: 'MISSING: its records are gone before their time',
  different: 'DIFFERENT from what was sealed',
};

const lineOf = ({ seal, finding }: Verified): string =>
  `${seal.day}  ${counted(seal.events, 'event')}, root ${seal.root}: ${WORDS[finding]}`;

/** @throws NotAsSealed; UsageError where the day is not sealed */
const verify: Verb = async (args, { print }) => {
  const { values } = parseArgs({ args, options: { day: { type: 'string' } } });
  const { day } = values;
  if (day !== undefined && !/^\d{4}-\d\d-\d\d$/.test(day)) throw new UsageError('Which day? --day 2026-01-31');
  const config = readConfig();
  mustHaveLog(config);
  const [factsPlace, accessPlace] = [logPlaceOf(config), accessLogPlaceOf(config)];
  if ('file' in accessPlace) await mkdir(dirname(accessPlace.file), { recursive: true, mode: 0o700 });
  let [days, wrong] = [0, 0];
  await locked('file' in factsPlace ? [config.dataDir] : [], () =>
    withClosing(openLog(factsPlace), (facts) =>
      withClosing(openLog(accessPlace), async (log) => {
        const streams = accessStreamsUnder(config.streamPrefix);
        const seals = streamsUnder(config.streamPrefix).accessSeals;
        for await (const verified of verifyDays({ facts, seals, log, streams, ...(day !== undefined && { day }) })) {
          days += 1;
          if (verified.finding === 'missing' || verified.finding === 'different') wrong += 1;
          print(lineOf(verified));
        }
      }),
    ),
  );
  if (days === 0) throw new UsageError(day === undefined ? 'No day is sealed yet.' : `${day} is not sealed.`);
  if (wrong > 0) throw new NotAsSealed(`${counted(wrong, 'day')} of ${days} not as sealed.`);
  return `${counted(days, 'day')}: all records are as they were sealed.`;
};

export const accessVerb: Verb = async ([command, ...args], surroundings) => {
  if (command !== 'verify') throw new UsageError(`What about the access log?\n\n${ACCESS_USAGE}`);
  return verify(args, surroundings);
};
