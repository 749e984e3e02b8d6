import { expect } from 'chai';
import { RegistryError } from '../../src/errors.ts';
import type { Position } from '../../src/events/event.ts';
import type { HttpDeps } from '../../src/http/deps.ts';
import { isUpToDate, upToDate } from '../../src/http/reported.ts';
import { positionOf } from '../support/projecting.ts';

type Deps = Pick<HttpDeps, 'views' | 'reporting' | 'reported'>;

const depsWith = (checkpoint: () => Promise<Position>, reported: Deps['reported']): Deps =>
  ({ views: { checkpoint: async () => positionOf(7) }, reporting: { checkpoint }, reported }) as unknown as Deps;
const answering = async () => positionOf(3);
const rejecting = (error: Error) => async () => Promise.reject(error);

describe('whether the reporting views show what the serving ones do', () => {
  it('is so once they have reached what the serving ones show', async () => {
    const asked: Position[] = [];
    const deps = depsWith(answering, async (position) => asked.push(position) > 0);
    expect(await isUpToDate(deps)).to.equal(true);
    expect(await upToDate(deps)).to.equal(positionOf(7));
    expect(asked).to.deep.equal([positionOf(7), positionOf(7)]);
  });

  it('is not so when they do not reach it in time: who needs them is refused, others do without', async () => {
    const deps = depsWith(answering, async () => false);
    expect(await isUpToDate(deps)).to.equal(false);
    const refusal = await upToDate(deps).catch((error: unknown) => error);
    expect(refusal).to.be.instanceOf(RegistryError).and.to.include({ code: 'UNAVAILABLE' });
  });

  it('is not waited for while they are being built or away', async () => {
    const away = rejecting(new RegistryError('UNAVAILABLE', 'The views are being built.'));
    const waiting = () => expect.fail('This would have waited.');
    expect(await isUpToDate(depsWith(away, waiting))).to.equal(false);
  });

  it('is no way to hide a defect', async () => {
    const failing = depsWith(rejecting(new TypeError('a defect')), async () => true);
    expect(await isUpToDate(failing).catch(String)).to.equal('TypeError: a defect');
  });
});
