import { ServerFeaturesService } from '@eventstore/db-client/generated/serverfeatures_grpc_pb.js';
import features, { type SupportedMethods } from '@eventstore/db-client/generated/serverfeatures_pb.js';
import type { Empty } from '@eventstore/db-client/generated/shared_pb.js';
import { StreamsService } from '@eventstore/db-client/generated/streams_grpc_pb.js';
import type { ReadResp } from '@eventstore/db-client/generated/streams_pb.js';
import {
  type Metadata,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServiceError,
  type sendUnaryData,
  status,
} from '@grpc/grpc-js';
import { appendHandler } from './appends.ts';
import { batchAppendHandler } from './batchAppends.ts';
import { deleteHandler, tombstoneHandler } from './deletes.ts';
import { type Call, type Disturbance, type Fault, faults as noFaults } from './faults.ts';
import { statusOf } from './messages.ts';
import { type ReadCall, reads as readsOf } from './reads.ts';
import { openStore, type StoreOptions } from './store.ts';

/** What the parent process gives this one. */
export type ServerOptions = StoreOptions &
  Readonly<{ port: number; batchAppend: boolean; tls?: Readonly<{ key: string; certificate: string }>; credentials?: string }>;

export type Counts = Readonly<Record<Call | 'subscriptions' | 'sent', number>>;

export type Order =
  | Readonly<{ order: 'script'; fault: Fault }>
  | Readonly<{ order: 'heal' | 'counts' | 'begun' }>
  | Readonly<{ order: 'disturb'; how: Disturbance }>;

export type Message = Readonly<{ id: number }> & Order;

const options = JSON.parse(process.argv[2] ?? '{}') as ServerOptions;
const faults = noFaults();
const store = openStore(options);
const reads = readsOf(store, faults);
const counts = { append: 0, read: 0, subscribe: 0, features: 0 };

const supported = (): SupportedMethods => {
  const answer = new features.SupportedMethods();
  answer.setEventStoreServerVersion('24.10.0');
  const methods = { read: ['position', 'events'], append: [], delete: [], tombstone: [], batchappend: ['deadline_duration'] };
  for (const [name, list] of Object.entries(methods)) {
    if (name === 'batchappend' && !options.batchAppend) continue;
    const method = new features.SupportedMethod();
    method.setMethodName(name);
    method.setServiceName('event_store.client.streams.streams');
    method.setFeaturesList(list);
    answer.addMethods(method);
  }
  return answer;
};

const getSupportedMethods = (_call: ServerUnaryCall<Empty, SupportedMethods>, reply: sendUnaryData<SupportedMethods>) => {
  counts.features += 1;
  const fault = faults.meet('features');
  if (fault?.kind === 'refused') return reply(statusOf(fault.code, 'A scripted fault.'));
  if (fault?.kind !== 'silent') reply(null, supported());
};

/** Basic authentication, where it is asked for. */
const isAllowed = ({ metadata }: Readonly<{ metadata: Metadata }>): boolean =>
  options.credentials === undefined ||
  metadata.get('authorization')[0] === `Basic ${Buffer.from(options.credentials).toString('base64')}`;

const denied = (): ServiceError => statusOf(status.PERMISSION_DENIED, 'Access Denied', { exception: 'access-denied' });

const deps = { store, faults, maxAppendSize: options.maxAppendSize };
const handleAppend = appendHandler(deps);

const append: typeof handleAppend = (call, reply) => {
  counts.append += 1;
  if (isAllowed(call)) handleAppend(call, reply);
  else reply(denied());
};

const read = (call: ReadCall): void => {
  counts[call.request.getOptions()?.hasSubscription() === true ? 'subscribe' : 'read'] += 1;
  if (isAllowed(call)) reads.handle(call);
  else call.emit('error', denied());
};

// Events go out as bytes that were made once; everything else as a message.
const streamsService = {
  ...StreamsService,
  read: {
    ...StreamsService.read,
    responseSerialize: (answer: ReadResp | Buffer): Buffer =>
      Buffer.isBuffer(answer) ? answer : Buffer.from(answer.serializeBinary()),
  },
};

const server = new Server({ 'grpc.max_receive_message_length': 17 * 1024 * 1024, 'grpc.max_concurrent_streams': 100 });
server.addService(ServerFeaturesService as never, { getSupportedMethods });
server.addService(streamsService as never, {
  append,
  batchAppend: batchAppendHandler(deps),
  read,
  delete: deleteHandler(store),
  tombstone: tombstoneHandler(store),
});

const carryOut = (message: Message): unknown => {
  switch (message.order) {
    case 'script':
      return faults.script(message.fault);
    case 'heal':
      return faults.heal();
    case 'counts':
      return { ...counts, subscriptions: reads.count(), sent: reads.sent() } satisfies Counts;
    case 'begun':
      return reads.begun();
    case 'disturb':
      return reads.disturb(message.how);
  }
};

process.on('message', (message: Message) => {
  process.send?.({ id: message.id, result: carryOut(message) });
});
process.on('disconnect', () => process.exit(0));
process.on('SIGTERM', () => {
  server.forceShutdown();
  process.exit(0);
});

const credentials = ({ tls }: ServerOptions): ServerCredentials =>
  tls === undefined
    ? ServerCredentials.createInsecure()
    : ServerCredentials.createSsl(null, [{ private_key: Buffer.from(tls.key), cert_chain: Buffer.from(tls.certificate) }]);

server.bindAsync(`127.0.0.1:${options.port}`, credentials(options), (error, port) => {
  if (error !== null) {
    process.stderr.write(`${error.message}\n`);
    process.exit(status.UNAVAILABLE);
  }
  process.send?.({ id: 0, result: port });
});
