import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { docsOfErrors, ERROR_DOCS, EXPLAINED } from '../../scripts/errorDocs.ts';
import { MANAGEMENT_WORDING } from '../../src/http/managementErrors.ts';
import { OCI_WORDING } from '../../src/http/oci/errors.ts';

/** What `src/errors.ts` lists: a type, of which nothing is left at run time. */
const listedCodes = (): readonly string[] => {
  const source = readFileSync(new URL('../../src/errors.ts', import.meta.url), 'utf8');
  const union = /export type ErrorCode =([^;]+);/.exec(source)?.[1] ?? '';
  return [...union.matchAll(/'([A-Z_]+)'/g)].map(([, code = '']) => code);
};

const page = readFileSync(ERROR_DOCS, 'utf8');

describe('docs/errors.md', () => {
  it('is what `node scripts/errorDocs.ts` writes', () => {
    expect(page).to.equal(docsOfErrors());
  });

  it('explains every code, and every surface words it', () => {
    const codes = listedCodes();
    expect(codes).to.have.length.above(20);
    for (const named of [EXPLAINED, OCI_WORDING, MANAGEMENT_WORDING]) expect(Object.keys(named)).to.have.members(codes);
    for (const code of codes) expect(page).to.match(new RegExp(`^## ${code}$`, 'm'));
  });

  it('says the status and the code of each surface', () => {
    for (const wording of [OCI_WORDING, MANAGEMENT_WORDING])
      for (const [code, { status, code: worded }] of Object.entries(wording))
        expect(page, code).to.match(new RegExp(`^\\| \\[${code}\\].*\\| ${status} \`${worded}\` \\|`, 'm'));
  });

  it('has a status for every code that a client can act on: 4xx for the caller, 5xx for the registry', () => {
    const ours = new Set(['INTERNAL', 'STORAGE_FULL', 'UNAVAILABLE']);
    for (const wording of [OCI_WORDING, MANAGEMENT_WORDING])
      for (const [code, { status }] of Object.entries(wording))
        expect(status, code).to.be.within(ours.has(code) ? 500 : 400, ours.has(code) ? 599 : 499);
  });
});
