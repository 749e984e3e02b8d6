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

/** What the registry holds, as the views show it now: from totals, whatever the registry has grown to. */
export const totalsNow = async (
  deps: Pick<HttpDeps, 'views' | 'reporting' | 'reported' | 'accessViews' | 'settings'>,
  summary: () => Promise<Summary> = () => countersAt(deps, deps.settings.retainUntaggedDays),
): Promise<Totals> => {
  const [counted, ofUsers, ofPulls] = await Promise.all([
    summary(),
    deps.views.totals(users),
    deps.accessViews.totals(repositoryPulls),
  ]);
  return { summary: counted, users: ofUsers.sums.users ?? 0, pulls: ofPulls.sums.pulls ?? 0 };
};
