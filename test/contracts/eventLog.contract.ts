import { appending } from './eventLog/appending.ts';
import { contents } from './eventLog/contents.ts';
import { following } from './eventLog/following.ts';
import type { OpenLog } from './eventLog/given.ts';
import { reading } from './eventLog/reading.ts';

/**
 * What every event log owes to those who use it. `open` may give a new log or another handle on one that is shared and
 * full of other people's events: each test keeps to streams of its own, and assumes nothing of positions but their order.
 * `under` is how all streams begin of a log that knows no others.
 */
export const eventLogContract = (name: string, open: OpenLog, under = ''): void => {
  describe(`${name}, as an event log`, () => {
    describe('appended to', () => appending(open, under));
    describe('by its contents', () => contents(open, under));
    describe('read', () => reading(open, under));
    describe('followed', () => following(open, under));
  });
};
