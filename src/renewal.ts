import { type Certificate, type CertificateFiles, readCertificate } from './certificate.ts';
import { ConfigError } from './config.ts';
import type { Logger } from './http/server.ts';

const DAY_MS = 86_400_000;
/** How often the files are looked at, in ms. */
const EVERY_MS = 5000;
/** From when on the end of a certificate is told, in ms before it; of one that does not live long, its last quarter. */
const NOTICE_MS = 14 * DAY_MS;

/** The certificate of this process. */
export type Renewal = Readonly<{
  current: () => Certificate;
  /** Gives it to `take`: that of now, and each new one. */
  follow: (take: (certificate: Certificate) => void) => void;
  /** Looks whether the files have changed, now. */
  look: () => Promise<void>;
  /** What people should see to, as of now. */
  problems: () => readonly string[];
  stop: () => void;
}>;

export type RenewalOptions = Readonly<{ logger: Logger; everyMs?: number; now?: () => Date }>;

const dayOf = (date: Date): string => date.toISOString().slice(0, 10);

const endOf = ({ validFrom, validTo }: Certificate, now: Date): string | undefined => {
  const left = validTo.getTime() - now.getTime();
  const notice = Math.min(NOTICE_MS, (validTo.getTime() - validFrom.getTime()) / 4);
  if (left > notice) return undefined;
  const when = validTo.toISOString();
  return left <= 0
    ? `The TLS certificate has ended (${when}): clients refuse it.`
    : `The TLS certificate ends on ${dayOf(validTo)} (${when}). Put a new one in its place.`;
};

const sameAs = (one: Certificate, other: Certificate): boolean => one.cert.equals(other.cert) && one.key.equals(other.key);

/**
 * Reads the certificate, and from then on looks at the files again and again. They are read whole each time, because neither times nor
 * names tell: tools write in place, rename, or swap a symbolic link further up, and one file after the other. What cannot be used, or does
 * not belong together (yet), is not taken, and said once; the last one that could be used stays until the files are right.
 * @throws ConfigError when the first one cannot be used
 */
export const renewing = async (
  files: CertificateFiles,
  { logger, everyMs = EVERY_MS, now = () => new Date() }: RenewalOptions,
): Promise<Renewal> => {
  let current = await readCertificate(files);
  let fault: string | undefined;
  let remindedAt = Number.NEGATIVE_INFINITY;
  const takers: ((certificate: Certificate) => void)[] = [];

  const remind = (): void => {
    const at = now();
    const end = endOf(current, at);
    if (end === undefined || at.getTime() - remindedAt < DAY_MS) return;
    remindedAt = at.getTime();
    logger.warn({ validTo: current.validTo }, end);
  };

  const tell = (what: string): void => {
    const { names, validFrom, validTo, keyIsOpen } = current;
    logger.info({ names, validTo }, `${what} It is for ${names}, until ${dayOf(validTo)}.`);
    if (keyIsOpen)
      logger.warn('Everybody on this machine may read the file of GHOSTDOCK_TLS_KEY. Take that right away: chmod o= FILE.');
    if (validFrom > now()) logger.warn({ validFrom }, 'The TLS certificate is not valid yet: clients refuse it.');
    remindedAt = Number.NEGATIVE_INFINITY;
    remind();
  };

  const take = (certificate: Certificate): void => {
    for (const one of takers) one(certificate);
    current = certificate;
    tell('The TLS certificate was renewed: new connections get it.');
  };

  const complain = (error: unknown): void => {
    const problem = error instanceof ConfigError ? error.message : String(error);
    if (problem !== fault) logger.warn(`The TLS certificate is not renewed, the last one stays in use: ${problem}`);
    fault = problem;
  };

  const lookOnce = async (): Promise<void> => {
    try {
      const found = await readCertificate(files);
      if (!sameAs(found, current)) take(found);
      fault = undefined;
    } catch (error) {
      complain(error);
    }
    remind();
  };

  // One after the other: who has just replaced the files must not be answered by a look that began before.
  let last = Promise.resolve();
  let waiting = 0;
  const look = (): Promise<void> => {
    waiting += 1;
    last = last.then(lookOnce).finally(() => {
      waiting -= 1;
    });
    return last;
  };

  // A file system that does not answer must not pile up looks.
  const timer = setInterval(() => void (waiting === 0 && look()), everyMs).unref();
  tell('The registry speaks TLS.');
  return {
    current: () => current,
    follow: (taker) => {
      takers.push(taker);
      taker(current);
    },
    look,
    problems: () => {
      const end = endOf(current, now());
      const faulty = fault === undefined ? [] : [`The TLS certificate cannot be renewed, the last one stays in use: ${fault}`];
      return [...faulty, ...(end === undefined ? [] : [end])];
    },
    stop: () => clearInterval(timer),
  };
};
