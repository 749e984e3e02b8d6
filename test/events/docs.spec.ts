import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { docsOfEvents, EVENT_DOCS } from '../../scripts/eventDocs.ts';
import { catalogue } from '../../src/events/catalogue.ts';

describe('docs/events.md', () => {
  it('is what `node scripts/eventDocs.ts` writes', () => {
    expect(readFileSync(EVENT_DOCS, 'utf8')).to.equal(docsOfEvents());
  });

  it('says of every event type when it happens', () => {
    const page = docsOfEvents();
    for (const type of catalogue.types) expect(page).to.include(`### ${type}\n\n${catalogue.definitionOf(type)?.meaning}\n`);
  });
});
