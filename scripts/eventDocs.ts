import { writeFileSync } from 'node:fs';
import type { SchemaObject } from 'ajv';
import { accessEvents, accessSealEvents } from '../src/events/access.ts';
import { accessTokenEvents } from '../src/events/accessTokens.ts';
import { catalogue } from '../src/events/catalogue.ts';
import type { EventDefinition, Metadata, Recorded } from '../src/events/event.ts';
import { grantEvents } from '../src/events/grants.ts';
import { keyEvents } from '../src/events/keys.ts';
import { repositoryEvents } from '../src/events/repository.ts';
import { count, digest, sealed, timestamp } from '../src/events/schema.ts';
import { accessStreamsUnder, streamsUnder } from '../src/events/streams.ts';
import { teamEvents } from '../src/events/teams.ts';
import { userEvents } from '../src/events/users.ts';

// Writes docs/events.md from the catalogue: `node scripts/eventDocs.ts`. A spec fails while the page is out of date.

export const EVENT_DOCS = new URL('../docs/events.md', import.meta.url);

const streams = streamsUnder('<prefix>');
const accessStreams = accessStreamsUnder('<prefix>');
const { AccessDaySummed, ...ofDays } = accessEvents;
const CHAPTERS: readonly Readonly<{
  title: string;
  stream: string;
  events: Readonly<Record<string, EventDefinition>>;
}>[] = [
  { title: 'Repositories', stream: streams.repository('<name>'), events: repositoryEvents },
  { title: 'Users', stream: streams.users, events: userEvents },
  { title: 'Access tokens', stream: streams.tokens, events: accessTokenEvents },
  { title: 'Grants', stream: streams.grants, events: grantEvents },
  { title: 'Teams', stream: streams.teams, events: teamEvents },
  { title: 'Keys', stream: streams.keys, events: keyEvents },
  { title: 'Seals of the access log', stream: streams.accessSeals, events: accessSealEvents },
  { title: 'The access log, which is no fact', stream: accessStreams.ofDay('<day>'), events: ofDays },
  { title: 'What is kept of the access log', stream: accessStreams.sums, events: { AccessDaySummed } },
];

const ENVELOPE: Readonly<Record<keyof Recorded, string>> = {
  id: 'UUID, in small letters. No two events of a log have the same.',
  type: 'One of the types below: a fact in the past tense.',
  data: 'What happened; the fields below.',
  metadata: 'What surrounds it; the next table.',
  stream: 'Whose history it belongs to. Given when it is recorded, as are the next two.',
  revision: 'Its place in the stream: 0, 1, 2, … without a gap.',
  position:
    'Its place in the whole log: an opaque text of fixed width whose byte order is the order of the log. It belongs to this one ' +
    'log, not to the event: it changes when a log moves house, no event contains one, and the proof leaves it out.',
};

const METADATA: Readonly<Record<keyof Metadata, string>> = {
  actor:
    "Who caused it: `kind` (`user`, `token`, `robot`, `anonymous`, `system`) and `id` (a user's or token's number as text, or a word).",
  ip: "The caller's address. Optional, protected.",
  userAgent: "The caller's program, cut at 256 bytes. Optional, protected.",
  requestId: 'The request that it happened in.',
  correlationId: 'What the whole chain of causes began with.',
  causationId: 'The event that led to this one. Optional.',
  at: "Time in UTC, ISO 8601 with milliseconds; never before that of the stream's last event.",
  version: "Version of the type's schema that the data were written in.",
};

const INTRODUCTION = `# The events

This page is generated from the catalogue in \`src/events/\` by \`node scripts/eventDocs.ts\`; change it there.

Everything that the registry knows is computed from these facts. They are only ever added to. An event is checked against its
schema when it is appended, and a field that the schema does not name is refused. When a type changes its shape, its version goes up
by one: events that are recorded stay as they are, and are brought to the current version when they are read. A release that meets
a type or version that it does not know stops there and says that a newer one is needed.

**Protected fields** (names, e-mail and network addresses, user agents, password hashes) are recorded as
\`sealed:1:<subject>:<base64url>\`: encrypted under the key of the person whom they are about, or of the month for callers without an
account. The keys are in the secrets store, not in the log. Once a key is deleted, what was sealed under it reads as \`erased\`;
everything else, and the proof over the log, stays as it is. *Lasting* ones, which tell nothing of anybody, are sealed under a key of the registry itself.

Values are JSON, and whole numbers where they are numbers: the leaf of an event in the proof is SHA-256 over its canonical JSON
(RFC 8785) as recorded, without the position. The data of one event have at most 512 KiB, the events of one append less than 1 MiB.
A *digest* is \`sha256:\` and 64 or \`sha512:\` and 128 hexadecimal digits; a *time* is ISO 8601 in UTC with milliseconds; sizes are bytes.
`;

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');

const quoted = (values: readonly unknown[]): string => values.map((value) => `\`${String(value)}\``).join(', ');

const NAMED: ReadonlyMap<unknown, string> = new Map([
  [digest, 'digest'],
  [timestamp, 'time'],
  [sealed, 'sealed text'],
  [count, 'whole number'],
]);

const TYPES: Readonly<Record<string, string>> = {
  integer: 'whole number',
  null: 'null',
  boolean: 'true or false',
  string: 'text',
};

const wordsOfType = (type: string | readonly string[]): string =>
  [type]
    .flat()
    .map((one) => TYPES[one] ?? one)
    .join(' or ');

/** A schema in a few words. */
const words = (schema: SchemaObject): string => {
  const named = NAMED.get(schema);
  if (named !== undefined) return named;
  if (schema.enum !== undefined) return quoted(schema.enum);
  if (schema.anyOf !== undefined) return schema.anyOf.map(words).join(' or ');
  if (schema.type === 'array') return `list of at most ${schema.maxItems.toLocaleString('en')}: ${words(schema.items)}`;
  if (schema.type === 'object')
    return `{ ${fieldsOf(schema)
      .map(([name, of]) => `\`${name}\`: ${words(of)}`)
      .join('; ')} }`;
  if (schema.type === 'string') return `text, ${schema.minLength} to ${schema.maxLength} characters`;
  if (schema.minimum > 0) return `${wordsOfType(schema.type)} from ${schema.minimum}`;
  return wordsOfType(schema.type);
};

const fieldsOf = (schema: SchemaObject): readonly [string, SchemaObject][] => Object.entries(schema.properties);

const eventDocs = (type: string, { version, meaning, schema, protected: guarded }: EventDefinition): string => {
  const of = schema as SchemaObject;
  const rows = fieldsOf(of).map(([name, field]) => [
    `\`${name}\``,
    words(field),
    [
      of.required.includes(name) ? '' : 'optional',
      guarded?.lasting?.includes(name) ? 'protected, lasting' : guarded?.fields.includes(name) ? 'protected' : '',
    ]
      .filter(Boolean)
      .join(', '),
  ]);
  return [`### ${type}`, meaning, `Version ${version}.`, table(['field', 'value', ''], rows)].join('\n\n');
};

const chapter = ({ title, stream, events }: (typeof CHAPTERS)[number]): string =>
  [
    `## ${title}`,
    `Stream \`${stream}\`.`,
    ...Object.entries(events).map(([type, definition]) => eventDocs(type, definition)),
  ].join('\n\n');

const described = (fields: Readonly<Record<string, string>>): string =>
  table(
    ['field', ''],
    Object.entries(fields).map(([name, text]) => [`\`${name}\``, text]),
  );

/** The whole page. @throws when a type of the catalogue is in no chapter */
export const docsOfEvents = (): string => {
  const missing = catalogue.types.filter((type) => CHAPTERS.every(({ events }) => !(type in events)));
  if (missing.length > 0) throw new Error(`Event types without a chapter: ${missing.join(', ')}.`);
  const envelope = ['## The envelope', described(ENVELOPE), '### metadata', described(METADATA)].join('\n\n');
  return `${[INTRODUCTION.trimEnd(), envelope, ...CHAPTERS.map(chapter)].join('\n\n')}\n`;
};

if (import.meta.main) writeFileSync(EVENT_DOCS, docsOfEvents());
