import type { ServerResponse } from 'node:http';
import { Writable } from 'node:stream';
import { expect } from 'chai';
import { commentOf, frameOf, streamClient } from '../../../src/http/monitoring/streamClient.ts';
import { waitUntil } from '../../support/processes.ts';
import { eventsIn } from './eventStream.ts';

const MOST = 1000;

/** A client that takes a piece when it is told to. */
const slowClient = () => {
  const taken: string[] = [];
  const waiting: (() => void)[] = [];
  const response = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      waiting.push(() => {
        taken.push(chunk.toString());
        done();
      });
    },
  });
  let time = 0;
  const client = streamClient(response as unknown as ServerResponse, {
    mostWaiting: MOST,
    lost: (count) => [commentOf(`${count} lost`), frameOf('lost', { count })],
    now: () => time,
  });
  /** Until nothing waits, or so many pieces. */
  const take = async (pieces = Number.POSITIVE_INFINITY): Promise<void> => {
    for (let count = 0; count < pieces && waiting.length > 0; count += 1) {
      waiting.shift()?.();
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  return {
    client,
    response,
    take,
    taken: () => eventsIn(taken.join('')),
    text: () => taken.join(''),
    pass: (ms: number) => {
      time += ms;
    },
  };
};

const event = (number: number, size = 100): Buffer => frameOf('event', { number, filling: '.'.repeat(size - 50) });
const numbersOf = (events: ReturnType<typeof eventsIn>): readonly unknown[] =>
  events.map(({ event: name, data }) => (name === 'lost' ? `${data.count} lost` : data.number));

describe('a frame', () => {
  it('is the event’s name and its data in one line, raw where it is text', () => {
    expect(frameOf('connected', 'Log stream started').toString()).to.equal('event: connected\ndata: Log stream started\n\n');
    expect(frameOf('log', { message: 'two\nlines' }).toString()).to.equal('event: log\ndata: {"message":"two\\nlines"}\n\n');
  });
});

describe('a client of a stream', () => {
  it('gets what it is sent, in order', async () => {
    const { client, take, taken } = slowClient();
    for (let number = 1; number <= 5; number += 1) client.send(event(number));
    await take();
    expect(numbersOf(taken())).to.deep.equal([1, 2, 3, 4, 5]);
  });

  it('that reads slowly has no more waiting than it may, and is told how much was left out once it has caught up', async () => {
    const { client, response, take, taken, text } = slowClient();
    for (let number = 1; number <= 1000; number += 1) {
      client.send(event(number));
      expect(response.writableLength).to.be.at.most(MOST);
    }
    await take();
    client.send(event(1001));
    await take();
    const numbers = numbersOf(taken());
    const kept = numbers.indexOf(`${1000 - (numbers.length - 2)} lost`);
    expect(kept, numbers.join()).to.be.greaterThan(5);
    expect(numbers.slice(0, kept)).to.deep.equal(Array.from({ length: kept }, (_, index) => index + 1));
    expect(numbers.slice(kept)).to.deep.equal([`${1000 - kept} lost`, 1001]);
    expect(text()).to.contain(`: ${1000 - kept} lost\n\n`);
  });

  it('is not told before most of what waits is taken: all that comes until then is left out', async () => {
    const { client, take, taken } = slowClient();
    for (let number = 1; number <= 20; number += 1) client.send(event(number));
    await take(2);
    client.send(event(21));
    await take();
    const numbers = numbersOf(taken());
    expect(numbers.filter((number) => String(number).endsWith('lost'))).to.have.lengthOf(1);
    expect(numbers).not.to.include(21);
  });

  it('is left out an event that is larger than all that may wait, and told with the next', async () => {
    const { client, take, taken } = slowClient();
    client.send(event(1, 2 * MOST));
    client.send(event(2));
    await take();
    expect(numbersOf(taken())).to.deep.equal(['1 lost', 2]);
  });

  it('is stalled while it takes nothing of what waits', async () => {
    const { client, take, pass } = slowClient();
    pass(1000);
    expect(client.stalledMs(), 'nothing waits').to.equal(0);
    client.send(event(1));
    client.send(event(2));
    pass(300);
    expect(client.stalledMs()).to.equal(300);
    await take(1);
    expect(client.stalledMs(), 'it has taken a piece').to.equal(0);
    pass(200);
    expect(client.stalledMs()).to.equal(200);
    await take();
    pass(200);
    expect(client.stalledMs()).to.equal(0);
  });

  it('that has gone is sent nothing, and fails nobody', async () => {
    const { client, response } = slowClient();
    client.send(event(1));
    response.destroy(new Error('reset'));
    client.send(event(2));
    client.end();
    await new Promise((resolve) => setImmediate(resolve));
    expect(response.destroyed).to.equal(true);
  });

  it('that does not take the end either is cut', async () => {
    const { client, response } = slowClient();
    client.send(event(1));
    client.end();
    expect(response.destroyed, 'it may take it for a while').to.equal(false);
    await waitUntil('it is cut', () => response.destroyed);
  });

  it('is sent nothing behind the end', async () => {
    const { client, take, taken, text } = slowClient();
    client.send(event(1));
    client.end(commentOf('the end'));
    client.send(event(2));
    await take();
    expect(numbersOf(taken())).to.deep.equal([1]);
    expect(text()).to.match(/: the end\n\n$/);
  });
});
