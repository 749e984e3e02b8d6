import { createCipheriv, createDecipheriv, type KeyObject, randomFillSync } from 'node:crypto';

// AES-256-GCM (NIST SP 800-38D): nonce | ciphertext | tag. Nonces are random: safe for 2^32 messages a key.
const CIPHER = 'aes-256-gcm';
const NONCE = 12;
const TAG = 16;

/** Bytes of every key that this registry encrypts with. */
export const KEY_LENGTH = 32;

/** What `lock` adds to the length of its plaintext. */
export const OVERHEAD = NONCE + TAG;

// Random bytes are drawn for many nonces at once: one by one they took a quarter of the time of a short text.
const drawn = Buffer.alloc(NONCE * 512);
let next = drawn.length;

const newNonce = (): Buffer => {
  if (next === drawn.length) {
    randomFillSync(drawn);
    next = 0;
  }
  next += NONCE;
  return drawn.subarray(next - NONCE, next);
};

/** @param bound what the ciphertext belongs to: `unlock` needs the same text, so a ciphertext cannot be moved elsewhere */
export const lock = (key: KeyObject, plaintext: Uint8Array, bound: string): Buffer => {
  const nonce = newNonce();
  const cipher = createCipheriv(CIPHER, key, nonce, { authTagLength: TAG }).setAAD(Buffer.from(bound));
  return Buffer.concat([nonce, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
};

/** @returns undefined when key, ciphertext or `bound` are not the ones of `lock` */
export const unlock = (key: KeyObject, locked: Uint8Array, bound: string): Buffer | undefined => {
  if (locked.length < OVERHEAD) return undefined;
  const decipher = createDecipheriv(CIPHER, key, locked.subarray(0, NONCE), { authTagLength: TAG })
    .setAAD(Buffer.from(bound))
    .setAuthTag(locked.subarray(-TAG));
  const plaintext = decipher.update(locked.subarray(NONCE, -TAG));
  try {
    decipher.final();
  } catch {
    return undefined;
  }
  return plaintext;
};
