import { RegistryError } from '../errors.ts';
import type { Reason } from '../identity/authorize.ts';
import type { Caller } from '../identity/caller.ts';
import type { Refusing } from './permit.ts';

/** Who is not logged in is told to, and everybody else that this is not for him. */
export const denialOf = (caller: Caller, reason: Reason): RegistryError => {
  if (caller.kind === 'anonymous') return new RegistryError('UNAUTHENTICATED', 'Log in first.');
  return new RegistryError('DENIED', reason === 'tokenScope' ? 'This token was not issued for that.' : 'You may not do this.');
};

/** How the surfaces that are not docker's refuse in front of every route. */
export const denying: Refusing = ({ caller, reason }) => denialOf(caller, reason);
