import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { readCertificate } from '../src/certificate.ts';
import { ConfigError } from '../src/config.ts';
import { authorityFor, opensslMissing, type Pair } from './support/certificates.ts';
import { run } from './support/processes.ts';
import { requires } from './support/reporter.ts';

describe('a certificate and its key', function () {
  requires(this, opensslMissing() === undefined, opensslMissing() ?? '');
  this.timeout(30_000);
  const authority = authorityFor();
  let good: Pair;
  let other: Pair;
  before(async () => {
    good = await authority().issue('good', { days: 90 });
    other = await authority().issue('other');
  });

  /** A file of the suite with this in it. */
  const fileOf = (name: string, content: string | Buffer): string => {
    const path = join(authority().folder, name);
    writeFileSync(path, content);
    return path;
  };
  const textOf = (path: string): string => readFileSync(path, 'latin1');
  const problemWith = async (pair: Pair): Promise<string> => {
    const error = await readCertificate(pair).catch((thrown: unknown) => thrown);
    expect(error).to.be.instanceOf(ConfigError);
    return (error as ConfigError).message;
  };

  it('are read with whom they are for and until when', async () => {
    const { cert, key, names, validFrom, validTo } = await readCertificate(good);
    expect([cert, key]).to.deep.equal([readFileSync(good.cert), readFileSync(good.key)]);
    expect(names).to.equal('DNS:localhost, IP Address:127.0.0.1');
    expect(Math.round((validTo.getTime() - validFrom.getTime()) / 86_400_000)).to.equal(90);
  });

  it('may stand in one file, in any order', async () => {
    for (const parts of [
      [good.cert, good.key],
      [good.key, good.cert],
    ]) {
      const both = fileOf('both.pem', parts.map(textOf).join('\n'));
      expect((await readCertificate({ cert: both, key: both })).names).to.contain('localhost');
    }
  });

  it('may be of RSA, in PKCS#1, with lines of Windows, with parameters and words before them', async () => {
    const rsa = await authority().issue('rsa', { bits: 2048 });
    await run('openssl', ['rsa', '-traditional', '-in', rsa.key, '-out', `${rsa.key}.1`]);
    expect(textOf(`${rsa.key}.1`)).to.contain('BEGIN RSA PRIVATE KEY');
    await readCertificate({ cert: rsa.cert, key: `${rsa.key}.1` });
    const windows = (path: string): string => fileOf('windows.pem', textOf(path).replaceAll('\n', '\r\n'));
    await readCertificate({ cert: windows(good.cert), key: good.key });
    const parameters = await run('openssl', ['ecparam', '-name', 'prime256v1']);
    await readCertificate({ cert: good.cert, key: fileOf('parameters.key', `A key.\n${parameters}\n${textOf(good.key)}`) });
  });

  it('say whether everybody may read the key', async () => {
    for (const [mode, open] of [
      [0o600, false],
      [0o640, false],
      [0o440, false],
      [0o644, true],
      [0o604, true],
    ] as const) {
      chmodSync(good.key, mode);
      expect((await readCertificate(good)).keyIsOpen, mode.toString(8)).to.equal(open);
    }
    chmodSync(good.key, 0o600);
  });

  const half = (text: string): string => text.slice(0, text.length / 2);
  const refused: readonly (readonly [what: string, pair: () => Pair, problem: RegExp])[] = [
    [
      'a file that is not there',
      () => ({ ...good, cert: '/nowhere/cert.pem' }),
      /^GHOSTDOCK_TLS_CERT: \/nowhere\/cert\.pem .*ENOENT/,
    ],
    ['a key that is not there', () => ({ ...good, key: '/nowhere/key.pem' }), /^GHOSTDOCK_TLS_KEY: \/nowhere\/key\.pem .*ENOENT/],
    [
      'a folder',
      () => {
        mkdirSync(join(authority().folder, 'folder'), { recursive: true });
        return { ...good, cert: join(authority().folder, 'folder') };
      },
      /^GHOSTDOCK_TLS_CERT: .* is no file/,
    ],
    ['a device that never ends', () => ({ ...good, key: '/dev/zero' }), /^GHOSTDOCK_TLS_KEY: \/dev\/zero is no file/],
    [
      'a file of any size',
      () => ({ ...good, cert: fileOf('large', Buffer.alloc(2 * 1024 * 1024)) }),
      /^GHOSTDOCK_TLS_CERT: .* is no file/,
    ],
    ['an empty certificate', () => ({ ...good, cert: fileOf('empty', '') }), /^GHOSTDOCK_TLS_CERT: .*no certificate in PEM form/],
    ['an empty key', () => ({ ...good, key: fileOf('empty', '') }), /^GHOSTDOCK_TLS_KEY: .*no private key in PEM form/],
    [
      'DER',
      () => ({ ...good, cert: fileOf('der', Buffer.from([0x30, 0x82, 1, 2])) }),
      /^GHOSTDOCK_TLS_CERT: .*no certificate in PEM/,
    ],
    ['a key in place of the certificate', () => ({ ...good, cert: good.key }), /^GHOSTDOCK_TLS_CERT: .*no certificate in PEM/],
    ['a certificate in place of the key', () => ({ ...good, key: good.cert }), /^GHOSTDOCK_TLS_KEY: .*no private key in PEM/],
    [
      'half of a certificate',
      () => ({ ...good, cert: fileOf('half', half(textOf(authority().ca))) }),
      /ends in the middle of a certificate/,
    ],
    [
      'half of a chain',
      () => ({ ...good, cert: fileOf('half', textOf(good.cert).slice(0, -200)) }),
      /^GHOSTDOCK_TLS_CERT: .*ends in the middle of a certificate/,
    ],
    [
      'half of a key',
      () => ({ ...good, key: fileOf('half', half(textOf(good.key))) }),
      /^GHOSTDOCK_TLS_KEY: .*(cannot be read|no private key)/,
    ],
    [
      'a certificate of nonsense',
      () => ({ ...good, cert: fileOf('odd', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n') }),
      /^GHOSTDOCK_TLS_CERT: .*a certificate that cannot be read/,
    ],
    [
      'a key of nonsense',
      () => ({ ...good, key: fileOf('odd', '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n') }),
      /^GHOSTDOCK_TLS_KEY: .*a private key that cannot be read/,
    ],
    [
      'the key of another',
      () => ({ ...good, key: other.key }),
      /^The private key of GHOSTDOCK_TLS_KEY is not that of the certificate/,
    ],
    [
      'a chain whose first is the authority',
      () => ({ ...good, cert: fileOf('turned', `${textOf(authority().ca)}${textOf(good.cert)}`) }),
      /^GHOSTDOCK_TLS_CERT: the first certificate of the file must be the server's own/,
    ],
  ];
  for (const [what, pair, problem] of refused) {
    it(`are refused with a sentence: ${what}`, async () => {
      expect(await problemWith(pair()))
        .to.match(problem)
        .and.match(/\.$/);
    });
  }

  it('are refused with a sentence: a key with a passphrase, old and new', async () => {
    for (const [name, args] of [
      ['pkcs8', ['pkey', '-aes128']],
      ['pkcs1', ['ec', '-aes128']],
    ] as const) {
      const path = join(authority().folder, name);
      await run('openssl', [...args, '-in', good.key, '-out', path, '-passout', 'pass:hunter2']);
      expect(await problemWith({ ...good, key: path })).to.contain('has a passphrase');
    }
  });

  it('are refused with a sentence: a key that is too short for TLS', async () => {
    const weak = await authority().issue('weak', { bits: 1024 });
    expect(await problemWith(weak)).to.match(/cannot be used: .*key too small/);
  });

  it('are refused without a word of what is in them', async () => {
    const secret = textOf(good.key).split('\n')[1] ?? '';
    const cut = fileOf('cut', textOf(good.key).replace('-----END', '----'));
    for (const pair of [
      { ...good, key: cut },
      { ...good, cert: good.key },
      { ...other, key: good.key },
    ])
      expect(await problemWith(pair)).to.not.contain(secret);
  });
});
