import { accessSeals } from './accessSeals.ts';
import { accessTokenCounts, accessTokenHashes, accessTokenIds, accessTokens } from './accessTokens.ts';
import { auditTrail } from './auditTrail.ts';
import { catalog } from './catalog.ts';
import { endedLives } from './endedLives.ts';
import { grantIds, grants, grantsByPlace, rights } from './grants.ts';
import { holders } from './holders.ts';
import { identities } from './identities.ts';
import { inventory } from './inventory.ts';
import { links } from './links.ts';
import { manifests } from './manifests.ts';
import type { Group, Projection } from './projection.ts';
import { references } from './references.ts';
import { referrers } from './referrers.ts';
import { releasedManifests } from './releasedManifests.ts';
import { repositories } from './repositories.ts';
import { repositoryList } from './repositoryList.ts';
import { repositoryWords } from './repositoryWords.ts';
import { signingKeys } from './signingKeys.ts';
import { tags } from './tags.ts';
import { teamIds, teamNames, teams } from './teams.ts';
import { activeAdmins, userIds, usernames, users } from './users.ts';

const widened = (views: readonly unknown[]): readonly Projection[] => views as readonly Projection[];

/** What requests are decided and answered from: a handler waits for it after an append. */
export const serving: Group = {
  name: 'serving',
  views: widened([
    repositories,
    catalog,
    tags,
    manifests,
    links,
    holders,
    references,
    referrers,
    endedLives,
    releasedManifests,
    users,
    usernames,
    userIds,
    activeAdmins,
    identities,
    accessTokens,
    accessTokenHashes,
    accessTokenCounts,
    accessTokenIds,
    rights,
    grants,
    grantsByPlace,
    grantIds,
    teams,
    teamNames,
    teamIds,
    signingKeys,
    accessSeals,
  ]),
};

/** What people read about the registry: may lag without anyone waiting. */
export const reporting: Group = { name: 'reporting', views: widened([auditTrail, inventory, repositoryList, repositoryWords]) };

export const groups: Readonly<Record<string, Group>> = { serving, reporting };
