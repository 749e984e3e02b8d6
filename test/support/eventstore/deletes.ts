import streams, {
  type DeleteReq,
  type DeleteResp,
  type TombstoneReq,
  type TombstoneResp,
} from '@eventstore/db-client/generated/streams_pb.js';
import type { ServerUnaryCall, sendUnaryData } from '@grpc/grpc-js';
import { expectationOf } from './appends.ts';
import { nameIn, streamDeleted, wrongVersion } from './messages.ts';
import type { Expectation, Store } from './store.ts';

type Request = DeleteReq | TombstoneReq;
type Response = DeleteResp | TombstoneResp;

const deleted = (position: number): DeleteResp => {
  const place = new streams.DeleteResp.Position();
  place.setCommitPosition(String(position));
  place.setPreparePosition(String(position));
  const response = new streams.DeleteResp();
  response.setPosition(place);
  return response;
};

const tombstoned = (position: number): TombstoneResp => {
  const place = new streams.TombstoneResp.Position();
  place.setCommitPosition(String(position));
  place.setPreparePosition(String(position));
  const response = new streams.TombstoneResp();
  response.setPosition(place);
  return response;
};

const numberOf = (expected: Expectation): number => {
  if (expected === 'any') return -2;
  return expected === 'stream_exists' ? -4 : expected;
};

const handler =
  (remove: Store['softDelete'], responseOf: (position: number) => Response) =>
  (call: ServerUnaryCall<Request, Response>, reply: sendUnaryData<Response>) => {
    const options = call.request.getOptions();
    const stream = nameIn(options?.getStreamIdentifier());
    const expected = options === undefined ? 'any' : expectationOf(options, options.getRevision());
    const outcome = remove(stream, expected);
    if (outcome.kind === 'deleted') return reply(streamDeleted(stream));
    if (outcome.kind === 'wrong') return reply(wrongVersion(stream, numberOf(expected), outcome.actual));
    if (outcome.kind === 'tooLarge') return;
    reply(null, responseOf(outcome.position));
  };

/** `Streams/Delete`: what comes later goes on after what was there. */
export const deleteHandler = ({ softDelete }: Store) => handler(softDelete, deleted);

/** `Streams/Tombstone`: nothing comes later. */
export const tombstoneHandler = ({ tombstone }: Store) => handler(tombstone, tombstoned);
