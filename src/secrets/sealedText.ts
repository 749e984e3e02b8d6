import type { NewEvent } from '../events/event.ts';
import { ERASED } from '../events/users.ts';
import { lock, OVERHEAD, unlock } from './aead.ts';
import { MARK_LENGTH, type SubjectKey } from './subjectKeys.ts';

// `sealed:1:<subject>:<base64url of mark | nonce | ciphertext | tag>`: JSON-safe, like all that events hold.
const FORMAT = 'sealed:1:';
const SUBJECT = /^[a-z0-9-]{1,64}$/;

/** A protected field does not open under its subject's key, or is not sealed: somebody altered the log. */
export class TamperedSeal extends Error {
  override readonly name = 'TamperedSeal';

  constructor({ id, type }: NewEvent, path: string, why: string) {
    super(`Protected field ${path} of event ${id} (${type}) ${why}.`);
  }
}

/** A sealed text taken apart. `path` is where it was found, such as `data.email`. */
export type SealedText = Readonly<{ path: string; subject: string; bytes: Buffer }>;

export const isSubject = (text: string): boolean => SUBJECT.test(text);

// Bound to the event and the field, so that a ciphertext opens nowhere else.
const boundTo = (event: NewEvent, path: string): string => `${event.id} ${path}`;

export const sealText = (event: NewEvent, path: string, text: string, subject: string, { mark, key }: SubjectKey): string => {
  const bytes = Buffer.concat([mark, lock(key, Buffer.from(text), boundTo(event, path))]);
  return `${FORMAT}${subject}:${bytes.toString('base64url')}`;
};

/** @throws TamperedSeal */
export const parseSealed = (event: NewEvent, path: string, value: unknown): SealedText => {
  if (typeof value !== 'string' || !value.startsWith(FORMAT)) throw new TamperedSeal(event, path, 'is not sealed in a known way');
  const colon = value.indexOf(':', FORMAT.length);
  const subject = value.slice(FORMAT.length, colon);
  const text = value.slice(colon + 1);
  const bytes = Buffer.from(text, 'base64url');
  // Node skips what is not base64url, so only the way back shows that each character counts.
  const sound = isSubject(subject) && bytes.length >= MARK_LENGTH + OVERHEAD && bytes.toString('base64url') === text;
  if (!sound) throw new TamperedSeal(event, path, 'is malformed');
  return { path, subject, bytes };
};

/** @param key the subject's key, if there still is one. @returns the text, or ERASED. @throws TamperedSeal */
export const openSealed = (event: NewEvent, { path, bytes }: SealedText, key: SubjectKey | undefined): string => {
  if (key === undefined || !key.mark.equals(bytes.subarray(0, MARK_LENGTH))) return ERASED;
  const text = unlock(key.key, bytes.subarray(MARK_LENGTH), boundTo(event, path));
  if (text === undefined) throw new TamperedSeal(event, path, 'does not open: it was altered or moved');
  return text.toString();
};
