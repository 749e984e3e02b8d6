import type { RepositoryEvents, Visibility } from '../events/repository.ts';
import { projection } from './projection.ts';

export type Repository = Readonly<{
  repositoryId: string;
  name: string;
  /** The user who pushed first, or null where that was nobody or a robot; or who was made it since. */
  ownerId: number | null;
  visibility: Visibility;
  createdAt: string;
  /** Text for people, which may be empty. */
  description: string;
  /** Tags that match one of these stay where they are, see `src/oci/tagRules.ts`. */
  immutableTags: readonly string[];
  /**
   * Whether a manifest was ever released here that is attached to another one. Only then has a push to look whether it brings the
   * subject of some back.
   */
  hasReleasedAttachments: boolean;
}>;

type Event = Readonly<{ repositoryId: string }>;

const changed =
  (change: Partial<Repository>) =>
  (repository: Repository | undefined, { repositoryId }: Event): Repository | undefined =>
    repository?.repositoryId === repositoryId ? { ...repository, ...change } : repository;

const noted = changed({ hasReleasedAttachments: true });

/**
 * Every living repository under its name, with or without content: where rights and the id of its other documents come from. An ended
 * life is out of everybody's sight with this one document.
 */
export const repositories = projection<Repository, RepositoryEvents>({
  view: 'repositories',
  version: 3,
  indexes: [],
  keysOf: ({ type, data }) => (type === 'ManifestReleased' && data.subject === undefined ? [] : [data.repository]),
  on: {
    RepositoryCreated: (_document, { data, metadata }) => ({
      repositoryId: data.repositoryId,
      name: data.repository,
      ownerId: data.ownerId,
      visibility: data.visibility,
      createdAt: metadata.at,
      description: '',
      immutableTags: [],
      hasReleasedAttachments: false,
    }),
    RepositoryDescribed: (repository, { data }) => changed({ description: data.description })(repository, data),
    VisibilityChanged: (repository, { data }) => changed({ visibility: data.visibility })(repository, data),
    OwnerChanged: (repository, { data }) => changed({ ownerId: data.ownerId })(repository, data),
    ImmutabilityRulesSet: (repository, { data }) => changed({ immutableTags: data.rules })(repository, data),
    ManifestReleased: (repository, { data }) => noted(repository, data),
    RepositoryDeleted: (repository, { data }) => (repository?.repositoryId === data.repositoryId ? undefined : repository),
  },
});
