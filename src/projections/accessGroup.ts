import { digestPulls, repositoryPulls } from './accessPulls.ts';
import { lastSeen } from './accessSeen.ts';
import { accessTrail } from './accessTrail.ts';
import type { Group, Projection } from './projection.ts';

/** What is computed from the access log. It has a projector, a lease and checkpoints of its own, and no part in a rebuild of the facts. */
export const access: Group = {
  name: 'access',
  views: [accessTrail, repositoryPulls, digestPulls, lastSeen] as readonly unknown[] as readonly Projection[],
};
