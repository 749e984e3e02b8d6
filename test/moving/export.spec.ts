import { createHash } from 'node:crypto';
import { appendFileSync, chmodSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import fc from 'fast-check';
import { catalogue } from '../../src/events/catalogue.ts';
import type { EventLog } from '../../src/events/log/log.ts';
import { CannotMove } from '../../src/moving/cannotMove.ts';
import { copy } from '../../src/moving/copy.ts';
import { exportFile, writeLines } from '../../src/moving/exportFile.ts';
import { linesIn } from '../../src/moving/exportLog.ts';
import type { Fingerprint } from '../../src/moving/moved.ts';
import { readExport } from '../../src/moving/readExport.ts';
import { everything, rejectionOf } from '../contracts/eventLog/given.ts';
import { positionOf } from '../support/projecting.ts';
import { type Append, factOf, histories, logOf, oneByOne, PREFIX, sha256Of, withoutPositions } from './histories.ts';

const HISTORY = oneByOne(['one', 'two', 'one', 'one', 'two']);

describe('The export of a log', () => {
  let folder: string;
  let file: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'moving-'));
    file = join(folder, 'log.ndjson');
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const exported = (
    log: EventLog,
    {
      resume = false,
      release = '1.0.0',
      streamPrefix = PREFIX,
      signal,
    }: { resume?: boolean; release?: string; streamPrefix?: string; signal?: AbortSignal } = {},
  ): Promise<Fingerprint> => exportFile(file, resume, { log, release, streamPrefix, signal });

  const readable = (streamPrefix = PREFIX) => readExport(file, { streamPrefix, catalogue });

  const imported = async (target: EventLog) => {
    const { footer, events } = await readable();
    return copy({ events, total: footer.events, expected: footer, target, streamPrefix: PREFIX });
  };

  const refusal = async (promise: Promise<unknown>): Promise<string> => {
    const error = await rejectionOf(promise, CannotMove);
    expect(error.reason).to.equal('refused');
    return error.message;
  };

  const lines = (): string[] => readFileSync(file, 'utf8').split(/(?<=\n)/);

  /** Writes the file anew with other lines and a last line that vouches for them. */
  const forge = (change: (body: string[]) => string[]): void => {
    const [header = '', ...rest] = lines();
    const body = change(rest.slice(0, -1));
    const sha256 = createHash('sha256').update(body.join('')).digest('hex');
    writeFileSync(file, [header, ...body, `${JSON.stringify({ events: body.length, sha256 })}\n`].join(''));
  };

  it('gives the same log when it is imported, wherever either was broken off', async function () {
    this.timeout(120_000);
    const tear = fc.double({ min: 0, max: 1, noNaN: true });
    await fc.assert(
      fc.asyncProperty(
        histories({ appends: 12, events: 30 }),
        fc.array(tear, { maxLength: 3 }),
        tear,
        async (appends, tears, part) => {
          rmSync(file, { force: true });
          const source = await logOf(appends);
          const here = await everything(source);
          const whole = await exported(source);
          const bytes = readFileSync(file);
          for (const at of tears) {
            truncateSync(file, Math.floor(at * bytes.length));
            expect(await exported(source, { resume: true })).to.deep.equal(whole);
            expect(readFileSync(file).equals(bytes)).to.equal(true);
          }
          const target = await logOf(appends.slice(0, Math.floor(part * appends.length)));
          expect(await imported(target)).to.deep.include(whole);
          expect(withoutPositions(await everything(target))).to.deep.equal(withoutPositions(here));
          expect(whole).to.deep.equal({ events: here.length, sha256: sha256Of(here) });
          await source.close();
          await target.close();
        },
      ),
      { numRuns: 40 },
    );
  });

  it('has a header, a line an event, and a last line that anybody can check', async () => {
    await exported(await logOf(HISTORY));
    const all = lines();
    expect(JSON.parse(all[0] ?? '')).to.deep.equal({
      format: 'ghostdock-log',
      version: 1,
      release: '1.0.0',
      streamPrefix: PREFIX,
    });
    const sha256 = createHash('sha256').update(all.slice(1, -1).join('')).digest('hex');
    expect(JSON.parse(all.at(-1) ?? '')).to.deep.equal({ events: 5, sha256 });
    expect(Object.keys(JSON.parse(all[1] ?? ''))).to.have.members(['id', 'type', 'stream', 'revision', 'data', 'metadata']);
  });

  it('is written while the log is read, and never held', async function () {
    this.timeout(120_000);
    const COUNT = 200_000;
    let read = 0;
    let written = 0;
    let mostInFlight = 0;
    const log: Pick<EventLog, 'readAll' | 'head'> = {
      head: async () => positionOf(COUNT),
      readAll: async ({ after = '', limit }) => {
        const from = Number(after);
        const count = Math.min(limit, COUNT - from);
        read += count;
        mostInFlight = Math.max(mostInFlight, read - written);
        return Array.from({ length: count }, (_, index) => ({
          ...factOf(from + index),
          stream: `${PREFIX}.keys`,
          revision: from + index,
          position: positionOf(from + index + 1),
        }));
      },
    };
    const lines = linesIn({ log, release: '1.0.0', streamPrefix: PREFIX });
    const { events } = await writeLines(lines, async (text) => {
      written += text.split('\n').length - 1;
    });
    expect(events).to.equal(COUNT);
    expect(written).to.equal(COUNT + 2);
    expect(mostInFlight).to.be.within(200, 2000);
  });

  it('is one for its owner alone, also when the file was there', async () => {
    const log = await logOf(HISTORY);
    await exported(log);
    expect(statSync(file).mode & 0o777).to.equal(0o600);
    truncateSync(file, 200);
    chmodSync(file, 0o644);
    await exported(log, { resume: true });
    expect(statSync(file).mode & 0o777).to.equal(0o600);
  });

  it('of an empty log can be imported as well', async () => {
    await exported(await logOf([]));
    expect(await imported(await logOf([]))).to.deep.include({ events: 0, alreadyThere: 0 });
  });

  it('never writes over a file', async () => {
    writeFileSync(file, 'precious');
    expect(await refusal(exported(await logOf(HISTORY)))).to.contain('exists already');
    expect(await refusal(exported(await logOf(HISTORY), { resume: true }))).to.contain('no export');
    writeFileSync(file, 'a precious line\n');
    expect(await refusal(exported(await logOf(HISTORY), { resume: true }))).to.contain('no export');
    expect(readFileSync(file, 'utf8')).to.equal('a precious line\n');
  });

  it('is stopped by a signal with what was written so far, and gone on with', async () => {
    const log = await logOf(oneByOne(Array(500).fill('keys')));
    const stopping = new AbortController();
    let reads = 0;
    const slow: EventLog = {
      ...log,
      readAll: (options) => {
        reads += 1;
        if (reads === 3) stopping.abort();
        return log.readAll(options);
      },
    };
    const error = await rejectionOf(exported(slow, { signal: stopping.signal }), CannotMove);
    expect(error.reason).to.equal('stopped');
    expect(lines()).to.have.lengthOf(401);
    expect(await refusal(readable())).to.contain('broke off');
    const { events } = await exported(log, { resume: true });
    expect(events).to.equal(500);
    expect((await readable()).footer.events).to.equal(500);
  });

  it('is gone on with by a later release under the header that it has', async () => {
    const log = await logOf(HISTORY);
    await exported(log);
    truncateSync(file, 500);
    await exported(log, { resume: true, release: '1.1.0' });
    expect((await readable()).header.release).to.equal('1.0.0');
  });

  it('that is complete is left as it is', async () => {
    const log = await logOf(HISTORY);
    const whole = await exported(log);
    expect(await exported(log, { resume: true })).to.deep.equal(whole);
    await log.append(`${PREFIX}.three`, -1, oneByOne(Array(9).fill('x')).at(-1)?.events ?? []);
    expect(await refusal(exported(log, { resume: true }))).to.contain('is complete with 5 events, and the log has more');
  });

  it('of another log is not gone on with', async () => {
    await exported(await logOf(HISTORY));
    truncateSync(file, statSync(file).size - 10);
    const other = oneByOne(['one', 'two', 'two', 'one', 'two']);
    expect(await refusal(exported(await logOf(other), { resume: true }))).to.contain('its line 4 is another');
    expect(await refusal(exported(await logOf(HISTORY.slice(0, 2)), { resume: true }))).to.contain('its line 4 is another');
    expect(await refusal(exported(await logOf([]), { resume: true, streamPrefix: 'other' }))).to.contain('under "moved."');
  });

  it('does not take streams of another registry along', async () => {
    const message = await refusal(exported(await logOf(HISTORY), { streamPrefix: 'other' }));
    expect(message).to.contain('GHOSTDOCK_STREAM_PREFIX');
  });

  describe('is refused by an import that', () => {
    const cases: readonly (readonly [string, () => void, RegExp])[] = [
      ['finds no last line', () => writeFileSync(file, lines().slice(0, -2).join('')), /broke off/],
      ['finds a torn line', () => truncateSync(file, statSync(file).size - 3), /broke off/],
      ['finds something behind the last line', () => appendFileSync(file, '{'), /broke off/],
      ['finds another event behind the last line', () => appendFileSync(file, lines()[1] ?? ''), /Line 7 .* holds no event/],
      ['finds an empty file', () => writeFileSync(file, ''), /no export/],
      ['finds a file of something else', () => writeFileSync(file, 'one\ntwo\nthree\n'), /no export/],
      [
        'finds a newer format',
        () => writeFileSync(file, lines().join('').replace('"version":1', '"version":2')),
        /newer release 1\.0\.0/,
      ],
      ['finds a line less', () => writeFileSync(file, lines().toSpliced(2, 1).join('')), /out of order|altered: it has 4/],
      ['finds an altered event', () => writeFileSync(file, lines().join('').replace('key-3', 'key-7')), /altered: the SHA-256/],
      [
        'finds events that were sorted otherwise',
        () => forge((body) => [body[2], body[1], body[0], ...body.slice(3)] as string[]),
        /Line 2 .* out of order: revision 1 of moved.one where 0/,
      ],
      [
        'finds an event that is missing in its stream',
        () => forge((body) => body.toSpliced(2, 1)),
        /Line 4 .* out of order: revision 2 .* where 1/,
      ],
      ['finds an event twice', () => forge((body) => [...body, ...body.slice(-1)]), /Line 7 .* out of order/],
      ['finds a line that is no event', () => forge((body) => body.with(1, '{"a":1}\n')), /Line 3 .* holds no event/],
      ['finds a line that is no JSON', () => forge((body) => body.with(1, 'x\n')), /Line 3 .* holds no event/],
      [
        'finds an event with a field that no event has',
        () => forge((body) => body.with(1, (body[1] ?? '').replace('{', '{"a":1,'))),
        /Line 3 .* was altered/,
      ],
      [
        'finds a type that it does not know',
        () => forge((body) => body.with(1, (body[1] ?? '').replace('SigningKeyRotated', 'MoonPhaseChanged'))),
        /Line 3 .* MoonPhaseChanged version 1 .* newer release/,
      ],
      [
        'finds a version that it does not know',
        () => forge((body) => body.with(1, (body[1] ?? '').replace('"version":1', '"version":9'))),
        /Line 3 .* SigningKeyRotated version 9 .* newer release/,
      ],
      [
        'finds data that do not fit their type',
        () => forge((body) => body.with(1, (body[1] ?? '').replace('keyId', 'keyIds'))),
        /Line 3 .* cannot be taken: SigningKeyRotated/,
      ],
      [
        'finds a stream of another prefix',
        () => forge((body) => body.with(1, (body[1] ?? '').replace('moved.', 'other.'))),
        /other\.two does not begin with "moved\."/,
      ],
      ['finds an endless line', () => writeFileSync(file, `${lines()[0]}${'x'.repeat(5_000_000)}`), /no export/],
    ];
    for (const [what, spoil, message] of cases) {
      it(`${what}, before it writes anything`, async () => {
        await exported(await logOf(HISTORY));
        spoil();
        const target = await logOf([]);
        expect(await refusal(imported(target))).to.match(message);
        expect(await everything(target)).to.deep.equal([]);
      });
    }

    it('is for another prefix', async () => {
      await exported(await logOf(HISTORY));
      expect(await refusal(readable('other'))).to.contain('GHOSTDOCK_STREAM_PREFIX');
    });
  });

  it('is imported into the log that it came from without a change', async () => {
    const log = await logOf(HISTORY);
    await exported(log);
    const before = await everything(log);
    expect((await imported(log)).alreadyThere).to.equal(5);
    expect(await everything(log)).to.deep.equal(before);
  });

  it('is not imported into another log', async () => {
    await exported(await logOf(HISTORY));
    const other: readonly Append[] = oneByOne(['one', 'one']);
    expect(await refusal(imported(await logOf(other)))).to.contain('another log: its event 2');
  });
});
