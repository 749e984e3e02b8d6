import { RegistryError } from '../errors.ts';
import type { Fact } from '../events/event.ts';
import type { GrantEvents, GrantSubject, Level } from '../events/grants.ts';
import { isNameGlob, isPrefixGlob } from '../oci/names.ts';
import {
  GRANT_IDS,
  type GrantPlace,
  grantIds,
  grantKey,
  grantOnKey,
  grants,
  grantsByPlace,
  grantsOn,
  rights,
  subjectKey,
} from '../projections/grants.ts';
import { type Decider, type Documents, document, type Keys, setUnder } from './decider.ts';

/** `repositoryId`: of an exact name, the life that lives under it. */
export type GrantAccess = Readonly<{
  type: 'GrantAccess';
  subject: GrantSubject;
  scope: string;
  level: Level;
  repositoryId?: string;
}>;
/** `place`: what the grant must be on. */
export type RevokeAccess = Readonly<{ type: 'RevokeAccess'; grantId: number; place: 'prefix' | GrantPlace }>;
/** Revokes what was granted in a life that has ended; some of it, if there is much: give it until nothing comes of it. */
export type EndGrants = Readonly<{ type: 'EndGrants'; scope: string; repositoryId: string }>;
export type GrantCommand = GrantAccess | RevokeAccess | EndGrants;

type GrantFact = { [T in keyof GrantEvents]: Fact<T, GrantEvents[T]> }[keyof GrantEvents];

/** Grants of one user or team: they are one document. */
export const MOST_GRANTS = 1000;
const ENDED_PER_APPEND = 150;

const checkScope = ({ scope, repositoryId }: GrantAccess): void => {
  if (!isNameGlob(scope) || isPrefixGlob(scope) !== (repositoryId === undefined))
    throw new RegistryError('REQUEST_INVALID', 'Access is granted to a repository, or to all under a prefix, as team/*.', {
      field: 'scope',
    });
};

const grant = (command: GrantAccess, documents: Documents): readonly GrantFact[] => {
  const { type: _type, level, ...of } = command;
  const { subject } = of;
  checkScope(command);
  const now = documents.get(grantsByPlace, grantOnKey(of, subject));
  if (now?.level === level) return [];
  const { grants: held = [] } = documents.get(rights, subjectKey(subject)) ?? {};
  if (now === undefined && held.length >= MOST_GRANTS)
    throw new RegistryError(
      'CONFLICT',
      `A user or team has at most ${MOST_GRANTS} grants. Grant a prefix instead, or make a team.`,
      {
        most: MOST_GRANTS,
      },
    );
  const grantId = (documents.get(grantIds, GRANT_IDS)?.last ?? 0) + 1;
  const granted: GrantFact = { type: 'AccessGranted', data: { ...of, grantId, level } };
  if (now === undefined) return [granted];
  return [{ type: 'AccessRevoked', data: { ...of, grantId: now.grantId, cause: 'replaced' } }, granted];
};

const revoke = ({ grantId, place }: RevokeAccess, documents: Documents): readonly GrantFact[] => {
  const found = documents.get(grants, grantKey(grantId));
  const { subject, scope, repositoryId, kind } = found ?? {};
  const isThere = place === 'prefix' ? kind === 'prefix' : scope === place.scope && repositoryId === place.repositoryId;
  if (!isThere || subject === undefined || scope === undefined)
    throw new RegistryError('NOT_FOUND', `There is no grant ${grantId} here.`, { grantId });
  const of = { subject, scope, ...(typeof repositoryId === 'string' && { repositoryId }) };
  return [{ type: 'AccessRevoked', data: { ...of, grantId, cause: 'revoked' } }];
};

const end = ({ type: _type, ...place }: EndGrants, documents: Documents): readonly GrantFact[] =>
  documents.keysUnder(grantsByPlace, grantsOn(place)).flatMap((whose): readonly GrantFact[] => {
    const found = documents.get(grantsByPlace, `${grantsOn(place)}${whose}`);
    if (found === undefined) return [];
    const { grantId, subject } = found;
    return [{ type: 'AccessRevoked', data: { ...place, grantId, subject, cause: 'repositoryDeleted' } }];
  });

const endKeys = (command: EndGrants, known: Documents): Keys => {
  const prefix = grantsOn(command);
  return {
    sets: [setUnder(grantsByPlace, prefix, ENDED_PER_APPEND)],
    documents: known.keysUnder(grantsByPlace, prefix).map((whose) => document(grantsByPlace, `${prefix}${whose}`)),
  };
};

/** The rules of grants. Who may give them, and whether user, team and repository exist, is known before. */
export const grantsDecider: Decider<GrantCommand> = {
  keysOf: (command, known): Keys => {
    switch (command.type) {
      case 'GrantAccess':
        return {
          documents: [
            document(grantIds, GRANT_IDS),
            document(grantsByPlace, grantOnKey(command, command.subject)),
            document(rights, subjectKey(command.subject)),
          ],
        };
      case 'RevokeAccess':
        return { documents: [document(grants, grantKey(command.grantId))] };
      case 'EndGrants':
        return endKeys(command, known);
    }
  },

  decide: (command, documents): readonly GrantFact[] => {
    switch (command.type) {
      case 'GrantAccess':
        return grant(command, documents);
      case 'RevokeAccess':
        return revoke(command, documents);
      case 'EndGrants':
        return end(command, documents);
    }
  },
};
