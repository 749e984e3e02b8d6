import { expect } from 'chai';
import { CATEGORIES, type Rates, throughputMeter, throughputUpdates } from '../../src/live/throughput.ts';
import { waitUntil } from '../support/processes.ts';

/** A clock that only goes on when it is told to, in ms. It begins at no whole second. */
const clockAt = (start = 1_234_567_000) => {
  let now = start;
  return {
    now: () => now,
    pass: (ms: number): void => {
      now += ms;
    },
  };
};

const ZERO = { current: 0, average: 0, totalBytes: 0 };

describe('the meter of the throughput', () => {
  it('has nothing to tell before bytes move', () => {
    const meter = throughputMeter(clockAt().now);
    expect(meter.moving()).to.equal(false);
    for (const category of CATEGORIES) expect(meter.rates()[category], category).to.deep.equal(ZERO);
  });

  it('tells bytes per second of the last second, and on the average of the last 5 s', () => {
    const clock = clockAt();
    const meter = throughputMeter(clock.now);
    for (let ms = 0; ms < 10_000; ms += 10) {
      meter.moved.blobDownload(50);
      clock.pass(10);
    }
    clock.pass(-1);
    const { current, average, totalBytes } = meter.rates().blobDownload;
    expect(current).to.be.closeTo(5000, 50);
    expect(average).to.be.closeTo(5000, 50);
    expect(totalBytes).to.equal(5000);
  });

  it('shows a transfer while it runs, at the pace of its last second', () => {
    const clock = clockAt();
    const meter = throughputMeter(clock.now);
    for (const pace of [10, 1000]) {
      for (let ms = 0; ms < 1000; ms += 10) {
        meter.moved.blobUpload(pace);
        clock.pass(10);
      }
      clock.pass(-1);
      expect(meter.rates().blobUpload.current, `at ${pace}`).to.be.closeTo(pace * 100, pace);
      clock.pass(1);
    }
    expect(meter.rates().blobUpload.average).to.be.closeTo((1000 + 100_000) / 5, 500);
  });

  it('keeps the four categories apart', () => {
    const meter = throughputMeter(clockAt().now);
    for (const [index, category] of CATEGORIES.entries()) meter.moved[category](index + 1);
    expect(CATEGORIES.map((category) => meter.rates()[category].totalBytes)).to.deep.equal([1, 2, 3, 4]);
  });

  it('forgets what moved after 5 s, and a second sooner what is current', () => {
    const clock = clockAt();
    const meter = throughputMeter(clock.now);
    meter.moved.manifestDownload(700);
    clock.pass(999);
    expect(meter.rates().manifestDownload.totalBytes).to.equal(700);
    clock.pass(1);
    expect(meter.rates().manifestDownload).to.include({ current: 0, totalBytes: 0 });
    clock.pass(3999);
    expect(meter.moving()).to.equal(true);
    clock.pass(1);
    expect(meter.moving()).to.equal(false);
    expect(meter.rates().manifestDownload).to.deep.equal(ZERO);
  });

  it('knows nothing of bytes from before a long silence', () => {
    const clock = clockAt();
    const meter = throughputMeter(clock.now);
    meter.moved.blobUpload(1);
    clock.pass(3_600_000 + 300);
    meter.moved.blobUpload(20);
    expect(meter.rates().blobUpload.totalBytes).to.equal(20);
  });

  it('loses no byte, however many pieces they come in', () => {
    const clock = clockAt();
    const meter = throughputMeter(clock.now);
    let sum = 0;
    for (let piece = 1; piece <= 900; piece += 1) {
      meter.moved.blobUpload(piece);
      sum += piece;
      clock.pass(1);
    }
    expect(meter.rates().blobUpload.totalBytes).to.equal(sum);
  });
});

describe('updates of the throughput', () => {
  const watched = async (): Promise<
    Readonly<{ clock: ReturnType<typeof clockAt>; meter: ReturnType<typeof throughputMeter>; told: Rates[]; leave: () => void }>
  > => {
    const clock = clockAt();
    const meter = throughputMeter(clock.now);
    const told: Rates[] = [];
    const joined = await throughputUpdates(meter, 1).join();
    joined.listen((rates) => told.push(rates));
    return { clock, meter, told, leave: joined.leave };
  };

  it('come while bytes moved in the last 5 s, then one that is all zero, and then none', async () => {
    const { clock, meter, told, leave } = await watched();
    meter.moved.blobUpload(10);
    await waitUntil('two updates', () => told.length >= 2, { everyMs: 1 });
    clock.pass(5000);
    await waitUntil('zeros', () => told.at(-1)?.blobUpload.average === 0, { everyMs: 1 });
    const length = told.length;
    expect(CATEGORIES.map((category) => told.at(-1)?.[category])).to.deep.equal([ZERO, ZERO, ZERO, ZERO]);
    meter.moved.blobUpload(1);
    await waitUntil('it begins again', () => told.length > length, { everyMs: 1 });
    expect(told[length]?.blobUpload.totalBytes, 'the next one').to.equal(1);
    leave();
  });

  it('end with the last who watches', async () => {
    const { meter, told, leave } = await watched();
    const updates = throughputUpdates(meter, 1);
    leave();
    meter.moved.blobUpload(1);
    const other = await updates.join();
    let beats = 0;
    other.listen(() => {
      beats += 1;
    });
    await waitUntil('another watcher is told', () => beats > 2, { everyMs: 1 });
    expect(told).to.deep.equal([]);
    other.leave();
  });
});
