import { repositoryPulls } from '../projections/accessPulls.ts';
import { users } from '../projections/users.ts';
import type { HttpDeps } from './deps.ts';
import { countersAt, type Summary } from './summary.ts';

export const usersNow = async ({ views }: Pick<HttpDeps, 'views'>): Promise<number> => {
  const { users: count = 0 } = (await views.totals(users)).sums;
  return count;
};

/** Of manifests, as far as the access log has recorded them. */
export const pullsNow = async ({ accessViews }: Pick<HttpDeps, 'accessViews'>): Promise<number> => {
  const { pulls = 0 } = (await accessViews.totals(repositoryPulls)).sums;
  return pulls;
};

export type Totals = Readonly<{ summary: Summary; users: number }>;

/** What the registry holds, as the views show it now: from totals, whatever the registry has grown to. */
export const totalsNow = async (deps: Pick<HttpDeps, 'views' | 'reporting' | 'settings'>): Promise<Totals> => {
  const [summary, users] = await Promise.all([countersAt(deps, deps.settings.retainUntaggedDays), usersNow(deps)]);
  return { summary, users };
};
