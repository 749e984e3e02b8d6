import { RegistryError } from '../../errors.ts';
import type { Fault } from './views.ts';

/** What the readers of a view get whose reducer threw. */
export const faulted = (view: string, { position, type }: Fault): RegistryError =>
  new RegistryError('UNAVAILABLE', `The view "${view}" stopped at an event that it could not read. A rebuild brings it back.`, {
    view,
    position,
    type,
  });
