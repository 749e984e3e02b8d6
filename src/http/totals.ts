import { repositoryPulls } from '../projections/accessPulls.ts';
import { users } from '../projections/users.ts';
import type { HttpDeps } from './deps.ts';
import { countersAt, type Summary } from './summary.ts';

export type Totals = Readonly<{
  summary: Summary;
  users: number;
  /** Of manifests, as far as the access log has recorded them. */
  pulls: number;
}>;

export const usersNow = async ({ views }: Pick<HttpDeps, 'views'>): Promise<number> =>
  (await views.totals(users)).sums.users ?? 0;

export const pullsNow = async ({ accessViews }: Pick<HttpDeps, 'accessViews'>): Promise<number> =>
  (await accessViews.totals(repositoryPulls)).sums.pulls ?? 0;

/** What the registry holds, as the views show it now: from totals, whatever the registry has grown to. */
export const totalsNow = async (
  deps: Pick<HttpDeps, 'views' | 'reporting' | 'reported' | 'accessViews' | 'settings'>,
  summary: () => Promise<Summary> = () => countersAt(deps, deps.settings.retainUntaggedDays),
): Promise<Totals> => {
  const [counted, ofUsers, ofPulls] = await Promise.all([summary(), usersNow(deps), pullsNow(deps)]);
  return { summary: counted, users: ofUsers, pulls: ofPulls };
};
