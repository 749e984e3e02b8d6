import { checkUsername } from '../commands/users.ts';
import { RegistryError } from '../errors.ts';
import { grantsByPlace } from '../projections/grants.ts';
import type { Document, Projection } from '../projections/projection.ts';
import { repositories } from '../projections/repositories.ts';
import type { HttpDeps } from './deps.ts';

type Deps = Pick<HttpDeps, 'views' | 'workloadRepositories'>;

/**
 * A username is a namespace, and whoever gets it owns all that stands under it: so it must not be one that others have begun. A repository
 * that is called like the name alone is in no namespace. The keys of both views begin with what they are about: each is one look-up.
 * What is pushed or granted at this very moment may be missed.
 * @throws RegistryError `CONFLICT`; `REQUEST_INVALID` for what can be no username. Both with the field `username`
 */
export const refuseBegunNamespace = async ({ views, workloadRepositories }: Deps, username: string): Promise<void> => {
  checkUsername(username);
  const namespace = `${username}/`;
  const standsIn = async <D extends Document>(view: Projection<D>): Promise<boolean> =>
    (await views.find(view, { where: { key: { $prefix: namespace } }, limit: 1 })).items.length > 0;
  const begun =
    workloadRepositories.some((glob) => glob.startsWith(namespace)) ||
    (await standsIn(repositories)) ||
    (await standsIn(grantsByPlace));
  if (begun)
    throw new RegistryError(
      'CONFLICT',
      `The username ${username} is not free: there are repositories or grants under ${namespace} already, which would be this user's.`,
      { field: 'username' },
    );
};
