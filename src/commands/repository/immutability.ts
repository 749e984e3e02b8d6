import { RegistryError } from '../../errors.ts';
import type { Digest } from '../../oci/digest.ts';
import { ruleFor } from '../../oci/tagRules.ts';
import { listedBy, references, taggedBy } from '../../projections/references.ts';
import type { Repository } from '../../projections/repositories.ts';
import { type DocumentSet, type Documents, type Keys, setUnder } from '../decider.ts';

/** Tags of one manifest that are looked at one by one. Where there are more, each rule is asked for by what it begins with. */
const FEW_TAGS = 200;
/** Tags that are looked at for a rule that goes on after its first star. */
const SOME_TAGS = 1000;
/** Indexes that are looked through upwards from a manifest. */
const MOST_INDEXES = 100;

type Ruled = Pick<Repository, 'repositoryId' | 'immutableTags'>;
type Found = Readonly<{ tag: string; rule: string }>;

const refusal = (tag: string, rule: string): RegistryError =>
  new RegistryError('TAG_IMMUTABLE', `The tag ${tag} is immutable: the repository's rule ${rule} keeps it where it is.`, {
    tag,
    rule,
  });

/** For a tag that is there and is to be moved or deleted. @throws RegistryError `TAG_IMMUTABLE` */
export const refuseIfImmutable = (rules: readonly string[], tag: string): void => {
  const rule = ruleFor(rules, tag);
  if (rule !== undefined) throw refusal(tag, rule);
};

const startOf = (rule: string): string => rule.split('*', 1)[0] ?? '';

/** What lies below the beginning of a rule. Where the beginning is all of it but the star, or the whole rule, the first tag tells. */
const setFor = (repositoryId: string, digest: Digest, rule: string): DocumentSet => {
  const start = startOf(rule);
  const isPlain = rule === start || rule === `${start}*`;
  return setUnder(references, `${taggedBy(repositoryId, digest)}${start}`, isPlain ? 1 : SOME_TAGS);
};

const fewTags = (repositoryId: string, digest: Digest): DocumentSet =>
  setUnder(references, taggedBy(repositoryId, digest), FEW_TAGS);

const hasMore = (repositoryId: string, digest: Digest, known: Documents): boolean =>
  known.keysUnder(references, taggedBy(repositoryId, digest)).length >= FEW_TAGS;

const tagKeys = ({ repositoryId, immutableTags }: Ruled, digest: Digest, known: Documents): readonly DocumentSet[] => [
  fewTags(repositoryId, digest),
  ...(hasMore(repositoryId, digest, known) ? immutableTags.map((rule) => setFor(repositoryId, digest, rule)) : []),
];

/** An immutable tag that points at a manifest. With more tags than can be looked at, any that a rule may mean counts as one. */
const immutableTagOn = ({ repositoryId, immutableTags }: Ruled, digest: Digest, documents: Documents): Found | undefined => {
  const found = (tag: string, rule: string | undefined): readonly Found[] => (rule === undefined ? [] : [{ tag, rule }]);
  if (!hasMore(repositoryId, digest, documents)) {
    const tagged = documents.keysUnder(references, taggedBy(repositoryId, digest));
    return tagged.flatMap((tag) => found(tag, ruleFor(immutableTags, tag)))[0];
  }
  return immutableTags.flatMap((rule) => {
    const { prefix, limit } = setFor(repositoryId, digest, rule);
    const names = documents.keysUnder(references, prefix).map((rest) => `${startOf(rule)}${rest}`);
    const met =
      names.find((tag) => ruleFor([rule], tag) !== undefined) ?? (limit > 1 && names.length >= limit ? names[0] : undefined);
    return met === undefined ? [] : found(met, rule);
  })[0];
};

/** A manifest and the indexes that list it, upwards, as far as they are known: itself, and one index more than are looked through at most. */
const upwards = (repositoryId: string, digest: Digest, known: Documents): readonly Digest[] => {
  const seen = new Set([digest]);
  for (const one of seen) {
    for (const index of known.keysUnder(references, listedBy(repositoryId, one))) {
      if (seen.size > MOST_INDEXES + 1) return [...seen];
      seen.add(index as Digest);
    }
  }
  return [...seen];
};

/** What must be known before a manifest may go: nothing where there are no rules. */
export const protectionKeys = (repository: Ruled, digest: Digest, known: Documents): Keys => {
  const { repositoryId, immutableTags } = repository;
  if (immutableTags.length === 0) return {};
  const sets = upwards(repositoryId, digest, known).flatMap((one) => [
    setUnder(references, listedBy(repositoryId, one), MOST_INDEXES + 1),
    ...tagKeys(repository, one, known),
  ]);
  return { sets };
};

/**
 * Refuses to let a manifest go that an immutable tag points at, or whose index it does.
 * @throws RegistryError `TAG_IMMUTABLE`
 */
export const refuseIfProtected = (repository: Ruled, digest: Digest, documents: Documents): void => {
  if (repository.immutableTags.length === 0) return;
  const above = upwards(repository.repositoryId, digest, documents);
  for (const one of above) {
    const found = immutableTagOn(repository, one, documents);
    if (found !== undefined) throw refusal(found.tag, found.rule);
  }
  if (above.length > MOST_INDEXES + 1) {
    throw new RegistryError(
      'TAG_IMMUTABLE',
      'More indexes list this manifest than can be looked through for immutable tags. Delete indexes first.',
      { digest, most: MOST_INDEXES },
    );
  }
};
