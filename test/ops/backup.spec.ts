import { randomBytes } from 'node:crypto';
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { sqliteEventLog } from '../../src/events/log/sqlite.ts';
import { linesIn } from '../../src/moving/exportLog.ts';
import { corruptBlobs, expectGapless, expectViewsAgree, factsIn } from '../e2e/stopped.ts';
import { halfVisible } from '../e2e/visible.ts';
import { basic, type HttpClient, httpClient } from '../support/http.ts';
import { scratchFolder, waitUntil } from '../support/processes.ts';
import { ADMIN, PASSWORD, type RegistryProcess, registryFor, startRegistry } from '../support/registryProcess.ts';
import { expectPulled, made, type Pushed, pushing, refusal, script } from './backups.ts';

const NOT_SOUND = 65;
const REFUSED = 64;

const clientOf = ({ url }: RegistryProcess): HttpClient =>
  httpClient(url, { authorization: basic(ADMIN, PASSWORD), connections: 16 });

const blobPath = (digest: string): string => {
  const [algorithm = '', hex = ''] = digest.split(':');
  return join('blobs', algorithm, hex.slice(0, 2), hex);
};

const isEmpty = (folder: string): boolean =>
  !existsSync(folder) || readdirSync(folder).every((name) => name === 'registry.lock' || name === 'registry.pid');

describe('A backup of a registry that is being pushed to', function () {
  this.timeout(180_000);
  const { path: scratch, remove } = scratchFolder();
  const registry = registryFor();
  const backups = join(scratch, 'backups');
  const keysBackups = join(scratch, 'elsewhere', 'keys');
  const restored = join(scratch, 'restored');
  let before: readonly Pushed[] = [];
  let meanwhile = 0;
  let backup = '';
  let keys = '';

  after(remove);

  const target = (): string => join(scratch, `target-${readdirSync(scratch).length}`);
  const damagedCopy = (of: string): string => {
    const copy = join(scratch, `damaged-${readdirSync(scratch).length}`);
    cpSync(of, copy, { recursive: true });
    return copy;
  };

  it('is taken while clients go on pushing', async () => {
    const client = clientOf(registry.current());
    const pushers = [pushing(client, 'first'), pushing(client, 'second'), pushing(client, 'third')];
    const acknowledged = (): readonly Pushed[] => pushers.flatMap((pusher) => pusher.acknowledged());
    try {
      await waitUntil('images are there', () => acknowledged().length >= 40);
      before = acknowledged();
      backup = await made('backup.sh', [registry.current().dataDir, backups]);
      meanwhile = acknowledged().length - before.length;
      keys = await made('backup-keys.sh', [registry.current().dataDir, keysBackups]);
    } finally {
      await Promise.all(pushers.map((pusher) => pusher.stop()));
      client.close();
    }
    expect(meanwhile, 'pushes that were acknowledged while it was taken').to.be.greaterThan(0);
  });

  it('is sound to its last byte, log and keys', async () => {
    expect(await made('verify.sh', [backup])).to.match(/^Sound: \d+ files/);
    expect(await made('verify.sh', [keys])).to.match(/^Sound: 2 files/);
  });

  it('has nothing of the keys, the views or the uploads in it', () => {
    expect(readdirSync(backup).sort()).to.deep.equal(['backup.json', 'blobs', 'log', 'manifest.tsv']);
    const key = readFileSync(join(registry.current().dataDir, 'secrets', 'key'), 'utf8').trim();
    for (const file of [join(backup, 'log', 'facts.db'), join(backup, 'manifest.tsv')])
      expect(readFileSync(file).includes(key), file).to.equal(false);
  });

  it('says of every file its size and its SHA-256', () => {
    const about = JSON.parse(readFileSync(join(backup, 'backup.json'), 'utf8')) as { files: number; bytes: number };
    const lines = readFileSync(join(backup, 'manifest.tsv'), 'utf8').trim().split('\n');
    expect(lines).to.have.length(about.files);
    const sizes = lines.map((line) => {
      const [sha256, size, path = ''] = line.split('\t');
      expect(sha256).to.match(/^[0-9a-f]{64}$/);
      expect(statSync(join(backup, path)).size, path).to.equal(Number(size));
      return Number(size);
    });
    expect(sizes.reduce((sum, size) => sum + size, 0)).to.equal(about.bytes);
  });

  it('is restored with its keys into a new folder, where a registry serves every image that was acknowledged before it', async () => {
    await made('restore.sh', [backup, keys, restored]);
    expect(existsSync(join(restored, 'views')), 'views are computed, not restored').to.equal(false);
    const again = await startRegistry({ dataDir: restored });
    const client = clientOf(again);
    try {
      for (const pushed of before) await expectPulled(client, pushed);
      expect(await halfVisible(client), 'what was pushed meanwhile is there as a whole or not at all').to.deep.equal([]);
    } finally {
      client.close();
      await again.stop();
    }
    expect((await again.exited).code).to.equal(0);
    expectGapless(await factsIn(restored));
    await expectViewsAgree(restored);
    expect(await corruptBlobs(restored)).to.deep.equal([]);
  });

  it('is refused without the keys', async () => {
    const folder = target();
    expect(await refusal('restore.sh', [backup, folder], REFUSED)).to.contain('Which keys?');
    expect(await refusal('restore.sh', ['--log-on-server', backup, folder], REFUSED)).to.contain('without its keys');
    expect(await refusal('restore.sh', [backup, backup, folder], REFUSED)).to.contain('not of keys');
    expect(isEmpty(folder)).to.equal(true);
  });

  it('is refused with the keys of another registry', async () => {
    const other = await startRegistry();
    const foreign = await made('backup-keys.sh', [other.dataDir, join(scratch, 'foreign')]);
    await other.dispose();
    const folder = target();
    expect(await refusal('restore.sh', [backup, foreign, folder], REFUSED)).to.contain('another registry');
    expect(isEmpty(folder)).to.equal(true);
  });

  it('is refused with keys that are older than the log, unless that is asked for', async () => {
    const later = await made('backup.sh', [registry.current().dataDir, backups]);
    expect(await refusal('restore.sh', [later, keys, target()], REFUSED)).to.contain('--older-keys');
    await made('restore.sh', ['--older-keys', later, keys, target()]);
  });

  it('is not restored into a folder that holds anything', async () => {
    const folder = target();
    mkdirSync(folder);
    writeFileSync(join(folder, 'precious'), 'data');
    expect(await refusal('restore.sh', [backup, keys, folder], REFUSED)).to.contain('is not empty');
    expect(readdirSync(folder)).to.deep.equal(['precious']);
    expect(await refusal('restore.sh', [backup, keys, registry.current().dataDir], REFUSED)).to.contain('is not empty');
  });

  it('keeps the keys apart: not beside the log, and neither in the data folder', async () => {
    const { dataDir } = registry.current();
    expect(await refusal('backup-keys.sh', [dataDir, backups], REFUSED)).to.contain('keep the keys elsewhere');
    expect(await refusal('backup-keys.sh', [dataDir, join(dataDir, 'backups')], REFUSED)).to.contain('apart');
    expect(await refusal('backup.sh', [dataDir, join(dataDir, 'backups')], REFUSED)).to.contain('apart');
    expect(readdirSync(backups).filter((name) => name.startsWith('.partial'))).to.deep.equal([]);
  });

  describe('once damaged', () => {
    const anyBlob = (): string => blobPath(before[0]?.image.layers[0]?.digest ?? '');
    const damages: readonly (readonly [what: string, damage: (folder: string) => void, said: RegExp])[] = [
      [
        'by a bit of a blob',
        (folder) => {
          const bytes = readFileSync(join(folder, anyBlob()));
          bytes[100] = (bytes[100] ?? 0) ^ 1;
          writeFileSync(join(folder, anyBlob()), bytes);
        },
        /other bytes/,
      ],
      ['by a blob that is gone', (folder) => rmSync(join(folder, anyBlob())), /missing|could not be copied/],
      ['by a log that is cut short', (folder) => truncateSync(join(folder, 'log', 'facts.db'), 8192), /facts\.db/],
      ['by a manifest that lost a line', (folder) => truncateSync(join(folder, 'manifest.tsv'), 200), /manifest\.tsv/],
      ['by the end of a copy before its last step', (folder) => rmSync(join(folder, 'backup.json')), /no finished backup/],
    ];
    for (const [what, damage, said] of damages) {
      it(`${what} is found by verify.sh, and not restored`, async () => {
        const copy = damagedCopy(backup);
        damage(copy);
        const verified = await script('verify.sh', [copy]);
        expect(verified.code).to.be.oneOf([NOT_SOUND, REFUSED]);
        expect(verified.stdout + verified.stderr).to.match(said);
        const folder = target();
        expect(await refusal('restore.sh', [copy, keys, folder], REFUSED)).to.match(said);
        expect(isEmpty(folder), 'nothing of it is left in the folder').to.equal(true);
      });
    }

    it('in its keys is found as well', async () => {
      const copy = damagedCopy(keys);
      appendFileSync(join(copy, 'key'), 'x');
      expect(await refusal('verify.sh', [copy], NOT_SOUND)).to.contain('key has');
      expect(await refusal('restore.sh', [backup, copy, target()], REFUSED)).to.contain('key has other bytes');
    });
  });
});

describe('Backups one after another', function () {
  this.timeout(120_000);
  const { path: scratch, remove } = scratchFolder();
  const backups = join(scratch, 'backups');
  const registry = registryFor();
  const pushed: Pushed[] = [];

  after(remove);

  const push = async (name: string): Promise<void> => {
    const client = clientOf(registry.current());
    const pusher = pushing(client, name);
    await waitUntil('images are there', () => pusher.acknowledged().length >= 3);
    pushed.push(...(await pusher.stop()));
    client.close();
  };
  const take = (): Promise<string> => made('backup.sh', [registry.current().dataDir, backups]);
  const inodeOf = (backup: string, digest: string): number => statSync(join(backup, blobPath(digest))).ino;
  const aLayer = (number: number): string => pushed.at(number)?.image.layers[0]?.digest ?? '';

  it('share the bytes that did not change, and outlive each other', async () => {
    await push('old');
    const first = await take();
    const inode = inodeOf(first, aLayer(0));
    await push('new');
    const second = await take();
    expect(inodeOf(second, aLayer(0))).to.equal(inode);
    rmSync(first, { recursive: true });
    expect(await made('verify.sh', [second])).to.contain('Sound');
    const names = readFileSync(join(second, 'manifest.tsv'), 'utf8');
    for (const digest of [aLayer(0), aLayer(-1)]) expect(names).to.contain(digest.split(':')[1]);
  });

  it('do not get in each other’s way: of two at once, one is taken', async () => {
    const both = await Promise.all([1, 2].map(() => script('backup.sh', [registry.current().dataDir, backups])));
    const codes = both.map(({ code }) => code);
    expect(codes).to.include(0);
    for (const code of codes) expect(code).to.be.oneOf([0, 75]);
    expect(readdirSync(backups).filter((name) => name.startsWith('.partial'))).to.deep.equal([]);
  });

  it('find bytes that a collector holds in the trash for a moment', async () => {
    const { dataDir } = registry.current();
    await push('trashed');
    const digest = aLayer(-1);
    mkdirSync(join(dataDir, 'trash'), { recursive: true });
    const held = join(dataDir, 'trash', `${digest}.run1`);
    renameSync(join(dataDir, blobPath(digest)), held);
    const backup = await take();
    expect(existsSync(join(backup, blobPath(digest)))).to.equal(true);
    renameSync(held, join(dataDir, blobPath(digest)));
  });

  it('do not call whole what lacks bytes that the log links: they are named, and a restore has to be told', async () => {
    await push('lost');
    const { dataDir } = registry.current();
    const [gone, rotten] = [aLayer(-1), pushed.at(-1)?.image.config.digest ?? ''];
    rmSync(join(dataDir, blobPath(gone)));
    writeFileSync(join(dataDir, blobPath(rotten)), 'other bytes');
    const { code, stdout } = await script('backup.sh', [dataDir, backups]);
    expect(code, stdout).to.equal(NOT_SOUND);
    expect(stdout).to.contain(gone).and.to.contain(rotten).and.to.contain('links 2 blobs');
    const backup = stdout.trim().split('\n').at(-1) ?? '';
    const keys = await made('backup-keys.sh', [dataDir, join(scratch, 'keys')]);
    expect(await refusal('verify.sh', [backup], NOT_SOUND)).to.contain('missing already');
    const folder = join(scratch, 'restored');
    expect(await refusal('restore.sh', [backup, keys, folder], REFUSED)).to.contain('--accept-missing');
    await made('restore.sh', ['--accept-missing', backup, keys, folder]);
  });

  it('take no log and no keys that were left behind when the stores moved to servers', async () => {
    const { dataDir } = registry.current();
    const stale = await script('backup.sh', [dataDir, backups], { GHOSTDOCK_EVENT_LOG: 'esdb://events:2113' });
    expect(stale.code).to.equal(REFUSED);
    expect(stale.stderr).to.contain('--export');
    const keys = await script('backup-keys.sh', [dataDir, join(scratch, 'keys')], { GHOSTDOCK_VIEWS: 'mongodb://views' });
    expect(keys.code).to.equal(REFUSED);
    expect(keys.stderr).to.contain('export-secrets');
  });

  it('of a log that is on a server take its export, which must be whole', async () => {
    const { dataDir } = registry.current();
    await registry.current().stop();
    const file = join(scratch, 'export.ndjson');
    const log = await sqliteEventLog(join(dataDir, 'log', 'facts.db'));
    for await (const line of linesIn({ log, release: '0.0.0', streamPrefix: 'ghostdock' })) appendFileSync(file, line);
    await log.close();

    const elsewhere = join(scratch, 'exported');
    const { code, stdout } = await script('backup.sh', ['--export', file, dataDir, elsewhere]);
    expect(code, 'the bytes that the test before has taken away').to.equal(NOT_SOUND);
    const backup = stdout.trim().split('\n').at(-1) ?? '';
    const folder = join(scratch, 'shared');
    const said = await made('restore.sh', ['--accept-missing', '--log-on-server', backup, folder]);
    expect(said).to.contain(`ghostdock import ${join(folder, 'log', 'export.ndjson')}`);
    expect(readFileSync(join(folder, 'log', 'export.ndjson')).equals(readFileSync(file))).to.equal(true);
    expect(existsSync(join(folder, blobPath(aLayer(0))))).to.equal(true);

    truncateSync(file, statSync(file).size - 20);
    expect(await refusal('backup.sh', ['--export', file, dataDir, elsewhere], REFUSED)).to.contain('no whole export');
  });
});

describe('A backup of a registry whose key is in its environment', function () {
  this.timeout(60_000);
  const { path: scratch, remove } = scratchFolder();
  const GHOSTDOCK_SECRET_KEY = randomBytes(32).toString('base64');
  let backup = '';
  let keys = '';

  before(async () => {
    const registry = await startRegistry({ env: { GHOSTDOCK_SECRET_KEY } });
    backup = await made('backup.sh', [registry.dataDir, join(scratch, 'backups')]);
    const { code, stdout } = await script('backup-keys.sh', [registry.dataDir, join(scratch, 'keys')]);
    expect(code).to.equal(0);
    expect(stdout, 'it says what it could not take').to.contain('GHOSTDOCK_SECRET_KEY');
    keys = stdout.trim().split('\n').at(-1) ?? '';
    await registry.dispose();
  });
  after(remove);

  it('is refused with a key that does not fit', async () => {
    const other = randomBytes(32).toString('base64');
    const { code, stderr } = await script('restore.sh', [backup, keys, join(scratch, 'one')], { GHOSTDOCK_SECRET_KEY: other });
    expect(code, stderr).to.equal(REFUSED);
    expect(stderr).to.contain('does not fit').and.to.not.contain(other);
  });

  it('is restored with the one that does, and says which one the registry needs when it is given none', async () => {
    const folder = join(scratch, 'two');
    await made('restore.sh', [backup, keys, folder], { GHOSTDOCK_SECRET_KEY });
    const again = await startRegistry({ dataDir: folder, env: { GHOSTDOCK_SECRET_KEY } });
    expect((await again.stop()).code).to.equal(0);
    const { code, stdout } = await script('restore.sh', [backup, keys, join(scratch, 'three')]);
    expect(code).to.equal(0);
    expect(stdout).to.contain('The key is not in the backup');
  });
});
