import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { EventStoreDBClient, jsonEvent } from '@eventstore/db-client';
import { expect } from 'chai';
import { isRefusal, RegistryError } from '../../src/errors.ts';
import { ORIGIN } from '../../src/events/event.ts';
import { eventstoreEventLog } from '../../src/events/log/eventstore.ts';
import { AppendTooLarge, type EventLog, NO_STREAM, WrongExpectedRevision } from '../../src/events/log/log.ts';
import { anEvent, appendAtHead, events, everything, idsOf, rejectionOf, takeUntil } from '../contracts/eventLog/given.ts';
import { eventLogContract } from '../contracts/eventLog.contract.ts';
import { transientLogContract } from '../contracts/transientLog.contract.ts';
import { startEventStore } from '../support/eventstore/eventstore.ts';
import { eventStoreUrl, freshPrefix, openLogs, scriptedEventStore } from '../support/eventstore/given.ts';
import { installed, run, scratchFolder } from '../support/processes.ts';
import { requires } from '../support/reporter.ts';

describe('The log on an event store', () => {
  const url = eventStoreUrl();
  const shared = freshPrefix();
  eventLogContract('The log on an event store', () => eventstoreEventLog(url(), { prefix: shared }), `${shared}.`);
  transientLogContract('The log on an event store', () => eventstoreEventLog(url(), { prefix: shared }), `${shared}.`);
});

describe('The log on an event store that others use too', () => {
  const url = eventStoreUrl();
  const open = openLogs();
  let client: EventStoreDBClient;
  let prefix: string;
  let log: EventLog;
  let others: EventLog;
  let stream: string;
  beforeEach(async () => {
    client = EventStoreDBClient.connectionString(url());
    prefix = freshPrefix();
    stream = `${prefix}.users`;
    log = await open(url(), { prefix });
    others = await open(url(), { prefix: `${prefix}2` });
  });
  afterEach(() => client.dispose());

  it('does not see their events, nor those of the system', async () => {
    expect(await log.head()).to.equal(ORIGIN);
    const ours = events(3);
    await log.append(stream, NO_STREAM, ours.slice(0, 2));
    await others.append(`${prefix}2.users`, NO_STREAM, events(400));
    await client.setStreamMetadata(stream, { cacheControl: 60 });
    const last = await log.append(stream, 1, ours.slice(2));
    await others.append(`${prefix}2.keys`, NO_STREAM, events(10));
    await client.appendToStream(prefix, jsonEvent({ type: 'Other', data: {} })); // without the dot

    expect(idsOf(await everything(log))).to.deep.equal(idsOf(ours));
    expect(idsOf(await log.readAll({ direction: 'backwards', limit: 10 }))).to.deep.equal(idsOf(ours).toReversed());
    expect(idsOf(await log.readAll({ limit: 2 }))).to.deep.equal(idsOf(ours.slice(0, 2)));
    expect(await log.head()).to.equal(last.position);
    expect(await (await open(url(), { prefix })).head()).to.equal(last.position);
    const seen = await takeUntil(log.follow(ORIGIN, { limit: 10 }), (list) => list.length === 3);
    expect(seen).to.deep.equal(await everything(log));
  });

  it('sees what another node of its own registry appends', async () => {
    const node = await open(url(), { prefix });
    const { position } = await log.append(stream, NO_STREAM, events(2));
    expect(await node.head()).to.equal(position);
    const next = await node.append(stream, 1, events(1));
    expect(await log.head()).to.equal(next.position);
    await others.append(`${prefix}2.users`, NO_STREAM, events(1));
    expect(await log.head()).to.equal(next.position);
  });

  it('takes nothing for a stream that is not its own, where it would be out of sight', async () => {
    for (const name of [`${prefix}2.users`, prefix, 'users', `$${prefix}.users`])
      expect((await rejectionOf(log.append(name, NO_STREAM, events(1)), TypeError)).message).to.include('no stream of this log');
  });

  it('gives positions of commit and prepare, and takes no others', async () => {
    const { position } = await log.append(stream, NO_STREAM, events(1));
    expect(position).to.match(/^[0-9a-f]{32}$/);
    expect(position.slice(0, 16)).to.equal(position.slice(16));
    for (const wrong of ['1', position.toUpperCase().replace(/^0/, 'X'), `${position}0`, position.slice(1)]) {
      for (const call of [
        () => log.readAll({ after: wrong, limit: 1 }),
        () => log.readAll({ direction: 'backwards', before: wrong, limit: 1 }),
        () => takeUntil(log.follow(wrong, { limit: 1 }), () => true),
      ])
        expect((await rejectionOf(call(), TypeError)).message).to.include('No position of this log');
    }
  });

  it('refuses to follow from past its end, where it would hide what comes', async () => {
    const { position } = await log.append(stream, NO_STREAM, events(1));
    const later = (await others.append(`${prefix}2.users`, NO_STREAM, events(1))).position;
    expect(later > position).to.equal(true);
    const follower = takeUntil(log.follow(later, { limit: 1 }), () => true);
    expect((await rejectionOf(follower, RangeError)).message).to.include('another one');
  });

  it('refuses to follow from where no event is', async () => {
    const { position } = await log.append(stream, NO_STREAM, events(1));
    const between = (BigInt(`0x${position.slice(0, 16)}`) - 1n).toString(16).padStart(16, '0');
    const follower = takeUntil(log.follow(`${between}${between}`, { limit: 1 }), () => true);
    expect((await rejectionOf(follower, RangeError)).message).to.include('another one');
  });

  it('refuses ids that it would not give back letter by letter', async () => {
    for (const id of ['', 'not-a-uuid', randomUUID().toUpperCase()])
      expect((await rejectionOf(log.append(stream, NO_STREAM, [{ ...anEvent(), id }]), TypeError)).message).to.include('UUID');
  });

  it('finds a stream that was deleted empty, and goes on with it', async () => {
    await log.append(stream, NO_STREAM, events(3));
    await client.deleteStream(stream);
    expect(await log.readStream(stream, { limit: 10 })).to.deep.equal([]);
    const { revision, position } = await log.append(stream, NO_STREAM, events(1));
    expect(revision).to.equal(3);
    expect((await log.readStream(stream, { limit: 10 })).map((event) => event.position)).to.deep.equal([position]);
    const error = await rejectionOf(log.append(stream, 7, events(1)), WrongExpectedRevision);
    expect(error.actual).to.equal(3);
  });

  it('says so where a stream was deleted for ever', async () => {
    await log.append(stream, NO_STREAM, events(3));
    await client.tombstoneStream(stream);
    for (const call of [() => log.append(stream, 2, events(1)), () => log.readStream(stream, { limit: 1 })])
      expect(await rejectionOf(call(), RegistryError)).to.include({ code: 'UNAVAILABLE' });
    const seen = await takeUntil(log.follow(ORIGIN, { limit: 10 }), (list) => list.length === 3);
    expect(seen.map(({ revision }) => revision)).to.deep.equal([0, 1, 2]);
  });

  it('begins at the end of nothing', async () => {
    const follower = takeUntil(log.follow(ORIGIN, { limit: 5 }), (list) => list.length === 2);
    await appendAtHead(log, stream, events(2));
    expect(await follower).to.deep.equal(await everything(log));
  });
});

describe('The log on an event store, which it asks for little', function () {
  const server = scriptedEventStore(this, { noise: false, maxAppendSize: 10_000 });
  const open = openLogs();

  it('looks for its end only where it has not looked before', async () => {
    const others = await open(server().url, { prefix: 'others' });
    for (let count = 0; count < 3; count++) await others.append(`others.${count}`, NO_STREAM, events(20));
    const log = await open(server().url);
    const readsOf = async (work: () => Promise<unknown>): Promise<number> => {
      const { read } = await server().counts();
      await work();
      return (await server().counts()).read - read;
    };
    expect(await readsOf(log.head), 'through all that is not ours').to.be.within(2, 4);
    expect(await readsOf(log.head), 'with nothing new').to.equal(1);
    await others.append('others.users', NO_STREAM, events(5));
    expect(await readsOf(log.head), 'with a little that is not ours').to.equal(1);
    await others.append('others.keys', NO_STREAM, events(20));
    await log.append('ours.users', NO_STREAM, events(1));
    expect(await readsOf(log.head), 'after an append').to.equal(1);
  });

  it('never asks what the server can do, which has no time limit', async () => {
    const log = await open(server().url);
    await server().script({ kind: 'silent', on: 'features', times: 'always' });
    await Promise.all(Array.from({ length: 20 }, (_, index) => log.append(`ours.a-${index}`, NO_STREAM, events(1))));
    expect((await server().counts()).features).to.equal(0);
  });

  it('leaves room for reads while more appends wait than the server takes calls', async () => {
    const log = await open(server().url, { appendTryMs: 2000, appendTotalMs: 2000, readMs: 1000 });
    await log.append('ours.known', NO_STREAM, events(1));
    await server().script({ kind: 'silent', on: 'append', times: 'always' });
    const appends = Array.from({ length: 150 }, (_, index) => log.append(`ours.b-${index}`, NO_STREAM, events(1)));
    const settled = Promise.allSettled(appends);
    expect(await log.readStream('ours.known', { limit: 1 })).to.have.length(1);
    await server().heal();
    const written = (await settled).filter(({ status }) => status === 'fulfilled');
    expect(written, 'those that waited for their turn here').to.have.length(150 - 64);
  });

  it('refuses an append that is too large for the server, which it never splits', async () => {
    const log = await open(server().url);
    await rejectionOf(
      log.append('ours.large', NO_STREAM, [anEvent('x'.repeat(5000)), anEvent('x'.repeat(5000))]),
      AppendTooLarge,
    );
    expect(await log.readStream('ours.large', { limit: 1 })).to.deep.equal([]);
  });
});

describe('The log on an event store behind TLS and a password', function () {
  requires(this, installed('openssl'), 'openssl, which makes a certificate, is not installed');
  const folder = scratchFolder();
  after(folder.remove);
  const open = openLogs();
  let certificate: string;
  let tls: { key: string; certificate: string };
  before(async () => {
    certificate = `${folder.path}/certificate.pem`;
    const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'];
    const files = ['-keyout', `${folder.path}/key.pem`, '-out', certificate];
    await run('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', ...subject, ...files]);
    tls = { key: readFileSync(`${folder.path}/key.pem`, 'utf8'), certificate: readFileSync(certificate, 'utf8') };
  });

  it('takes both from the connection string', async () => {
    const server = await startEventStore({ tls, credentials: 'admin:changeit' });
    try {
      const at = (who: string): string => `esdb://${who}localhost:${server.port}?tls=true&tlsCAFile=${certificate}`;
      const log = await open(at('admin:changeit@'));
      await log.append('ours.users', NO_STREAM, events(2));
      expect(await takeUntil(log.follow(ORIGIN, { limit: 10 }), (list) => list.length === 2)).to.have.length(2);
      for (const who of ['admin:wrong@', '']) {
        const refused = await open(at(who));
        for (const call of [
          () => refused.append('ours.users', 1, events(1)),
          () => refused.readAll({ limit: 1 }),
          () => refused.head(),
        ]) {
          const error = await rejectionOf(call(), RegistryError);
          expect(isRefusal(error, 'UNAVAILABLE') && error.message).to.include('refuses access');
        }
      }
    } finally {
      await server.dispose();
    }
  });
});

describe('The log on an event store is not opened', () => {
  it('with a connection string that is none, whose password it keeps to itself', async () => {
    for (const wrong of ['http://admin:secret@localhost', 'admin:secret', 'esdb://admin:secret@'])
      expect((await rejectionOf(eventstoreEventLog(wrong, { prefix: 'ours' }))).message)
        .to.include('connection string')
        .and.not.to.include('secret');
  });

  it('with a prefix that is none', async () => {
    for (const prefix of ['', '$ours', 'our own', '\ud800'])
      await rejectionOf(eventstoreEventLog('esdb://127.0.0.1:1?tls=false', { prefix }), TypeError);
  });
});
