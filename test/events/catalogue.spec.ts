import { hash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { expect } from 'chai';
import { leafOf } from '../../src/events/canonical.ts';
import { catalogue, catalogueOf, InvalidEvent, UnknownEvent } from '../../src/events/catalogue.ts';
import type { NewEvent, Recorded } from '../../src/events/event.ts';
import { text } from '../../src/events/schema.ts';

const LOGS = new URL('../fixtures/logs/', import.meta.url);

/** Logs as past releases recorded them: one event a line, as a reader of that release saw it. They never change. */
const recordedLogs: readonly Readonly<{ name: string; events: readonly Recorded[] }>[] = readdirSync(LOGS)
  .sort((one, other) => Number.parseInt(one, 10) - Number.parseInt(other, 10))
  .map((name) => {
    const lines = readFileSync(new URL(name, LOGS), 'utf8').trimEnd().split('\n');
    return { name, events: lines.map((line) => JSON.parse(line) as Recorded) };
  });

/**
 * SHA-256 over the leaves of each of those logs. A leaf that changes tells an auditor that the log was altered: neither the
 * files nor `leafOf` ever change, and a new file gets its line here.
 */
const LEAVES: Readonly<Record<string, string>> = {
  '6-persons.ndjson': 'cefacf50d6ddeb016e264b921300b120f22f2ce94f7ed031e3424fdbf491d91f',
  '5-access.ndjson': '21b99cd63656fab9f0c0ab75a9fdd182c6fc1d0321c70b07bb457eb3d1f95367',
  '4-accessSeals.ndjson': '2ba46a177f34ba95c4467191fc2119d9af95c89e28fc10cf25f785d0f68d6377',
  '1-everyFact.ndjson': 'f354fd43a0cca028f24472f69e782d30f005ac03a41c5e4fe36450ec02b929f5',
  '3-identities.ndjson': '964bf18037c93c65eba458165ff26e851206f08cb18905eb19c94fc228dca318',
  '2-livesAndHolds.ndjson': 'f5544b4292ad958664a0ec2118a39644071757da27cbda351483820d0aa07e2f',
};

const recorded = recordedLogs.flatMap(({ events }) => events);

/** A recorded event of a type, brought to this release's version. */
const example = (type: string): NewEvent => {
  const found = recorded.find((event) => event.type === type);
  if (found === undefined) throw new Error(`No recorded example of ${type}.`);
  const { id, data, metadata } = catalogue.upcast(found);
  return { id, type, data, metadata };
};

type Fields = Readonly<Record<string, unknown>>;
const withData = (type: string, changed: Fields): NewEvent => {
  const event = example(type);
  return { ...event, data: { ...(event.data as Fields), ...changed } };
};
const withMetadata = (changed: Fields): NewEvent => {
  const event = example('TagMoved');
  return { ...event, metadata: { ...event.metadata, ...changed } as never };
};
const without = (fields: Fields, name: string): Fields =>
  Object.fromEntries(Object.entries(fields).filter(([key]) => key !== name));

const OPTIONAL = new Set([
  'AccessGranted.repositoryId',
  'AccessRevoked.repositoryId',
  'BlobLinked.mountedFrom',
  'ManifestHeld.subject',
  'ManifestPushed.artifactType',
  'ManifestReleased.subject',
  'TagMoved.previous',
]);

describe('The catalogue of events', () => {
  it('refuses an event that it does not know', () => {
    expect(() => catalogue.check({ ...example('TagMoved'), type: 'TagUpdated' })).to.throw(InvalidEvent, 'TagUpdated');
    expect(() => catalogue.check({ ...example('TagMoved'), type: 'toString' })).to.throw(InvalidEvent, 'toString');
  });

  it('refuses to write another version than its own', () => {
    expect(() => catalogue.check(withMetadata({ version: 2 }))).to.throw(InvalidEvent, 'version');
    expect(() => catalogue.check(withMetadata({ version: 0 }))).to.throw(InvalidEvent, 'version');
  });

  for (const type of catalogue.types) {
    const data = example(type).data as Fields;

    it(`refuses ${type} with a field that it does not name`, () => {
      expect(() => catalogue.check(withData(type, { surprise: 1 }))).to.throw(
        InvalidEvent,
        `${type}: data must NOT have additional`,
      );
    });

    for (const name of Object.keys(data)) {
      it(`refuses ${type} whose ${name} is of another kind`, () => {
        expect(() => catalogue.check(withData(type, { [name]: { not: 'this' } }))).to.throw(
          InvalidEvent,
          `${type}: data/${name}`,
        );
      });

      if (!OPTIONAL.has(`${type}.${name}`))
        it(`refuses ${type} without ${name}`, () => {
          const event = { ...example(type), data: without(data, name) };
          expect(() => catalogue.check(event)).to.throw(InvalidEvent, `must have required property '${name}'`);
        });
    }
  }

  const reference = { digest: `sha256:${'a'.repeat(64)}`, size: 1, role: 'layer' };
  for (const [what, type, changed] of [
    ['a digest that is too short', 'TagMoved', { digest: `sha256:${'a'.repeat(63)}` }],
    ['a digest in capitals', 'TagMoved', { digest: `sha256:${'A'.repeat(64)}` }],
    ['a digest with more behind it', 'TagMoved', { digest: `sha256:${'a'.repeat(64)}\n` }],
    ['a digest of an algorithm that is not stored', 'TagMoved', { digest: `md5:${'a'.repeat(32)}` }],
    ['a tag of 129 characters', 'TagMoved', { tag: 'x'.repeat(129) }],
    ['an empty tag', 'TagMoved', { tag: '' }],
    ['a previous digest without its time', 'TagMoved', { previous: { digest: reference.digest } }],
    ['a time without milliseconds', 'TagDeleted', { since: '2026-01-01T00:00:00Z' }],
    ['a time in another zone', 'TagDeleted', { since: '2026-01-01T00:00:00.000+02:00' }],
    ['an unknown cause', 'TagDeleted', { cause: 'forgotten' }],
    ['a negative size', 'BlobLinked', { size: -1 }],
    ['a size that is no whole number', 'BlobLinked', { size: 1.5 }],
    ['a size beyond what JSON readers agree on', 'BlobLinked', { size: 2 ** 53 }],
    ['4,001 references', 'ManifestPushed', { references: new Array(4001).fill(reference) }],
    ['a reference in an unknown role', 'ManifestPushed', { references: [{ ...reference, role: 'base' }] }],
    ['a reference that says more', 'ManifestPushed', { references: [{ ...reference, annotations: {} }] }],
    ['an unknown visibility', 'RepositoryCreated', { visibility: 'internal' }],
    ['an unsealed name', 'UserRegistered', { username: 'admin' }],
    ['an unsealed e-mail address', 'UserRegistered', { email: 'admin@example.org' }],
    ['an unsealed password hash', 'PasswordChanged', { passwordHash: '$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA' }],
    ['user number 0', 'UserRegistered', { userId: 0 }],
    ['an unsealed new address', 'EmailChanged', { email: 'ada@example.org' }],
    ['an unsealed name', 'AccessTokenIssued', { name: 'CI' }],
    ['an unsealed hash', 'AccessTokenIssued', { hash: 'a'.repeat(64) }],
    ['a name in place of its fingerprint', 'UsernameReserved', { fingerprint: 'ada' }],
    ['an unsealed subject', 'IdentityLinked', { subject: 'f81d4fae' }],
    ['identities by their names', 'PersonErased', { identities: ['ada'] }],
    ['21 identities', 'PersonErased', { identities: new Array(21).fill('a'.repeat(64)) }],
    ['an unknown permission', 'AccessTokenIssued', { permissions: ['write'] }],
    ['51 repositories', 'AccessTokenIssued', { repositories: new Array(51).fill('team/app') }],
    ['an end that is no time', 'AccessTokenIssued', { expiresAt: 'tomorrow' }],
    ['a user and a team at once', 'AccessGranted', { subject: { user: 1, team: 1 } }],
    ['nobody', 'AccessGranted', { subject: {} }],
    ['an unknown level', 'AccessGranted', { level: 'owner' }],
    ['more than 1,000 members', 'TeamDeleted', { members: new Array(1001).fill(1) }],
    ['too long a description', 'RepositoryDescribed', { description: 'x'.repeat(10_001) }],
    ['an unknown role', 'UserRegistered', { role: 'root' }],
  ] as const)
    it(`refuses ${type} with ${what}`, () => {
      expect(() => catalogue.check(withData(type, changed))).to.throw(InvalidEvent, `${type}: data/`);
    });

  for (const [what, changed] of [
    ['an unknown kind of actor', { actor: { kind: 'daemon', id: '1' } }],
    ['an actor without id', { actor: { kind: 'user' } }],
    ['an address in the clear', { ip: '192.0.2.1' }],
    ['a user agent in the clear', { userAgent: 'docker/29.0' }],
    ['a time that is none', { at: 'yesterday' }],
    ['an empty request id', { requestId: '' }],
    ['a field that it does not name', { surprise: 1 }],
  ] as const)
    it(`refuses metadata with ${what}`, () => {
      expect(() => catalogue.check(withMetadata(changed))).to.throw(InvalidEvent, /^TagMoved: metadata/);
    });

  it('takes what is optional as absent', () => {
    for (const name of ['ip', 'userAgent', 'causationId']) {
      const event = example('TagMoved');
      catalogue.check({ ...event, metadata: without(event.metadata, name) as never });
    }
    for (const field of OPTIONAL) {
      const [type = '', name = ''] = field.split('.');
      catalogue.check({ ...example(type), data: without(example(type).data as Fields, name) });
    }
  });
});

describe('Upcasting', () => {
  const steps: string[] = [];
  const invented = catalogueOf({
    RoomBooked: {
      version: 3,
      meaning: 'A room is taken.',
      schema: {
        type: 'object',
        properties: { room: text(1, 9), guests: { type: 'integer' }, breakfast: { type: 'boolean' } },
        required: ['room', 'guests', 'breakfast'],
        additionalProperties: false,
      },
      upcasts: [
        ({ number, guest }: { number: number; guest: string }) => {
          steps.push('1 to 2');
          return { room: String(number), guests: guest.split(' and ').length };
        },
        ({ room, guests }: { room: string; guests: number }) => {
          steps.push('2 to 3');
          return { room, guests, breakfast: false };
        },
      ],
    },
  });
  const booked = (version: number, data: unknown): Recorded => ({
    ...example('TagMoved'),
    type: 'RoomBooked',
    data,
    metadata: { ...example('TagMoved').metadata, version },
    stream: 'hotel',
    revision: 4,
    position: '0000000000000017',
  });
  beforeEach(() => {
    steps.length = 0;
  });

  it('brings the oldest version through every step', () => {
    const old = booked(1, { number: 12, guest: 'Ada and Grace' });
    const now = invented.upcast(old);
    expect(now).to.deep.equal({
      ...old,
      data: { room: '12', guests: 2, breakfast: false },
      metadata: { ...old.metadata, version: 3 },
    });
    expect(steps).to.deep.equal(['1 to 2', '2 to 3']);
    invented.check(now);
  });

  it('begins at the version that was recorded', () => {
    const now = invented.upcast(booked(2, { room: '12', guests: 1 }));
    expect(now.data).to.deep.equal({ room: '12', guests: 1, breakfast: false });
    expect(now.metadata.version).to.equal(3);
    expect(steps).to.deep.equal(['2 to 3']);
  });

  it('returns an event of the current version itself', () => {
    const event = booked(3, { room: '12', guests: 1, breakfast: true });
    expect(invented.upcast(event)).to.equal(event);
  });

  it('leaves the recorded event as it was, so that its leaf stays', () => {
    const old = booked(1, { number: 12, guest: 'Ada' });
    const before = leafOf(old);
    invented.upcast(old);
    expect(leafOf(old)).to.deep.equal(before);
  });

  it('has a step from each version to the next, or the catalogue is refused', () => {
    const definition = { version: 3, meaning: '', schema: true, upcasts: [() => ({})] };
    expect(() => catalogueOf({ RoomBooked: definition })).to.throw(
      InvalidEvent,
      'RoomBooked is at version 3 with 1 steps to it.',
    );
  });

  it('refuses an event of a newer version, and says who wrote it and where it stands', () => {
    expect(() => invented.upcast(booked(4, {}))).to.throw(
      UnknownEvent,
      'Event RoomBooked version 4 at position 0000000000000017 in stream hotel was written by a newer release.',
    );
  });

  it('refuses an event of a type that it does not know', () => {
    expect(() => invented.upcast({ ...booked(1, {}), type: 'RoomPainted' })).to.throw(UnknownEvent, 'RoomPainted version 1');
    expect(() => invented.upcast({ ...booked(1, {}), type: 'constructor' })).to.throw(UnknownEvent, 'constructor version 1');
  });
});

describe('The logs that past releases recorded', () => {
  for (const { name, events } of recordedLogs)
    describe(name, () => {
      for (const event of events)
        it(`reads as this release's ${event.type} (revision ${event.revision} of ${event.stream})`, () => {
          const now = catalogue.upcast(event);
          catalogue.check(now);
          expect(now).to.include({ id: event.id, stream: event.stream, revision: event.revision, position: event.position });
        });
    });

  it('have an example of every version of every type', () => {
    const found = new Set(recorded.map(({ type, metadata }) => `${type}@${metadata.version}`));
    const owed = catalogue.types.flatMap((type) =>
      Array.from({ length: catalogue.definitionOf(type)?.version ?? 0 }, (_, index) => `${type}@${index + 1}`),
    );
    expect(owed.filter((version) => !found.has(version))).to.deep.equal([]);
  });

  it('have an example with and one without every optional field', () => {
    for (const field of OPTIONAL) {
      const [type, name = ''] = field.split('.');
      const of = recorded.filter((event) => event.type === type).map(({ data }) => name in (data as Fields));
      expect(of, field).to.include(true).and.to.include(false);
    }
  });

  it('have protected fields sealed under a subject', () => {
    for (const event of recorded) {
      const fields = catalogue.definitionOf(event.type)?.protected?.fields ?? [];
      const values = fields.map((name) => (event.data as Fields)[name]).filter((value) => value !== null);
      for (const value of [...values, event.metadata.ip, event.metadata.userAgent].filter((value) => value !== undefined))
        expect(value).to.match(/^sealed:1:(user-\d+|month-\d{4}-\d\d|registry):[A-Za-z0-9_-]+$/);
    }
  });

  it('have the leaves that they had when they were recorded', () => {
    const leaves = recordedLogs.map(({ name, events }) => [name, hash('sha256', Buffer.concat(events.map(leafOf)))]);
    expect(Object.fromEntries(leaves)).to.deep.equal(LEAVES);
  });
});
