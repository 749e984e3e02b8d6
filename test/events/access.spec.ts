import { hash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { expect } from 'chai';
import { leafOf } from '../../src/events/canonical.ts';
import { accessCatalogue, catalogue, InvalidEvent } from '../../src/events/catalogue.ts';
import type { Recorded } from '../../src/events/event.ts';

const LOGS = new URL('../fixtures/accessLogs/', import.meta.url);

/** SHA-256 over the leaves of each access log as a past release recorded it: seals are made of them, and neither ever changes. */
const LEAVES: Readonly<Record<string, string>> = {
  '1-everyEvent.ndjson': 'd76cf4c42bb411085ac30b2fa56f10f9298d7d7b452bf9769f5840d316dd88b9',
};

const eventsIn = (name: string): readonly Recorded[] =>
  readFileSync(new URL(name, LOGS), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Recorded);

const recorded = Object.keys(LEAVES).flatMap(eventsIn);

describe('The events of the access log', () => {
  it('are no facts, and facts are none of them', () => {
    for (const type of accessCatalogue.types) expect(catalogue.definitionOf(type)).to.equal(undefined);
  });

  it('are all in the recorded logs, and as they were then', () => {
    expect(readdirSync(LOGS)).to.have.members(Object.keys(LEAVES));
    expect(new Set(recorded.map(({ type }) => type))).to.deep.equal(new Set(accessCatalogue.types));
    const leaves = readdirSync(LOGS).map((name) => [name, hash('sha256', Buffer.concat(eventsIn(name).map(leafOf)), 'hex')]);
    expect(Object.fromEntries(leaves)).to.deep.equal(LEAVES);
  });

  for (const { type, data, metadata, id } of recorded.map(accessCatalogue.upcast)) {
    const fields = data as Readonly<Record<string, unknown>>;

    it(`${type} is taken as it was recorded (${id.slice(-2)}), and with no field more`, () => {
      accessCatalogue.check({ id, type, data, metadata });
      expect(() => accessCatalogue.check({ id, type, metadata, data: { ...fields, surprise: 1 } })).to.throw(InvalidEvent);
    });
  }

  it('take no entry that is not one', () => {
    const event = recorded[0] as Recorded;
    const [entry] = (event.data as { entries: Readonly<Record<string, unknown>>[] }).entries;
    for (const wrong of [
      { surprise: 1 },
      { action: 'manifest.pushed' },
      { userAgent: 'x'.repeat(257) },
      { at: 'now' },
      { actor: '' },
    ])
      expect(() => accessCatalogue.check({ ...event, data: { entries: [{ ...entry, ...wrong }] } })).to.throw(InvalidEvent);
  });
});
