import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';
import { ConfigError } from './config.ts';

/** Paths. They may be the same: some tools write both into one file. */
export type CertificateFiles = Readonly<{ cert: string; key: string }>;

/** A certificate, those that lead to its authority, and its private key, as they stood in their files. */
export type Certificate = Readonly<{
  cert: Buffer;
  key: Buffer;
  /** Whom it is for, as people read it. */
  names: string;
  validFrom: Date;
  validTo: Date;
  /** Whether more than owner and group may read the key. */
  keyIsOpen: boolean;
}>;

const CERT = 'GHOSTDOCK_TLS_CERT';
const KEY = 'GHOSTDOCK_TLS_KEY';

/** Bytes; more than any chain has. Whatever else stands at that path is not held in memory. */
const LARGEST_FILE = 1024 * 1024;
const LONGEST_NAMES = 300;

const refused = (problem: string): ConfigError => new ConfigError([problem]);

const readPem = async (setting: string, path: string): Promise<Readonly<{ bytes: Buffer; text: string; mode: number }>> => {
  try {
    const found = await stat(path);
    if (!found.isFile() || found.size > LARGEST_FILE) throw refused(`${setting}: ${path} is no file in PEM form.`);
    const bytes = await readFile(path);
    return { bytes, text: bytes.toString('latin1'), mode: found.mode };
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    throw refused(`${setting}: ${path} cannot be read (${(error as NodeJS.ErrnoException).code}).`);
  }
};

/** The server's own certificate first. */
const chainIn = (text: string, path: string): readonly [X509Certificate, ...X509Certificate[]] => {
  if (!text.includes('-----BEGIN CERTIFICATE-----'))
    throw refused(`${CERT}: ${path} has no certificate in PEM form (-----BEGIN CERTIFICATE-----).`);
  // A file that is being written. One that ends just between two certificates cannot be told from one that is whole: the next look can.
  if (/-----|-\s*$/.test(text.replace(/-----BEGIN ([^-]+)-----[\s\S]*?-----END \1-----/g, '')))
    throw refused(`${CERT}: ${path} ends in the middle of a certificate.`);
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  try {
    return blocks.map((block) => new X509Certificate(block)) as [X509Certificate, ...X509Certificate[]];
  } catch {
    throw refused(`${CERT}: ${path} has a certificate that cannot be read.`);
  }
};

const keyIn = (text: string, path: string): KeyObject => {
  if (!/-----BEGIN (?:\w+ )*PRIVATE KEY-----/.test(text))
    throw refused(`${KEY}: ${path} has no private key in PEM form (-----BEGIN PRIVATE KEY-----).`);
  if (/-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m.test(text))
    throw refused(
      `${KEY}: the key in ${path} has a passphrase. The registry takes keys without one (openssl pkey -in … -out …).`,
    );
  try {
    return createPrivateKey(text);
  } catch {
    throw refused(`${KEY}: ${path} has a private key that cannot be read.`);
  }
};

const mustBelongTogether = (chain: readonly X509Certificate[], key: KeyObject): void => {
  const owner = chain.findIndex((certificate) => certificate.checkPrivateKey(key));
  if (owner === -1) throw refused(`The private key of ${KEY} is not that of the certificate in ${CERT}.`);
  if (owner > 0)
    throw refused(`${CERT}: the first certificate of the file must be the server's own, whose key is that of ${KEY}.`);
};

/** What only OpenSSL knows: keys that are too short, signatures that nobody takes any more. */
const mustBeUsable = (cert: Buffer, key: Buffer): void => {
  try {
    createSecureContext({ cert, key });
  } catch (error) {
    const { reason, message } = error as Error & { reason?: string };
    throw refused(`The certificate of ${CERT} and the key of ${KEY} cannot be used: ${reason ?? message}.`);
  }
};

/** @throws ConfigError that says in a sentence why the files cannot be used, with names of files and never what is in them */
export const readCertificate = async ({ cert, key }: CertificateFiles): Promise<Certificate> => {
  const certificates = await readPem(CERT, cert);
  const secret = await readPem(KEY, key);
  const chain = chainIn(certificates.text, cert);
  mustBelongTogether(chain, keyIn(secret.text, key));
  mustBeUsable(certificates.bytes, secret.bytes);
  const { subjectAltName, subject, validFromDate, validToDate } = chain[0];
  return {
    cert: certificates.bytes,
    key: secret.bytes,
    names: (subjectAltName ?? subject ?? '').slice(0, LONGEST_NAMES),
    validFrom: validFromDate,
    validTo: validToDate,
    keyIsOpen: (secret.mode & 0o007) !== 0,
  };
};
