import { statSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { installed, run } from '../support/processes.ts';
import { requires } from '../support/reporter.ts';
import { filesIn, ROOT, textOf } from './files.ts';

const SCRIPTS = filesIn('ops').filter((path) => path.endsWith('.sh'));
const COMMANDS = SCRIPTS.filter((path) => !path.endsWith('/common.sh'));

describe('The scripts for operators', () => {
  it('end at the first error, and are programs', () => {
    expect(COMMANDS).to.have.length(4);
    for (const path of COMMANDS) {
      expect(textOf(path), path)
        .to.match(/^#!\/usr\/bin\/env bash\n/)
        .and.to.contain('\nset -euo pipefail\n');
      expect(statSync(join(ROOT, path)).mode & 0o111, path).to.equal(0o111);
    }
  });

  it('say how they are called', async () => {
    for (const path of COMMANDS) expect(await run('bash', [join(ROOT, path), '--help'])).to.match(/\.sh .*[A-Z_]+/);
  });

  describe('by shellcheck', function () {
    requires(this, installed('shellcheck'), 'shellcheck is not installed: scripts/installOpsTools.sh');

    it('have no fault', async () => {
      expect(await run('shellcheck', ['--external-sources', ...SCRIPTS], { cwd: ROOT })).to.equal('');
    });
  });
});
