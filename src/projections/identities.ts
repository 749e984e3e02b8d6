import type { UserEvents } from '../events/users.ts';
import { projection } from './projection.ts';

export type Identity = Readonly<{ userId: number }>;

/** Whose login at an identity provider is whose here, by the fingerprint of provider and subject. A person who was erased is nobody's any more. */
export const identities = projection<Identity, UserEvents>({
  view: 'identities',
  version: 2,
  indexes: [],
  keysOf: ({ type, data }) => {
    if (type === 'IdentityLinked') return [data.fingerprint];
    return type === 'PersonErased' ? data.identities : [];
  },
  on: {
    IdentityLinked: (_identity, { data }) => ({ userId: data.userId }),
    PersonErased: () => undefined,
  },
});
