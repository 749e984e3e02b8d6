import type { Held, Leases } from '../../src/projections/views/lease.ts';

/** Leases in memory that compare and set as a store does; for what needs a clock of its own. */
export const sharedLeases = (): Leases & Readonly<{ held: (name: string) => Held | undefined }> => {
  const rows = new Map<string, Held>();
  return {
    held: (name) => rows.get(name),
    read: async (name) => rows.get(name),
    replace: async (name, seen, next) => {
      const held = rows.get(name);
      if (held?.holder !== seen?.holder || held?.beat !== seen?.beat) return false;
      rows.set(name, next);
      return true;
    },
    release: async (name, holder) => {
      if (rows.get(name)?.holder === holder) rows.delete(name);
    },
  };
};
