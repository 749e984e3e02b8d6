import shared from '@eventstore/db-client/generated/shared_pb.js';
import status_pb from '@eventstore/db-client/generated/status_pb.js';
import streams, { type BatchAppendReq, type BatchAppendResp } from '@eventstore/db-client/generated/streams_pb.js';
import type { ServerDuplexStream } from '@grpc/grpc-js';
import any from 'google-protobuf/google/protobuf/any_pb.js';
import empty from 'google-protobuf/google/protobuf/empty_pb.js';
import { type AppendDeps, expectationOf, faultIn, keepsFromWriting, proposedOf, refusalBy } from './appends.ts';
import type { Fault } from './faults.ts';
import { identifierOf, nameIn, statusOf, uuidOf } from './messages.ts';
import type { Expectation, Outcome, Proposed } from './store.ts';

type Serializable = Readonly<{ serializeBinary: () => Uint8Array }>;
type Pending = { options: BatchAppendReq.Options; proposed: Proposed[] };

const CODES = { WrongExpectedVersion: 6, StreamDeleted: 5, Timeout: 4, MaximumAppendSizeExceeded: 3, BadRequest: 3 } as const;

/** An error within the stream: a `google.rpc.Status` whose details say by their type what it is. */
const errorOf = (type: keyof typeof CODES, details: Serializable): InstanceType<typeof status_pb.Status> => {
  const packed = new any.Any();
  packed.pack(details.serializeBinary(), `event_store.client.${type}`);
  const error = new status_pb.Status();
  error.setCode(CODES[type] as never);
  error.setMessage(type);
  error.setDetails(packed as never);
  return error;
};

const wrong = (expected: Expectation, actual: number): Serializable => {
  const details = new shared.WrongExpectedVersion();
  if (actual === -1) details.setCurrentNoStream(new empty.Empty() as never);
  else details.setCurrentStreamRevision(String(actual));
  if (expected === 'any') details.setExpectedAny(new empty.Empty() as never);
  else if (expected === 'stream_exists') details.setExpectedStreamExists(new empty.Empty() as never);
  else if (expected === -1) details.setExpectedNoStream(new empty.Empty() as never);
  else details.setExpectedStreamPosition(String(expected));
  return details;
};

const badRequest = (message: string): Serializable => {
  const details = new shared.BadRequest();
  details.setMessage(message);
  return details;
};

const success = (revision: number, position: number | undefined): InstanceType<typeof streams.BatchAppendResp.Success> => {
  const answer = new streams.BatchAppendResp.Success();
  answer.setCurrentRevision(String(revision));
  if (position === undefined) answer.setNoPosition(new empty.Empty() as never);
  else {
    const place = new shared.AllStreamPosition();
    place.setCommitPosition(String(position));
    place.setPreparePosition(String(position));
    answer.setPosition(place);
  }
  return answer;
};

const fill = (
  response: BatchAppendResp,
  outcome: Outcome,
  stream: string,
  expected: Expectation,
  deps: AppendDeps,
  fault: Fault | undefined,
): void => {
  switch (outcome.kind) {
    case 'written':
    case 'repeated':
      response.setSuccess(success(outcome.revision, fault?.kind === 'noPosition' ? undefined : outcome.position));
      break;
    case 'wrong':
      response.setError(errorOf('WrongExpectedVersion', wrong(expected, outcome.actual)));
      break;
    case 'deleted': {
      const details = new shared.StreamDeleted();
      details.setStreamIdentifier(identifierOf(stream));
      response.setError(errorOf('StreamDeleted', details));
      break;
    }
    case 'tooLarge': {
      const details = new shared.MaximumAppendSizeExceeded();
      details.setMaxappendsize(deps.maxAppendSize);
      response.setError(errorOf('MaximumAppendSizeExceeded', details));
    }
  }
};

/** `Streams/BatchAppend`: one long stream of requests in parts, each answered once under its correlation id. */
export const batchAppendHandler =
  (deps: AppendDeps) =>
  (call: ServerDuplexStream<BatchAppendReq, BatchAppendResp>): void => {
    const pending = new Map<string, Pending>();

    const act = (id: string, { options, proposed }: Pending): void => {
      const fault = deps.faults.meet('append');
      if (keepsFromWriting(fault)) {
        const refusal = refusalBy(fault);
        if (refusal !== undefined) call.emit('error', refusal);
        return;
      }
      const stream = nameIn(options.getStreamIdentifier());
      const response = new streams.BatchAppendResp();
      response.setCorrelationId(uuidOf(id));
      response.setStreamIdentifier(identifierOf(stream));
      const bad = proposed.map(faultIn).find((found) => found !== undefined);
      const late = (options.getDeadline()?.toDate().getTime() ?? Number.POSITIVE_INFINITY) < Date.now();
      if (bad !== undefined) response.setError(errorOf('BadRequest', badRequest(bad)));
      else if (late) response.setError(errorOf('Timeout', new shared.Timeout()));
      else {
        const expected = expectationOf(options, options.getStreamPosition());
        fill(response, deps.store.append(stream, expected, proposed), stream, expected, deps, fault);
      }
      if (fault?.kind === 'replyLost') return;
      if (fault?.kind === 'writtenThenRefused') call.emit('error', statusOf(fault.code, 'A scripted fault, after the write.'));
      else if (fault?.kind === 'replyDelayed') setTimeout(() => call.write(response), fault.ms);
      else call.write(response);
    };

    call.on('data', (request: BatchAppendReq) => {
      const id = request.getCorrelationId()?.getString() ?? '';
      const options = request.getOptions();
      if (options !== undefined) pending.set(id, { options, proposed: [] });
      const open = pending.get(id);
      if (open === undefined) return;
      open.proposed.push(...request.getProposedMessagesList().map(proposedOf));
      if (!request.getIsFinal()) return;
      pending.delete(id);
      act(id, open);
    });
    call.on('end', () => call.end());
    call.on('error', () => undefined);
  };
