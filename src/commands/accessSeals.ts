import type { AccessSealEvents } from '../events/access.ts';
import type { Fact } from '../events/event.ts';
import { type AccessSeal, accessSeals } from '../projections/accessSeals.ts';
import { type Decider, document } from './decider.ts';

export type SealAccessDay = AccessSeal & Readonly<{ type: 'SealAccessDay' }>;

/** A day of the access log is sealed once, whoever comes first. */
export const accessSealsDecider: Decider<SealAccessDay> = {
  keysOf: ({ day }) => ({ documents: [document(accessSeals, day)] }),
  decide: ({ type: _order, ...seal }, documents): readonly Fact<'AccessDaySealed', AccessSealEvents['AccessDaySealed']>[] =>
    documents.get(accessSeals, seal.day) === undefined ? [{ type: 'AccessDaySealed', data: seal }] : [],
};
