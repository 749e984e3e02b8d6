import type { RepositoryCommand, RepositoryFact } from '../../src/commands/repository/commands.ts';
import type { ErrorCode } from '../../src/errors.ts';
import type { Fact } from '../../src/events/event.ts';
import type { ManifestReference } from '../../src/events/repository.ts';
import type { Digest } from '../../src/oci/digest.ts';

/** A repository as a person would think of it: what it holds, and nothing of logs and views. */
export type Model = Readonly<{
  exists: boolean;
  blobs: ReadonlySet<Digest>;
  manifests: ReadonlyMap<Digest, readonly ManifestReference[]>;
  tags: ReadonlyMap<string, Digest>;
  rules: readonly string[];
  /** The manifests that a tag, an index or their subject has held since they were pushed. */
  everHeld: ReadonlySet<Digest>;
  /** Those of which the history says that nothing holds them any more. */
  released: ReadonlySet<Digest>;
}>;

export const NOTHING: Model = {
  exists: false,
  blobs: new Set(),
  manifests: new Map(),
  tags: new Map(),
  rules: [],
  everHeld: new Set(),
  released: new Set(),
};

/** What a command comes to: the code of its refusal, or what it changes in words, sorted. */
export type Answer = ErrorCode | readonly string[];

type Of<T extends RepositoryCommand['type']> = Extract<RepositoryCommand, { type: T }>;

const lists = (references: readonly ManifestReference[], digest: Digest): boolean =>
  references.some((one) => one.role === 'manifest' && one.digest === digest);

const isHeld = ({ tags, manifests }: Model, digest: Digest): boolean =>
  [...tags.values()].includes(digest) ||
  [...manifests.values()].some((references) => lists(references, digest)) ||
  manifests.get(digest)?.some((one) => one.role === 'subject' && manifests.has(one.digest)) === true;

const withHolds = (model: Model): Model => {
  const everHeld = [...model.manifests.keys()].filter((digest) => model.everHeld.has(digest) || isHeld(model, digest));
  return { ...model, everHeld: new Set(everHeld) };
};

/** The manifests that were held and are not, by counting what there is. */
export const recountOf = (model: Model): ReadonlySet<Digest> =>
  new Set([...model.everHeld].filter((digest) => !isHeld(model, digest)));

const isImmutable = ({ rules }: Model, tag: string): boolean =>
  rules.some((rule) => new RegExp(`^${rule.replaceAll('.', '\\.').replaceAll('*', '.*')}$`).test(tag));

const isProtected = (model: Model, digest: Digest): boolean =>
  [...model.tags].some(([tag, target]) => target === digest && isImmutable(model, tag)) ||
  [...model.manifests].some(([index, references]) => lists(references, digest) && isProtected(model, index));

const creation = ({ exists }: Model): readonly string[] => (exists ? [] : ['create']);

const names = ({ manifests }: Model, digest: Digest): boolean =>
  [...manifests.values()].some((references) => references.some((reference) => reference.digest === digest));

const pushing = (model: Model, { digest, references, tags }: Of<'PushManifest'>): Answer => {
  const moving = tags.filter((tag) => model.tags.get(tag) !== digest);
  if (moving.some((tag) => model.tags.has(tag) && isImmutable(model, tag))) return 'TAG_IMMUTABLE';
  const moved = moving.map((tag) => `tag ${tag} ${digest}`);
  if (model.manifests.has(digest)) return moved;
  const missing = references.some(
    (one) => !one.mayBeMissing && !(one.role === 'manifest' ? model.manifests.has(one.digest) : model.blobs.has(one.digest)),
  );
  return missing ? 'MANIFEST_BLOB_UNKNOWN' : [...creation(model), `push ${digest}`, ...moved];
};

const removing = (model: Model, { digest }: Of<'DeleteManifest'>): Answer => {
  if (!model.manifests.has(digest)) return 'MANIFEST_UNKNOWN';
  if (isProtected(model, digest)) return 'TAG_IMMUTABLE';
  const tags = [...model.tags].filter(([, target]) => target === digest).map(([tag]) => `untag ${tag}`);
  return [...tags, `remove ${digest}`];
};

const unlinking = (model: Model, { digest }: Of<'UnlinkBlob'>): Answer => {
  if (!model.blobs.has(digest)) return 'BLOB_UNKNOWN';
  return names(model, digest) ? 'BLOB_REFERENCED' : [`unlink ${digest}`];
};

const untagging = (model: Model, { tag }: Of<'DeleteTag'>): Answer => {
  if (!model.tags.has(tag)) return 'TAG_UNKNOWN';
  return isImmutable(model, tag) ? 'TAG_IMMUTABLE' : [`untag ${tag}`];
};

const ending = ({ rules, manifests, tags }: Model): Answer =>
  rules.length > 0 ? 'TAG_IMMUTABLE' : [`end with ${manifests.size} manifests and ${tags.size} tags`];

/** What a command changes by itself: what that releases or holds again is not its business. */
const changeOf = (model: Model, command: RepositoryCommand): Answer => {
  if (command.type === 'LinkBlob') return model.blobs.has(command.digest) ? [] : [...creation(model), `link ${command.digest}`];
  if (command.type === 'PushManifest') return pushing(model, command);
  if (!model.exists) return 'REPOSITORY_UNKNOWN';
  switch (command.type) {
    case 'UnlinkBlob':
      return unlinking(model, command);
    case 'DeleteManifest':
      return removing(model, command);
    case 'DeleteTag':
      return untagging(model, command);
    case 'DeleteRepository':
      return ending(model);
    case 'SetImmutabilityRules':
      return String(command.rules) === String(model.rules) ? [] : [`rules ${command.rules}`];
    case 'DescribeRepository':
    case 'ClearRepository':
      throw new Error('What is said of a repository, and what clears a former life, is nothing that this model answers.');
  }
};

const without = <K, V>(map: ReadonlyMap<K, V>, key: K): ReadonlyMap<K, V> => new Map([...map].filter(([one]) => one !== key));
const except = <T>(set: ReadonlySet<T>, one: T): ReadonlySet<T> => new Set([...set].filter((other) => other !== one));

/** The state after a change in words, as far as holds depend on it. */
const changed = (model: Model, change: string, command: RepositoryCommand): Model => {
  const [what, first = '', second = ''] = change.split(' ');
  if (what === 'end') return NOTHING;
  if (what === 'tag') return { ...model, tags: new Map([...model.tags, [first, second as Digest]]) };
  if (what === 'untag') return { ...model, tags: without(model.tags, first) };
  if (what === 'remove') return { ...model, manifests: without(model.manifests, first as Digest) };
  if (what === 'push' && 'references' in command)
    return { ...model, manifests: new Map([...model.manifests, [first as Digest, command.references]]) };
  return model;
};

/** What a repository in this state answers to a command. */
export const answerOf = (model: Model, command: RepositoryCommand): Answer => {
  const changes = changeOf(model, command);
  if (typeof changes === 'string') return changes;
  const next = withHolds(changes.reduce((state, change) => changed(state, change, command), model));
  const recount = recountOf(next);
  const holds = [...model.released].filter((digest) => next.manifests.has(digest) && !recount.has(digest));
  const releases = [...recount].filter((digest) => !model.released.has(digest));
  return [...changes, ...holds.map((digest) => `hold ${digest}`), ...releases.map((digest) => `release ${digest}`)].sort((a, b) =>
    a.localeCompare(b),
  );
};

/** A fact in the words of `Answer`. */
const inWords = (fact: Fact): string => {
  const { type, data } = fact as RepositoryFact;
  switch (type) {
    case 'RepositoryCreated':
      return 'create';
    case 'RepositoryDescribed':
    case 'VisibilityChanged':
    case 'OwnerChanged':
      return 'describe';
    case 'ImmutabilityRulesSet':
      return `rules ${data.rules}`;
    case 'RepositoryDeleted':
      return `end with ${data.manifests} manifests and ${data.tags} tags`;
    case 'RepositoryCleared':
      return 'clear';
    case 'BlobLinked':
      return `link ${data.digest}`;
    case 'BlobUnlinked':
      return `unlink ${data.digest}`;
    case 'ManifestPushed':
      return `push ${data.digest}`;
    case 'ManifestDeleted':
      return `remove ${data.digest}`;
    case 'ManifestReleased':
      return `release ${data.digest}`;
    case 'ManifestHeld':
      return `hold ${data.digest}`;
    case 'TagMoved':
      return `tag ${data.tag} ${data.digest}`;
    case 'TagDeleted':
      return `untag ${data.tag}`;
  }
};

/** What facts say, in the words of `Answer`. */
export const wordsOf = (facts: readonly Fact[]): Answer => facts.map(inWords).sort((a, b) => a.localeCompare(b));

const afterFact = (model: Model, fact: Fact): Model => {
  const { type, data } = fact as RepositoryFact;
  // Of a life that has ended: nothing to the one that lives.
  if ('cause' in data && data.cause === 'repositoryDeleted') return model;
  switch (type) {
    case 'RepositoryCreated':
      return { ...NOTHING, exists: true };
    case 'RepositoryDeleted':
      return NOTHING;
    case 'RepositoryCleared':
    case 'RepositoryDescribed':
    case 'VisibilityChanged':
    case 'OwnerChanged':
      return model;
    case 'ImmutabilityRulesSet':
      return { ...model, rules: data.rules };
    case 'BlobLinked':
      return { ...model, blobs: new Set([...model.blobs, data.digest]) };
    case 'BlobUnlinked':
      return { ...model, blobs: except(model.blobs, data.digest) };
    case 'ManifestPushed':
      return { ...model, manifests: new Map([...model.manifests, [data.digest, data.references]]) };
    case 'ManifestDeleted':
      return { ...model, manifests: without(model.manifests, data.digest), released: except(model.released, data.digest) };
    case 'ManifestReleased':
      return { ...model, released: new Set([...model.released, data.digest]) };
    case 'ManifestHeld':
      return { ...model, released: except(model.released, data.digest) };
    case 'TagMoved':
      return { ...model, tags: new Map([...model.tags, [data.tag, data.digest]]) };
    case 'TagDeleted':
      return { ...model, tags: without(model.tags, data.tag) };
  }
};

/** The state after a fact. */
export const after = (model: Model, fact: Fact): Model => withHolds(afterFact(model, fact));

/** The states that a history goes through: before its first fact, and after each. */
export const statesOf = (history: readonly Fact[]): readonly Model[] => {
  const states = [NOTHING];
  for (const fact of history) states.push(after(states.at(-1) ?? NOTHING, fact));
  return states;
};
