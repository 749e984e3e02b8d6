import type { EventDefinition } from './event.ts';
import { count, object, text } from './schema.ts';

/** Most users in a team: the end of a team names them all. */
export const MOST_MEMBERS = 1000;

export type TeamEvents = Readonly<{
  TeamCreated: Readonly<{ teamId: number; name: string }>;
  /** `members`: who was in it until now. */
  TeamDeleted: Readonly<{ teamId: number; name: string; members: readonly number[] }>;
  TeamMemberAdded: Readonly<{ teamId: number; userId: number }>;
  TeamMemberRemoved: Readonly<{ teamId: number; userId: number }>;
}>;

const id = { ...count, minimum: 1 };
const name = text(1, 64);

export const teamEvents: Readonly<Record<keyof TeamEvents, EventDefinition>> = {
  TeamCreated: {
    version: 1,
    meaning:
      'A team exists from now on, with nobody in it. Ids count up and are never used again; names are, once they are free.',
    schema: object({ teamId: id, name }),
  },
  TeamDeleted: {
    version: 1,
    meaning: 'A team is gone, and all that was granted to it.',
    schema: object({ teamId: id, name, members: { type: 'array', maxItems: MOST_MEMBERS, items: id } }),
  },
  TeamMemberAdded: {
    version: 1,
    meaning: 'A user is in a team from now on, and has what is granted to it.',
    schema: object({ teamId: id, userId: id }),
  },
  TeamMemberRemoved: {
    version: 1,
    meaning: 'A user is in a team no longer.',
    schema: object({ teamId: id, userId: id }),
  },
};
