import { type Catalogue, InvalidEvent } from '../events/catalogue.ts';
import type { Actor, Metadata, NewEvent } from '../events/event.ts';
import { userSubject } from '../events/users.ts';
import { isSubject, openSealed, parseSealed, type SealedText, sealText } from './sealedText.ts';
import type { Secrets } from './secrets.ts';
import { type SubjectKey, type SubjectKeyOptions, subjectKeys } from './subjectKeys.ts';

/** Most bytes of a user agent that are kept. */
export const LONGEST_USER_AGENT = 256;

/** Protected fields of events: in the clear in memory, sealed in the log, `erased` once their subject's key is deleted. */
export type Sealing = Readonly<{
  /**
   * The event as it is recorded: protected fields of `data`, and `ip` and `userAgent` of `metadata`, sealed.
   * @param subject under whose key the metadata are sealed: the owner of a token or robot. Absent: the acting user, or else the month
   * @throws InvalidEvent when the catalogue does not know the type, or a protected field is no text
   */
  seal: (event: NewEvent, subject?: string) => Promise<NewEvent>;
  /**
   * Recorded events with the protected fields of their data in the clear, metadata as they are. Comes before upcasting.
   * One read of the store a batch at most. @throws TamperedSeal
   */
  reveal: <E extends NewEvent>(events: readonly E[]) => Promise<readonly E[]>;
  /** The same for `ip` and `userAgent`, for readers such as the audit. @throws TamperedSeal */
  revealMetadata: <E extends NewEvent>(events: readonly E[]) => Promise<readonly E[]>;
  /**
   * Deletes the subject's key: all that was sealed under it reads as `erased` from now on, and so does what is sealed for it later. Other
   * nodes may have the key in memory for `cachedMs` more.
   */
  erase: (subject: string) => Promise<void>;
  /** Those of the subjects that have a key, and so were not erased, or not to the end. */
  remaining: (subjects: readonly string[]) => Promise<readonly string[]>;
}>;

/** Callers without an account share a key a month, so that their traces can be erased by age. */
export const monthSubject = (at: string): string => `month-${at.slice(0, 7)}`;

const subjectOfActor = ({ kind, id }: Actor, at: string): string => (kind === 'user' ? userSubject(id) : monthSubject(at));

type Fields = Readonly<Record<string, unknown>>;
type Part = 'data' | 'metadata';
type SealedFields = readonly Readonly<{ name: string; text: SealedText }>[];

const METADATA_FIELDS = ['ip', 'userAgent'] as const;
const NONE: readonly string[] = [];
/** Whose key seals what is protected, and tells nothing of anybody. */
const NOBODY = 'registry';

export const sealing = (
  secrets: Secrets,
  { definitionOf }: Pick<Catalogue, 'definitionOf'>,
  options: SubjectKeyOptions = {},
): Sealing => {
  const keys = subjectKeys(secrets, options);

  const sealFields = async (
    event: NewEvent,
    part: Part,
    values: Fields,
    names: readonly string[],
    subject: string,
  ): Promise<Fields> => {
    const present = names.filter((name) => holds(values, name));
    if (present.length === 0) return values;
    if (!isSubject(subject)) throw new InvalidEvent(`${event.type}: ${subject} is no subject of protected fields.`);
    const key = await keys.toSeal(subject);
    const sealed = present.map((name) => [name, sealField(event, `${part}.${name}`, values[name], subject, key)]);
    return { ...values, ...Object.fromEntries(sealed) };
  };

  const sealData = async (event: NewEvent): Promise<unknown> => {
    const definition = definitionOf(event.type);
    if (definition === undefined) throw new InvalidEvent(`No event type ${event.type} in the catalogue.`);
    if (definition.protected === undefined) return event.data;
    const { fields, subject, lasting = NONE } = definition.protected;
    const personal = fields.filter((name) => !lasting.includes(name));
    const sealed = await sealFields(event, 'data', event.data as Fields, personal, subject(event.data as never));
    return sealFields(event, 'data', sealed, lasting, NOBODY);
  };

  const sealMetadata = async (event: NewEvent, subject?: string): Promise<Metadata> => {
    const { actor, at, userAgent } = event.metadata;
    const values = userAgent === undefined ? event.metadata : { ...event.metadata, userAgent: cut(userAgent) };
    return (await sealFields(event, 'metadata', values, METADATA_FIELDS, subject ?? subjectOfActor(actor, at))) as Metadata;
  };

  // What a newer release wrote is left alone: it may seal otherwise, and the catalogue will refuse it by its name.
  const protectedIn = ({ type, metadata }: NewEvent): readonly string[] => {
    const definition = definitionOf(type);
    if (definition?.protected === undefined || metadata.version > definition.version) return NONE;
    return definition.protected.fields;
  };

  const revealPart = async <E extends NewEvent>(
    events: readonly E[],
    part: Part,
    namesIn: (event: E) => readonly string[],
  ): Promise<readonly E[]> => {
    const sealed = events.map((event) => sealedFields(event, part, namesIn(event)));
    const subjects = new Set(sealed.flatMap((fields) => fields?.map(({ text }) => text.subject) ?? []));
    if (subjects.size === 0) return events;
    const found = await keys.toReveal(subjects);
    return events.map((event, index) => {
      const fields = sealed[index];
      if (fields === undefined) return event;
      const revealed = fields.map(({ name, text }) => [name, openSealed(event, text, found.get(text.subject))]);
      return { ...event, [part]: { ...(event[part] as Fields), ...Object.fromEntries(revealed) } };
    });
  };

  return {
    seal: async (event, subject) => ({
      ...event,
      data: await sealData(event),
      metadata: await sealMetadata(event, subject),
    }),
    reveal: (events) => revealPart(events, 'data', protectedIn),
    revealMetadata: (events) => revealPart(events, 'metadata', () => METADATA_FIELDS),
    erase: keys.erase,
    remaining: keys.remaining,
  };
};

const holds = (values: Fields, name: string): boolean => values[name] !== undefined && values[name] !== null;

const sealField = (event: NewEvent, path: string, value: unknown, subject: string, key: SubjectKey): string => {
  if (typeof value !== 'string') throw new InvalidEvent(`${event.type}: ${path} is not a text and cannot be sealed.`);
  return sealText(event, path, value, subject, key);
};

/** Nearly every event of a replay has nothing protected: it costs nothing. */
const sealedFields = (event: NewEvent, part: Part, names: readonly string[]): SealedFields | undefined => {
  if (names.length === 0) return undefined;
  const values = event[part] as Fields;
  const present = names.filter((name) => holds(values, name));
  return present.map((name) => ({ name, text: parseSealed(event, `${part}.${name}`, values[name]) }));
};

/** At most LONGEST_USER_AGENT bytes of UTF-8, ending between two characters. */
const cut = (userAgent: string): string => {
  const bytes = Buffer.from(userAgent);
  if (bytes.length <= LONGEST_USER_AGENT) return userAgent;
  let end = LONGEST_USER_AGENT;
  while (((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return bytes.toString('utf8', 0, end);
};
