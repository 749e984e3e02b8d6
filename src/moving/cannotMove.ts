/**
 * Why something was not moved, in sentences for a person. `refused`: what was asked for makes no sense here. `different`: the other
 * side does not hold what it should. `stopped`: by a signal or a failing store; the same command goes on there.
 */
export type Reason = 'refused' | 'different' | 'stopped';

export class CannotMove extends Error {
  override readonly name = 'CannotMove';
  readonly reason: Reason;

  constructor(reason: Reason, message: string, options: { cause?: unknown } = {}) {
    super(message, options);
    this.reason = reason;
  }
}

export const refused = (message: string, cause?: unknown): CannotMove => new CannotMove('refused', message, { cause });

/** @throws CannotMove once the signal was given */
export const goOn = (signal: AbortSignal | undefined, done: string): void => {
  if (signal?.aborted === true) throw new CannotMove('stopped', `Stopped: ${done}.`);
};
