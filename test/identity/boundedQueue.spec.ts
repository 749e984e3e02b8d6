import { setImmediate } from 'node:timers/promises';
import { expect } from 'chai';
import { boundedQueue } from '../../src/identity/boundedQueue.ts';
import { refusalOf } from './refusals.ts';

describe('a bounded queue', () => {
  /** Works that end when they are told to. */
  const works = () => {
    const started: string[] = [];
    const end = new Map<string, () => void>();
    const work = (name: string) => () =>
      new Promise<string>((resolve) => {
        started.push(name);
        end.set(name, () => resolve(name));
      });
    const begun = async (name: string): Promise<void> => {
      while (!end.has(name)) await setImmediate();
    };
    const finish = async (name: string): Promise<void> => {
      await begun(name);
      end.get(name)?.();
    };
    return { started, work, begun, finish };
  };

  it('runs as many at a time as it is wide, the others in the order in which they came', async () => {
    const queue = boundedQueue(2, 10, 'full');
    const { started, work, begun, finish } = works();
    const runs = ['a', 'b', 'c', 'd'].map((name) => queue.run(work(name)));
    await begun('b');
    expect(started).to.deep.equal(['a', 'b']);
    await finish('b');
    expect(await runs[1]).to.equal('b');
    await begun('c');
    expect(started).to.deep.equal(['a', 'b', 'c']);
    await finish('a');
    await finish('c');
    await Promise.all([runs[0], runs[2]]);
    await finish('d');
    expect(await runs[3]).to.equal('d');
  });

  it('refuses at once what would wait behind too many, and takes more when there is room', async () => {
    const queue = boundedQueue(1, 1, 'Too many.');
    const { started, work, finish } = works();
    const runs = [queue.run(work('running')), queue.run(work('waiting'))];
    expect(await refusalOf(() => queue.run(work('late')))).to.include({ code: 'UNAVAILABLE', message: 'Too many.' });
    await finish('running');
    await runs[0];
    runs.push(queue.run(work('later')));
    await finish('waiting');
    await runs[1];
    await finish('later');
    await runs[2];
    expect(started).to.deep.equal(['running', 'waiting', 'later']);
  });

  it('goes on after a work that fails', async () => {
    const queue = boundedQueue(1, 5, 'full');
    const failing = queue.run(() => Promise.reject(new Error('broken')));
    const next = queue.run(() => Promise.resolve('fine'));
    expect(await failing.catch((error: Error) => error.message)).to.equal('broken');
    expect(await next).to.equal('fine');
  });
});
