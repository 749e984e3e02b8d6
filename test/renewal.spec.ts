import { copyFileSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import pino from 'pino';
import type { Certificate } from '../src/certificate.ts';
import { type Renewal, renewing } from '../src/renewal.ts';
import { authorityFor, opensslMissing, type Pair, replace } from './support/certificates.ts';
import { waitUntil } from './support/processes.ts';
import { requires } from './support/reporter.ts';

const DAY = 86_400_000;

describe('the renewal of a certificate', function () {
  requires(this, opensslMissing() === undefined, opensslMissing() ?? '');
  this.timeout(30_000);
  const authority = authorityFor();
  const issued: Pair[] = [];
  before(async () => {
    for (const name of ['first', 'second', 'third']) issued.push(await authority().issue(name));
  });
  const [first, second, third] = [0, 1, 2].map((index) => (): Pair => issued[index] as Pair) as [
    () => Pair,
    () => Pair,
    () => Pair,
  ];

  let folders = 0;
  const running: Renewal[] = [];
  afterEach(() => {
    for (const renewal of running.splice(0)) renewal.stop();
  });

  type Started = Readonly<{
    files: Pair;
    folder: string;
    renewal: Renewal;
    taken: Certificate[];
    lines: { level: number; msg: string }[];
    warnings: () => readonly string[];
  }>;

  /** On copies of the first pair, looking only when it is told to unless `everyMs` says something else. */
  const start = async (
    options: Readonly<{ everyMs?: number; now?: () => Date; files?: (folder: string) => Pair }> = {},
  ): Promise<Started> => {
    folders += 1;
    const folder = join(authority().folder, `renewal-${folders}`);
    mkdirSync(folder);
    const files = options.files?.(folder) ?? { cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem') };
    if (options.files === undefined) replace(first(), files);
    const lines: Started['lines'] = [];
    const logger = pino({ level: 'info' }, { write: (line: string) => void lines.push(JSON.parse(line)) });
    const { everyMs = DAY, now } = options;
    const renewal = await renewing(files, { logger, everyMs, ...(now !== undefined && { now }) });
    running.push(renewal);
    const taken: Certificate[] = [];
    renewal.follow((certificate) => taken.push(certificate));
    const warnings = () => lines.filter(({ level }) => level === 40).map(({ msg }) => msg);
    return { files, folder, renewal, taken, lines, warnings };
  };

  const holds = ({ renewal, taken }: Started, pair: Pair): void => {
    expect(renewal.current().cert.equals(readFileSync(pair.cert)), 'the certificate').to.equal(true);
    expect(renewal.current().key.equals(readFileSync(pair.key)), 'the key').to.equal(true);
    expect(taken.at(-1), 'whoever follows has it').to.equal(renewal.current());
  };

  it('leaves alone what has not changed, and says at the start what there is', async () => {
    const started = await start();
    await started.renewal.look();
    expect(started.taken).to.have.length(1);
    expect(started.lines.map(({ msg }) => msg)).to.have.length(1);
    expect(started.lines[0]?.msg).to.match(/^The registry speaks TLS\. It is for DNS:localhost, .* until \d{4}-\d\d-\d\d\.$/);
    expect(started.renewal.problems()).to.deep.equal([]);
  });

  it('takes files that were written over', async () => {
    const started = await start();
    replace(second(), started.files);
    await started.renewal.look();
    holds(started, second());
    expect(started.lines.at(-1)?.msg).to.match(/^The TLS certificate was renewed/);
  });

  it('takes files that were renamed over the old ones', async () => {
    const started = await start();
    const beside = { cert: join(started.folder, 'new.pem'), key: join(started.folder, 'new.key') };
    replace(second(), beside);
    renameSync(beside.cert, started.files.cert);
    renameSync(beside.key, started.files.key);
    await started.renewal.look();
    holds(started, second());
  });

  it('takes files behind a symbolic link further up, as Kubernetes swaps them', async () => {
    const put = (folder: string, version: string, pair: Pair): void => {
      mkdirSync(join(folder, version));
      replace(pair, { cert: join(folder, version, 'tls.crt'), key: join(folder, version, 'tls.key') });
      symlinkSync(version, join(folder, '..data_tmp'));
      renameSync(join(folder, '..data_tmp'), join(folder, '..data'));
    };
    const started = await start({
      files: (folder) => {
        put(folder, '..1', first());
        for (const name of ['tls.crt', 'tls.key']) symlinkSync(join('..data', name), join(folder, name));
        return { cert: join(folder, 'tls.crt'), key: join(folder, 'tls.key') };
      },
    });
    put(started.folder, '..2', second());
    rmSync(join(started.folder, '..1'), { recursive: true });
    await started.renewal.look();
    holds(started, second());
  });

  it('waits for the second of two files that are written one after the other', async () => {
    const started = await start();
    copyFileSync(second().cert, started.files.cert);
    await started.renewal.look();
    holds(started, first());
    copyFileSync(second().key, started.files.key);
    await started.renewal.look();
    holds(started, second());
    expect(started.renewal.problems()).to.deep.equal([]);
  });

  it('takes nothing by halves: of a file that is being written, the old one stays until all of it is there', async () => {
    const started = await start();
    const [cert, key] = [readFileSync(third().cert), readFileSync(third().key)];
    const next = cert.indexOf('-----BEGIN', 1);
    for (const length of [0, 1, 30, 400, next - 2, next + 1, next + 9, next + 20, cert.length - 30, cert.length - 2]) {
      writeFileSync(started.files.cert, cert.subarray(0, length));
      writeFileSync(started.files.key, key);
      await started.renewal.look();
      holds(started, first());
    }
    writeFileSync(started.files.cert, cert);
    for (const length of [0, key.length / 2, key.length - 30]) {
      writeFileSync(started.files.key, key.subarray(0, length));
      await started.renewal.look();
      holds(started, first());
    }
    writeFileSync(started.files.key, key);
    await started.renewal.look();
    holds(started, third());
  });

  it('says once what is wrong, for people and for the health check, and that it is over', async () => {
    const started = await start();
    const { renewal, warnings } = started;
    rmSync(started.files.key);
    for (let look = 0; look < 3; look += 1) await renewal.look();
    expect(warnings()).to.have.length(1);
    expect(warnings()[0]).to.contain('GHOSTDOCK_TLS_KEY').and.contain('ENOENT').and.contain('the last one stays in use');
    expect(renewal.problems()).to.have.length(1);
    expect(renewal.problems()[0]).to.contain('GHOSTDOCK_TLS_KEY');
    copyFileSync(third().key, started.files.key);
    for (let look = 0; look < 3; look += 1) await renewal.look();
    expect(warnings(), 'another fault').to.have.length(2);
    replace(first(), started.files);
    await renewal.look();
    expect(renewal.problems()).to.deep.equal([]);
    expect(started.taken, 'it is the one that was in use all the time').to.have.length(1);
    rmSync(started.files.key);
    await renewal.look();
    expect(warnings(), 'the first fault again').to.have.length(3);
  });

  it('looks by itself', async () => {
    const started = await start({ everyMs: 10 });
    replace(second(), started.files);
    await waitUntil('it is taken', () => started.taken.length === 2);
    holds(started, second());
    replace(third(), started.files);
    await waitUntil('the next is taken', () => started.taken.length === 3);
    holds(started, third());
  });

  it('answers a look with what the files were when it was asked for, however many look', async () => {
    const started = await start({ everyMs: 1 });
    for (const pair of [second(), third(), first(), second()]) {
      replace(pair, started.files);
      await Promise.all([started.renewal.look(), started.renewal.look()]);
      holds(started, pair);
    }
  });

  it('tells of the end two weeks before, once a day, and for the health check all the time', async () => {
    let at = Date.now();
    const started = await start({ now: () => new Date(at) });
    const { renewal, warnings } = started;
    const end = renewal.current().validTo.getTime();
    const lookAt = async (time: number): Promise<void> => {
      at = time;
      await renewal.look();
    };
    await lookAt(end - 15 * DAY);
    expect([warnings(), renewal.problems()]).to.deep.equal([[], []]);
    for (const hours of [0, 1, 23, 25, 40, 50]) await lookAt(end - 14 * DAY + hours * 3_600_000);
    expect(warnings()).to.have.length(3);
    expect(warnings()[0]).to.match(/ends on \d{4}-\d\d-\d\d .*Put a new one in its place\.$/);
    expect(renewal.problems()).to.deep.equal([warnings()[0]]);
    await lookAt(end + 1);
    expect(warnings().at(-1)).to.match(/has ended/);
    expect(renewal.problems()[0]).to.match(/has ended/);
    const { cert, key } = await authority().issue('later', { days: 400 });
    replace({ cert, key }, started.files);
    await lookAt(end + 2);
    expect(renewal.problems()).to.deep.equal([]);
  });

  it('tells of the end of one that lives a week in its last quarter only', async () => {
    const week = await authority().issue('week', { days: 8 });
    let at = Date.now();
    const { renewal } = await start({ now: () => new Date(at), files: () => week });
    expect(renewal.problems()).to.deep.equal([]);
    at = renewal.current().validTo.getTime() - 2 * DAY;
    expect(renewal.problems()).to.have.length(1);
  });

  it('warns of a certificate that has ended, or has not begun, and of a key that everybody may read', async () => {
    const ended = await start({ now: () => new Date(Date.now() + 1000 * DAY) });
    expect(ended.warnings().join()).to.contain('has ended');
    const early = await start({ now: () => new Date(Date.now() - 10 * DAY) });
    expect(early.warnings().join()).to.contain('not valid yet');
    const open = await start({
      files: (folder) => {
        const files = { cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem') };
        copyFileSync(first().cert, files.cert);
        writeFileSync(files.key, readFileSync(first().key), { mode: 0o644 });
        return files;
      },
    });
    expect(open.warnings().join()).to.contain('Everybody on this machine may read');
  });
});
