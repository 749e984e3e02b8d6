import { expect } from 'chai';
import { registryFor } from '../support/app.ts';
import { ADMIN, PASSWORD } from '../support/registryProcess.ts';
import { LINES } from './lines.ts';
import { challengeOf } from './login.ts';
import { sectionsOf } from './report.ts';
import type { Row } from './row.ts';
import { ROWS } from './rows/all.ts';
import { type Outcome, runRow, type Target } from './runner.ts';
import { wireTo } from './wire.ts';

/** Shown on a registry of its own. */
const SWITCHED_OFF = 'Delete: switched off → 405';
const isSwitchedOff = ({ line }: Row): boolean => line === SWITCHED_OFF;

describe('the rows of the conformance suite', () => {
  it('are at least one for each line of the fact sheet', () => {
    const named = new Set(ROWS.map(({ line }) => line));
    expect(LINES.filter((line) => !named.has(line))).to.deep.equal([]);
  });

  it('have names of their own', () => {
    const names = ROWS.map(({ line, it: what }) => `${line}: ${what}`);
    expect(names.filter((name, index) => names.indexOf(name) !== index)).to.deep.equal([]);
  });
});

describe('the registry conforms', () => {
  const registry = registryFor();
  let target: Target;

  before(async () => {
    const { url, register } = registry();
    await register('stranger');
    const wire = wireTo(url);
    target = {
      wire,
      challenge: await challengeOf(wire),
      account: { username: ADMIN, password: PASSWORD },
      stranger: { username: 'stranger', password: PASSWORD },
      prefix: 'conformance',
      keep: true,
    };
  });
  after(() => target.wire.close());

  for (const [section, rows] of sectionsOf(ROWS.filter((one) => !isSwitchedOff(one)))) {
    describe(section, () => {
      for (const row of rows) {
        it(`${row.line.slice(section.length + 2)}: ${row.it}`, async () => {
          expect(await runRow(target, row)).to.deep.equal({ is: 'passed' });
        });
      }
    });
  }
});

describe('a registry whose deletes are switched off', () => {
  const registry = registryFor({ GHOSTDOCK_DELETES: 'off' });

  const outcomesOf = async (rows: readonly Row[]): Promise<readonly Outcome[]> => {
    const wire = wireTo(registry().url);
    const account = { username: ADMIN, password: PASSWORD };
    const target = { wire, challenge: await challengeOf(wire), account, prefix: 'conformance', keep: true };
    const outcomes: Outcome[] = [];
    for (const row of rows) outcomes.push(await runRow(target, row));
    wire.close();
    return outcomes;
  };

  it('conforms in how it refuses', async () => {
    expect(await outcomesOf(ROWS.filter(isSwitchedOff))).to.deep.equal([{ is: 'passed' }]);
  });

  it('is told of as such, not as one that fails', async () => {
    const others = ROWS.filter((one) => one.line.startsWith('Delete: ') && !isSwitchedOff(one));
    const outcomes = await outcomesOf(others);
    expect(outcomes.filter(({ is }) => is === 'failed')).to.deep.equal([]);
    expect(outcomes.filter(({ is }) => is === 'notApplicable')).to.have.length.greaterThan(10);
  });
});
