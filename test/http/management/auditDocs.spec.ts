import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { ACCESS_ACTIONS } from '../../../src/events/access.ts';
import { LOG_FIELDS } from '../../../src/http/management/auditAnswers.ts';
import { AUDIT_PARAMETERS } from '../../../src/http/management/auditFilter.ts';
import { FACT_ACTIONS } from '../../../src/projections/auditTrail.ts';

const text = readFileSync(new URL('../../../docs/audit.md', import.meta.url), 'utf8');
const ROWS = text.split('\n').filter((line) => line.startsWith('|'));

describe('docs/audit.md', () => {
  it('has every action under its noun', () => {
    for (const action of [...FACT_ACTIONS, ...ACCESS_ACTIONS]) {
      const [noun, verb] = action.split('.');
      const named = ROWS.some((row) => row.split('|')[1]?.includes(`\`${noun}\``) && row.includes(`\`${verb}\``));
      expect(named, action).to.equal(true);
    }
  });

  it('has every field of an entry, and every parameter', () => {
    for (const name of [
      ...Object.keys(LOG_FIELDS),
      ...Object.keys(AUDIT_PARAMETERS),
      'page',
      'limit',
      'cursor',
      'format',
      'order',
    ])
      expect(text, name).to.match(new RegExp(`\`${name}[\`=]`));
  });
});
