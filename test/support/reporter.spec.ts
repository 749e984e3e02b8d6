import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';

const MOCHA = createRequire(import.meta.url).resolve('mocha/bin/mocha.js');
const REPORTER = fileURLToPath(new URL('./reporter.ts', import.meta.url));

const outputOf = (suites: string): string => {
  const folder = mkdtempSync(join(tmpdir(), 'ghostdock-reporter-'));
  try {
    const spec = join(folder, 'some.spec.ts');
    writeFileSync(spec, `import { requires, skipSuite, skipTest } from ${JSON.stringify(REPORTER)};\n${suites}`);
    return spawnSync(process.execPath, [MOCHA, '--no-config', '--reporter', REPORTER, spec], { encoding: 'utf8' }).stdout;
  } finally {
    rmSync(folder, { recursive: true });
  }
};

describe('the test reporter', () => {
  it('ends with the plain line of numbers that machines read', () => {
    const output = outputOf(`
      it('passes', () => {});
      it('fails', () => { throw new Error('no'); });
      it.skip('waits', () => {});
    `);
    expect(output.trimEnd().split('\n').at(-1)).to.equal('1 passed, 1 failed, 1 skipped');
  });

  it('names each suite that was skipped, with the reason and the number of its tests', () => {
    const output = outputOf(`
      describe('docker', function () {
        requires(this, true, 'this is fulfilled');
        requires(this, false, 'dockerd is not installed');
        requires(this, false, 'nobody is root');
        before(() => { throw new Error('a hook of a skipped suite ran'); });
        it('pushes', () => {});
        describe('login', () => { it('refuses', () => {}); });
      });
      describe('a small disk', function () {
        before(function () { skipTest(this, 'mounting is not permitted'); });
        it('fills up', () => { throw new Error('ran'); });
      });
      describe('skopeo', function () { skipSuite(this, 'not today'); it('copies', () => {}); });
      describe('podman', function () {
        it('pushes sha512', function () { skipTest(this, 'this release knows sha256 alone'); });
      });
    `);
    expect(output).to.contain('- docker: dockerd is not installed (2 tests)');
    expect(output).to.contain('- a small disk: mounting is not permitted (1 test)');
    expect(output).to.contain('- skopeo: not today (1 test)');
    expect(output).to.contain('- podman pushes sha512: this release knows sha256 alone (1 test)');
    expect(output.trimEnd().split('\n').at(-1)).to.equal('0 passed, 0 failed, 5 skipped');
  });
});
