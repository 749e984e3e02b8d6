import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { installed, run, scratchFolder } from './processes.ts';

/** Why no certificates can be made here, or undefined. Node can read them, not make them. */
export const opensslMissing = (): string | undefined => (installed('openssl') ? undefined : 'openssl is not installed');

/** Paths of files in PEM form. */
export type Pair = Readonly<{ cert: string; key: string }>;

/** An authority of a suite's own. */
export type Authority = Readonly<{
  /** The file with its own certificate. */
  ca: string;
  folder: string;
  /**
   * A certificate for localhost and 127.0.0.1, the authority's behind it, and its key.
   * @param options `days` that it lives (0: it has ended already), `bits` of an RSA key in place of one of P-256, an `address` more
   */
  issue: (name: string, options?: Readonly<{ days?: number; bits?: number; address?: string }>) => Promise<Pair>;
  dispose: () => void;
}>;

const EC = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];

const authority = async (): Promise<Authority> => {
  const { path: folder, remove } = scratchFolder();
  const openssl = (...args: readonly string[]): Promise<string> => run('openssl', args, { cwd: folder });
  const ca = join(folder, 'ca.pem');
  await openssl('req', '-x509', ...EC, '-keyout', 'ca.key', '-out', 'ca.pem', '-days', '30', '-subj', '/CN=GhostDock tests');
  return {
    ca,
    folder,
    issue: async (name, { days = 90, bits, address = '127.0.0.1' } = {}) => {
      writeFileSync(
        join(folder, 'names.cnf'),
        `subjectAltName=DNS:localhost,IP:127.0.0.1${address === '127.0.0.1' ? '' : `,IP:${address}`}\n`,
      );
      const [cert, key] = [`${name}.pem`, `${name}.key`];
      const kind = bits === undefined ? EC : ['-newkey', `rsa:${bits}`, '-nodes'];
      await openssl('req', '-new', ...kind, '-keyout', key, '-out', `${name}.csr`, '-subj', `/CN=${name}`);
      await openssl(
        ...['x509', '-req', '-in', `${name}.csr`, '-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial'],
        ...['-days', String(days), '-extfile', 'names.cnf', '-out', cert],
      );
      writeFileSync(join(folder, cert), readFileSync(ca), { flag: 'a' });
      return { cert: join(folder, cert), key: join(folder, key) };
    },
    dispose: remove,
  };
};

/** An authority for the suite whose `describe` callback calls it. @returns it, once the suite runs */
export const authorityFor = (): (() => Authority) => {
  let made: Authority | undefined;
  before(async () => {
    made = await authority();
  });
  after(() => made?.dispose());
  return () => {
    if (made === undefined) throw new Error('The authority is there only while the tests of its suite run.');
    return made;
  };
};

/** Puts the files of `from` where those of `to` are, one after the other. */
export const replace = (from: Pair, to: Pair): void => {
  copyFileSync(from.cert, to.cert);
  copyFileSync(from.key, to.key);
};
