import { expect } from 'chai';
import { refusals } from '../../src/access/refusals.ts';
import { RegistryError } from '../../src/errors.ts';
import type { AccessEntry } from '../../src/events/access.ts';
import { unhandledIn } from '../support/unhandled.ts';
import { refusal } from './entries.ts';

const MINUTE = 60_000;

const counting = (mostKinds?: number) => {
  const recorded: AccessEntry[] = [];
  let ms = 0;
  const record = (entry: AccessEntry): undefined => {
    recorded.push(entry);
    return undefined;
  };
  const { refused, close } = refusals({ record, now: () => ms, ...(mostKinds !== undefined && { mostKinds }) });
  return {
    recorded,
    close,
    refuse: (times: number, changed: Partial<AccessEntry> = {}): void => {
      for (let n = 0; n < times; n += 1) refused(refusal(changed));
    },
    pass: (by: number): void => {
      ms += by;
    },
    /** How many were recorded one by one, and how many are counted. */
    sums: () => [
      recorded.filter(({ count }) => count === undefined).length,
      recorded.reduce((sum, { count = 0 }) => sum + count, 0),
    ],
  };
};

describe('Refusals on record', () => {
  it('are recorded one by one up to twenty equal ones a minute', () => {
    const { refuse, close, sums } = counting();
    refuse(20);
    close();
    expect(sums()).to.deep.equal([20, 0]);
  });

  it('are one count beyond that, with when the first and the last of them came', () => {
    const { refuse, close, recorded, sums } = counting();
    const last = '2026-03-01T12:00:59.000Z';
    refuse(20);
    refuse(1, { requestId: 'the first that is counted' });
    refuse(979);
    refuse(1, { at: last });
    close();
    expect(sums()).to.deep.equal([20, 981]);
    expect(recorded.at(-1)).to.include({ requestId: 'the first that is counted', until: last, count: 981 });
  });

  it('count anew each minute', () => {
    const { refuse, pass, close, sums } = counting();
    refuse(25);
    pass(MINUTE);
    refuse(25);
    expect(sums()).to.deep.equal([40, 5]);
    close();
    expect(sums()).to.deep.equal([40, 10]);
  });

  it('are equal whatever the tag, and not of another address, actor, action, reason or repository', () => {
    const { refuse, close, sums } = counting();
    for (let n = 0; n < 30; n += 1) refuse(1, { resource: `team/app:${n}` });
    for (const changed of [
      { ip: '203.0.113.6' },
      { actor: 'user:8' },
      { attempted: 'DELETE /v2/:name/manifests/:reference' },
      { reason: 'UNAUTHENTICATED' },
      { resource: 'team/other:0' },
    ])
      refuse(20, changed);
    close();
    expect(sums()).to.deep.equal([120, 10]);
  });

  it('of more kinds than are told apart are one kind, so that a flood of addresses takes no room', () => {
    const { refuse, close, sums, recorded } = counting(50);
    for (let n = 0; n < 500; n += 1) refuse(1, { ip: `10.0.${n >> 8}.${n & 255}` });
    close();
    expect(sums()).to.deep.equal([50, 450]);
    expect(recorded.at(-1)).to.include({ ip: '', actor: 'anonymous:many', count: 450 });
  });

  it('leave no failure behind that nobody waits for, when a count cannot be recorded', async () => {
    const record = () => Promise.reject(new RegistryError('UNAVAILABLE', 'The log is away.'));
    const { refused, close } = refusals({ record, mostKinds: 1 });
    const failures = await unhandledIn(async () => {
      for (let n = 0; n < 21; n += 1) await refused(refusal())?.catch(() => undefined);
      refused(refusal({ ip: '192.0.2.200' }));
      close();
    });
    expect(failures).to.deep.equal([]);
  });
});
