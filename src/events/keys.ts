import type { EventDefinition } from './event.ts';
import { object, text } from './schema.ts';

export type KeyEvents = Readonly<{
  SigningKeyRotated: Readonly<{ keyId: string; algorithm: 'HS256' }>;
}>;

export const keyEvents: Readonly<Record<keyof KeyEvents, EventDefinition>> = {
  SigningKeyRotated: {
    version: 1,
    meaning: 'Bearer tokens are signed with a new key from now on. The key itself is in the secrets store.',
    schema: object({ keyId: text(1, 64), algorithm: { enum: ['HS256'] } }),
  },
};
