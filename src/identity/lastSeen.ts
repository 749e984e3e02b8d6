/** When people and tokens were last there, as far as the access log tells. In the order of the ids; null: not known. */
export type LastSeen = Readonly<{
  lastLogins: (userIds: readonly number[]) => Promise<readonly (string | null)[]>;
  lastUses: (tokenIds: readonly number[]) => Promise<readonly (string | null)[]>;
}>;
