import type { RepositoryCommand } from '../../src/commands/repository.ts';
import type { ErrorCode } from '../../src/errors.ts';
import type { Fact } from '../../src/events/event.ts';
import type { ManifestReference, RepositoryEvents } from '../../src/events/repository.ts';
import type { Digest } from '../../src/oci/digest.ts';

/** A repository as a person would think of it: what it holds, and nothing of logs and views. */
export type Model = Readonly<{
  exists: boolean;
  blobs: ReadonlySet<Digest>;
  manifests: ReadonlyMap<Digest, readonly ManifestReference[]>;
  tags: ReadonlyMap<string, Digest>;
}>;

export const NOTHING: Model = { exists: false, blobs: new Set(), manifests: new Map(), tags: new Map() };

/** What a command comes to: the code of its refusal, or what it changes in words, in order. */
export type Answer = ErrorCode | readonly string[];

type Of<T extends RepositoryCommand['type']> = Extract<RepositoryCommand, { type: T }>;

const creation = ({ exists }: Model): readonly string[] => (exists ? [] : ['create']);

const names = ({ manifests }: Model, digest: Digest): boolean =>
  [...manifests.values()].some((references) => references.some((reference) => reference.digest === digest));

const pushing = (model: Model, { digest, references, tags }: Of<'PushManifest'>): Answer => {
  const moved = tags.filter((tag) => model.tags.get(tag) !== digest).map((tag) => `tag ${tag} ${digest}`);
  if (model.manifests.has(digest)) return moved;
  const missing = references.some(
    (one) => !one.mayBeMissing && !(one.role === 'manifest' ? model.manifests.has(one.digest) : model.blobs.has(one.digest)),
  );
  return missing ? 'MANIFEST_BLOB_UNKNOWN' : [...creation(model), `push ${digest}`, ...moved];
};

const removing = (model: Model, { digest }: Of<'DeleteManifest'>): Answer => {
  if (!model.manifests.has(digest)) return 'MANIFEST_UNKNOWN';
  const tags = [...model.tags].filter(([, target]) => target === digest).map(([tag]) => `untag ${tag}`);
  return [...tags.sort((a, b) => (a < b ? -1 : 1)), `remove ${digest}`];
};

const unlinking = (model: Model, { digest }: Of<'UnlinkBlob'>): Answer => {
  if (!model.blobs.has(digest)) return 'BLOB_UNKNOWN';
  return names(model, digest) ? 'BLOB_REFERENCED' : [`unlink ${digest}`];
};

/** What a repository in this state answers to a command. */
export const answerOf = (model: Model, command: RepositoryCommand): Answer => {
  if (command.type === 'LinkBlob') return model.blobs.has(command.digest) ? [] : [...creation(model), `link ${command.digest}`];
  if (command.type === 'PushManifest') return pushing(model, command);
  if (!model.exists) return 'REPOSITORY_UNKNOWN';
  if (command.type === 'UnlinkBlob') return unlinking(model, command);
  if (command.type === 'DeleteManifest') return removing(model, command);
  return model.tags.has(command.tag) ? [`untag ${command.tag}`] : 'TAG_UNKNOWN';
};

type RepositoryFact = { [T in keyof RepositoryEvents]: Fact<T, RepositoryEvents[T]> }[keyof RepositoryEvents];

/** A fact in the words of `Answer`. */
export const inWords = (fact: Fact): string => {
  const { type, data } = fact as RepositoryFact;
  switch (type) {
    case 'RepositoryCreated':
      return 'create';
    case 'BlobLinked':
      return `link ${data.digest}`;
    case 'BlobUnlinked':
      return `unlink ${data.digest}`;
    case 'ManifestPushed':
      return `push ${data.digest}`;
    case 'ManifestDeleted':
      return `remove ${data.digest}`;
    case 'TagMoved':
      return `tag ${data.tag} ${data.digest}`;
    case 'TagDeleted':
      return `untag ${data.tag}`;
  }
};

const without = <K, V>(map: ReadonlyMap<K, V>, key: K): ReadonlyMap<K, V> => new Map([...map].filter(([one]) => one !== key));

/** The state after a fact. */
export const after = (model: Model, fact: Fact): Model => {
  const { type, data } = fact as RepositoryFact;
  switch (type) {
    case 'RepositoryCreated':
      return { ...model, exists: true };
    case 'BlobLinked':
      return { ...model, blobs: new Set([...model.blobs, data.digest]) };
    case 'BlobUnlinked':
      return { ...model, blobs: new Set([...model.blobs].filter((digest) => digest !== data.digest)) };
    case 'ManifestPushed':
      return { ...model, manifests: new Map([...model.manifests, [data.digest, data.references]]) };
    case 'ManifestDeleted':
      return { ...model, manifests: without(model.manifests, data.digest) };
    case 'TagMoved':
      return { ...model, tags: new Map([...model.tags, [data.tag, data.digest]]) };
    case 'TagDeleted':
      return { ...model, tags: without(model.tags, data.tag) };
  }
};

/** The states that a history goes through: before its first fact, and after each. */
export const statesOf = (history: readonly Fact[]): readonly Model[] => {
  const states = [NOTHING];
  for (const fact of history) states.push(after(states.at(-1) ?? NOTHING, fact));
  return states;
};
