import type { SealAccessDay } from '../../src/commands/accessSeals.ts';
import type { Fact } from '../../src/events/event.ts';
import { accessDays } from '../support/deciding.ts';

const seal = { day: '2026-03-01', events: 2, entries: 5, dropped: 0, root: 'a'.repeat(64) };
const order = (changed: Partial<SealAccessDay> = {}): SealAccessDay => ({ type: 'SealAccessDay', ...seal, ...changed });
const sealed = (changed: Partial<SealAccessDay> = {}): Fact => ({ type: 'AccessDaySealed', data: { ...seal, ...changed } });

describe('sealing a day of the access log', () => {
  it('says what was recorded on it', () => accessDays().when(order()).thenRecords([sealed()]));

  it('is done for each day', () =>
    accessDays(sealed())
      .when(order({ day: '2026-03-02' }))
      .thenRecords([sealed({ day: '2026-03-02' })]));

  it('is done once, whatever a second node has found', () =>
    accessDays(sealed())
      .when(order({ entries: 6 }))
      .thenNothing());
});
