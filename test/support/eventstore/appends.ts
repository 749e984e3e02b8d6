import shared from '@eventstore/db-client/generated/shared_pb.js';
import streams, { type AppendReq, type AppendResp } from '@eventstore/db-client/generated/streams_pb.js';
import { Metadata, type ServerReadableStream, type ServiceError, type sendUnaryData, status } from '@grpc/grpc-js';
import type { Fault, Faults } from './faults.ts';
import { nameIn, notLeader, statusOf, streamDeleted, tooLarge } from './messages.ts';
import type { Expectation, Outcome, Proposed, Store } from './store.ts';

type Expecting = Readonly<{ hasNoStream: () => boolean; hasAny: () => boolean; hasStreamExists: () => boolean }>;

/** The expectation of an append, a batch append or a deletion; `revision` is where that kind of request has its number. */
export const expectationOf = (options: Expecting, revision: string): Expectation => {
  if (options.hasNoStream()) return -1;
  if (options.hasAny()) return 'any';
  return options.hasStreamExists() ? 'stream_exists' : Number(revision);
};

type ProposedMessage = Readonly<{
  getId: () => { getString: () => string } | undefined;
  getMetadataMap: () => { get: (key: string) => string | undefined };
  getData_asB64: () => string;
  getCustomMetadata_asB64: () => string;
}>;

export const proposedOf = (message: ProposedMessage): Proposed => {
  const map = message.getMetadataMap();
  return {
    id: message.getId()?.getString().toLowerCase() ?? '',
    type: map.get('type') ?? '',
    contentType: map.get('content-type') ?? '',
    data: message.getData_asB64(),
    metadata: message.getCustomMetadata_asB64(),
  };
};

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const NIL = '00000000-0000-0000-0000-000000000000';

/** What the server refuses before it looks at the stream. */
export const faultIn = ({ id, type, contentType }: Proposed): string | undefined => {
  if (!UUID.test(id) || id === NIL) return `Invalid event id '${id}'`;
  if (type === '') return 'The event type is empty';
  return contentType === '' ? 'The content type is missing' : undefined;
};

const success = (revision: number, position: number | undefined): AppendResp => {
  const answer = new streams.AppendResp.Success();
  answer.setCurrentRevision(String(revision));
  if (position === undefined) answer.setNoPosition(new shared.Empty());
  else {
    const place = new streams.AppendResp.Position();
    place.setCommitPosition(String(position));
    place.setPreparePosition(String(position));
    answer.setPosition(place);
  }
  const response = new streams.AppendResp();
  response.setSuccess(answer);
  return response;
};

const wrong = (expected: Expectation, actual: number): AppendResp => {
  const answer = new streams.AppendResp.WrongExpectedVersion();
  if (actual === -1) answer.setCurrentNoStream(new shared.Empty());
  else answer.setCurrentRevision(String(actual));
  if (expected === 'any') answer.setExpectedAny(new shared.Empty());
  else if (expected === 'stream_exists') answer.setExpectedStreamExists(new shared.Empty());
  else if (expected === -1) answer.setExpectedNoStream(new shared.Empty());
  else answer.setExpectedRevision(String(expected));
  const response = new streams.AppendResp();
  response.setWrongExpectedVersion(answer);
  return response;
};

type Kept = Extract<Fault, { kind: 'silent' | 'notLeader' | 'refused' }>;

/** A fault that keeps an append from being written: undefined to answer nothing at all. */
export const refusalBy = (fault: Fault): ServiceError | undefined => {
  if (fault.kind === 'notLeader') return notLeader(fault);
  return fault.kind === 'refused' ? statusOf(fault.code, 'A scripted fault.', fault.trailers) : undefined;
};

export const keepsFromWriting = (fault: Fault | undefined): fault is Kept =>
  fault?.kind === 'silent' || fault?.kind === 'notLeader' || fault?.kind === 'refused';

const answer = (outcome: Outcome, stream: string, expected: Expectation, maxAppendSize: number, fault: Fault | undefined) => {
  switch (outcome.kind) {
    case 'written':
    case 'repeated':
      return success(outcome.revision, fault?.kind === 'noPosition' ? undefined : outcome.position);
    case 'wrong':
      return wrong(expected, outcome.actual);
    case 'deleted':
      return streamDeleted(stream);
    case 'tooLarge':
      return tooLarge(maxAppendSize);
  }
};

export type AppendDeps = Readonly<{ store: Store; faults: Faults; maxAppendSize: number }>;

/** `Streams/Append`: options, then events, then one answer. */
export const appendHandler =
  ({ store, faults, maxAppendSize }: AppendDeps) =>
  (call: ServerReadableStream<AppendReq, AppendResp>, reply: sendUnaryData<AppendResp>): void => {
    let options: AppendReq.Options | undefined;
    const proposed: Proposed[] = [];
    const act = () => {
      const fault = faults.meet('append');
      if (keepsFromWriting(fault)) {
        const refusal = refusalBy(fault);
        if (refusal !== undefined) reply(refusal);
        return;
      }
      const bad = options === undefined ? 'The options are missing' : proposed.map(faultIn).find((found) => found !== undefined);
      if (options === undefined || bad !== undefined) return reply(statusOf(status.INVALID_ARGUMENT, bad ?? ''));
      const stream = nameIn(options.getStreamIdentifier());
      const expected = expectationOf(options, options.getRevision());
      const made = answer(store.append(stream, expected, proposed), stream, expected, maxAppendSize, fault);
      const send = (): void => (made instanceof Error ? reply(made) : reply(null, made));
      if (fault?.kind === 'replyLost') return;
      if (fault?.kind === 'replyDelayed') setTimeout(send, fault.ms);
      else if (fault?.kind === 'writtenThenRefused') reply(statusOf(fault.code, 'A scripted fault, after the write.'));
      else send();
    };
    call.on('data', (request: AppendReq) => {
      const message = request.getProposedMessage();
      if (request.hasOptions()) options = request.getOptions();
      else if (message !== undefined) proposed.push(proposedOf(message));
    });
    // A request that is cancelled half way ends like one that is complete. Only sending makes the library look which it was.
    call.on('end', () => {
      call.sendMetadata(new Metadata());
      process.nextTick(() => call.cancelled || act());
    });
    call.on('error', () => undefined); // a client that went away before it was done: nothing is written
  };
