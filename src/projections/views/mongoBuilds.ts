import { createHash } from 'node:crypto';
import type { Db } from 'mongodb';
import { type Group, versionOf } from '../projection.ts';

/** Raise it when the adapter stores documents otherwise: every release then builds views of its own. */
const FORM = 1;

/**
 * `current` is the build that everybody reads, `next` the one that is about to be (or has become it), `newest` the last number given
 * out. `usedAt` says when a node last used any of them.
 */
type Row = Readonly<{
  _id: string;
  group: string;
  version: string;
  current: number;
  next: number;
  newest: number;
  usedAt: Date;
}>;

export type InUse = Readonly<{ current: number; next: number }>;

export type Version = Readonly<{ id: string; builds: readonly string[] }>;

/** The builds of one group of views in one version: numbers, of which one is in use. */
export type Builds = Readonly<{
  /** Names the collections of a build. */
  nameOf: (number: number) => string;
  /** The numbers in use; the first is made where there is none. */
  inUse: () => Promise<InUse>;
  /** A number for a build that is to take the place of the one in use. */
  begin: () => Promise<number>;
  /** Announces a build that holds everything: whoever waits for a position waits for it, too, before anybody reads it. */
  propose: (number: number) => Promise<void>;
  /** From now on everybody reads this build, unless a later one is in use already. */
  publish: (number: number) => Promise<void>;
  /** Says that a node uses this version of the views. */
  touch: () => Promise<void>;
  /** The builds in use of other versions that a node has used in the last so many ms. */
  beside: (usedMs: number) => Promise<readonly string[]>;
  /** The builds of this version before `current`. */
  replaced: (current: number) => readonly string[];
  /** The versions of the group that no node has used for so many ms, with all their builds. */
  unused: (unusedMs: number) => Promise<readonly Version[]>;
  /** Forgets a version whose collections are gone, unless a node has used it since. */
  forget: (version: Version, unusedMs: number) => Promise<void>;
}>;

const hashOf = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 12);

const upTo = (most: number): readonly number[] => Array.from({ length: most }, (_, index) => index + 1);

export const mongoBuilds = (db: Db, group: Group): Builds => {
  const rows = db.collection<Row>('builds');
  const version = versionOf(group);
  const base = `${group.name}-${hashOf(`${FORM} ${version}`)}`;
  const nameOf = (number: number): string => `${base}.${number}`;
  const usedBefore = (unusedMs: number) => ({ usedAt: { $lt: new Date(Date.now() - unusedMs) } });

  const inUse = async (): Promise<InUse> => {
    const row = await rows.findOne({ _id: base });
    if (row !== null) return { current: row.current, next: row.next };
    const first = { group: group.name, version, current: 1, next: 1, newest: 1, usedAt: new Date() };
    await rows.updateOne({ _id: base }, { $setOnInsert: first }, { upsert: true });
    return inUse();
  };

  return {
    nameOf,
    inUse,
    begin: async () => {
      await inUse();
      const row = await rows.findOneAndUpdate({ _id: base }, { $inc: { newest: 1 } }, { returnDocument: 'after' });
      if (row === null) throw new Error(`The builds of ${base} are gone.`);
      return row.newest;
    },
    propose: async (number) => {
      await rows.updateOne({ _id: base, next: { $lt: number } }, { $set: { next: number } });
    },
    publish: async (number) => {
      await rows.updateOne({ _id: base, current: { $lt: number } }, { $set: { current: number } });
    },
    touch: async () => {
      await rows.updateOne({ _id: base }, { $set: { usedAt: new Date() } });
    },
    beside: async (usedMs) => {
      const used = { group: group.name, _id: { $ne: base }, usedAt: { $gte: new Date(Date.now() - usedMs) } };
      const others = await rows.find(used).limit(100).toArray();
      return others.flatMap(({ _id, current, next }) => [...new Set([current, next])].map((number) => `${_id}.${number}`));
    },
    replaced: (inUse) => upTo(inUse - 1).map(nameOf),
    unused: async (unusedMs) => {
      const others = await rows
        .find({ group: group.name, _id: { $ne: base }, ...usedBefore(unusedMs) })
        .limit(100)
        .toArray();
      return others.map(({ _id, newest }) => ({ id: _id, builds: upTo(newest).map((number) => `${_id}.${number}`) }));
    },
    forget: async ({ id }, unusedMs) => {
      await rows.deleteOne({ _id: id, ...usedBefore(unusedMs) });
    },
  };
};
