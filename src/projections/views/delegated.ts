import type { Views } from './views.ts';

/** Views that stand for others, which may be exchanged between two calls. */
export const delegated = (views: () => Views, close: () => Promise<void>): Views => ({
  get: async (view, key) => views().get(view, key),
  getAtOnce: (view, key) => views().getAtOnce(view, key),
  getMany: async (view, keys) => views().getMany(view, keys),
  getPlaced: async (view, keys) => views().getPlaced(view, keys),
  find: async (view, query) => views().find(view, query),
  count: async (view, where, atMost) => views().count(view, where, atMost),
  totals: async (view) => views().totals(view),
  cursor: async (stream) => views().cursor(stream),
  checkpoint: async () => views().checkpoint(),
  faults: async () => views().faults(),
  commit: async (step) => views().commit(step),
  sweep: async (olderThanMs) => views().sweep(olderThanMs),
  forget: async (view, before) => views().forget(view, before),
  close,
});
