import { expect } from 'chai';
import { type ErrorCode, RegistryError } from '../../src/errors.ts';

/** Waits for a promise to be refused with this code. @returns the refusal */
export const refused = async (promise: Promise<unknown>, code: ErrorCode): Promise<RegistryError> => {
  const outcome = await promise.then(
    () => 'nothing was refused',
    (error: unknown) => error,
  );
  expect(outcome, String((outcome as Error).stack ?? outcome)).to.be.instanceOf(RegistryError);
  expect(outcome).to.have.property('code', code);
  return outcome as RegistryError;
};

/** Waits for a promise to fail. @returns why */
export const failed = async (promise: Promise<unknown>): Promise<Error> => {
  const outcome = await promise.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(outcome).to.be.instanceOf(Error);
  return outcome as Error;
};
