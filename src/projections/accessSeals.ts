import type { AccessSealEvents } from '../events/access.ts';
import { projection } from './projection.ts';

export type AccessSeal = AccessSealEvents['AccessDaySealed'];

/** Which days of the access log are sealed, and with what: one document a day, under its date. */
export const accessSeals = projection<AccessSeal, AccessSealEvents>({
  view: 'accessSeals',
  version: 1,
  indexes: [],
  keysOf: ({ data }) => [data.day],
  on: { AccessDaySealed: (_seal, { data }) => data },
});
