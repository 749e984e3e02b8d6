import type { Readable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'chai';
import fc from 'fast-check';
import type { Uploads } from '../../src/blobs/blobs.ts';
import { isRefusal } from '../../src/errors.ts';
import { type Digest, digestOf } from '../../src/oci/digest.ts';
import { KIB, OWNER, stalledSource } from './bytes.ts';
import { refused } from './refused.ts';

/** They stand for processes that share the store. */
/** A store, or a registry over HTTP, as one of its processes shows it. */
type Handle = Readonly<{
  uploads: Pick<Uploads, 'begin' | 'status' | 'append' | 'finish' | 'cancel' | 'expire'>;
  bytesOf: (digest: Digest) => Promise<Buffer | undefined>;
}>;

export type Interleaved = Readonly<{
  handles: readonly [Handle, Handle];
  /** Waits until the append that has just begun has looked where the session ends. */
  begun: () => Promise<unknown>;
  /** Whether the handles are one process, which knows what is being added by all. */
  oneProcess: boolean;
  /** What becomes of a right finish. */
  ends: readonly ('settle' | 'release')[];
  /** Whether a finish that is repeated ends well again. */
  repeats: boolean;
}>;
type Place = 0 | 1;

/** Somebody who is adding to the session, as fast as the steps go. */
type Writer = {
  readonly handle: Place;
  readonly offset: number;
  readonly source: Readable;
  bytes: Buffer;
  readonly lies: boolean;
} & Readonly<{
  end: Promise<unknown>;
}>;

/** The session as it ought to be. */
type Model = Interleaved &
  Readonly<{ id: string; writers: Map<number, Writer> }> & { content: Buffer; over: boolean; finishedAs: Digest | undefined };

type Step = Readonly<{ name: string; run: (model: Model) => Promise<void> }>;

const BROKEN = new Error('connection reset');
const WRONG = digestOf('nothing that comes here');

const uploads = ({ handles }: Model, place: Place): Handle['uploads'] => handles[place].uploads;

const refusedAsOver = (work: Promise<unknown>): Promise<unknown> => refused(work, 'UPLOAD_UNKNOWN');

const open = (slot: number, handle: Place, how: 'anywhere' | 'here' | 'elsewhere' | 'lying'): Step => ({
  name: `writer ${slot} begins at ${handle} ${how}`,
  run: async (model) => {
    if (model.writers.has(slot)) return;
    const source = stalledSource('');
    const offset = model.content.length;
    const from = how === 'here' ? offset : how === 'elsewhere' ? offset + 1 : undefined;
    const options = { ...(from !== undefined && { from }), ...(how === 'lying' && { digest: WRONG }) };
    const end = uploads(model, handle).append(model.id, OWNER, source, options);
    if (model.over) return void (await refusedAsOver(end));
    if (how === 'elsewhere') return void (await refused(end, 'RANGE_INVALID'));
    end.catch(() => undefined);
    await model.begun();
    model.writers.set(slot, { handle, offset, source, bytes: Buffer.alloc(0), lies: how === 'lying', end });
  },
});

const feed = (slot: number, bytes: Buffer): Step => ({
  name: `writer ${slot} brings ${bytes.length}`,
  run: async ({ writers }) => {
    const writer = writers.get(slot);
    if (writer === undefined) return;
    writer.bytes = Buffer.concat([writer.bytes, bytes]);
    writer.source.push(Buffer.from(bytes));
    await turn();
  },
});

const ended = async (model: Model, { offset, bytes, lies, end }: Writer): Promise<void> => {
  if (model.over) {
    const refusal = await end.then(
      () => expect.fail('the session was over'),
      (error: unknown) => error,
    );
    expect(isRefusal(refusal, 'UPLOAD_UNKNOWN') || (lies && isRefusal(refusal, 'DIGEST_INVALID')), String(refusal)).to.equal(
      true,
    );
    return;
  }
  // Over HTTP the lie is told of the whole, also where nothing came.
  if (bytes.length === 0 && lies)
    return void (await end.catch((error) => expect(isRefusal(error, 'DIGEST_INVALID')).to.equal(true)));
  if (bytes.length === 0) return void (await end);
  if (lies) return void (await refused(end, 'DIGEST_INVALID'));
  if (offset !== model.content.length) {
    expect((await refused(end, 'RANGE_INVALID')).detail).to.deep.equal({ size: model.content.length });
    return;
  }
  model.content = Buffer.concat([model.content, bytes]);
  expect(await end).to.have.property('size', model.content.length);
};

const end = (slot: number): Step => ({
  name: `writer ${slot} ends`,
  run: async (model) => {
    const writer = model.writers.get(slot);
    if (writer === undefined) return;
    model.writers.delete(slot);
    writer.source.push(null);
    await ended(model, writer);
  },
});

const cut = (slot: number): Step => ({
  name: `writer ${slot} breaks off`,
  run: async (model) => {
    const writer = model.writers.get(slot);
    if (writer === undefined) return;
    model.writers.delete(slot);
    writer.source.destroy(BROKEN);
    const failure = await writer.end.then(
      () => expect.fail('the source was broken'),
      (error: unknown) => error,
    );
    if (model.over) return;
    expect(failure).to.equal(BROKEN);
    if (writer.offset === model.content.length) model.content = Buffer.concat([model.content, writer.bytes]);
  },
});

const status = (handle: Place): Step => ({
  name: `status at ${handle}`,
  run: async (model) => {
    const asked = uploads(model, handle).status(model.id, OWNER);
    if (model.over) await refusedAsOver(asked);
    else expect((await asked).size).to.equal(model.content.length);
  },
});

const finish = (handle: Place, how: 'settle' | 'release' | 'wrong', others: number): Step => ({
  name: `${others + 1} finish at ${handle}, ${how}`,
  run: async (model) => {
    const digest = how === 'wrong' ? WRONG : digestOf(model.content);
    const places = [handle, ...Array.from({ length: others }, (_, index) => (index % 2) as Place)];
    const finishes = places.map((place) => uploads(model, place).finish(model.id, OWNER, digest));
    if (model.over && model.repeats && digest === model.finishedAs) return void (await Promise.all(finishes));
    if (model.over) return void (await Promise.all(finishes.map(refusedAsOver)));
    if (how === 'wrong') return void (await Promise.all(finishes.map((one) => refused(one, 'DIGEST_INVALID'))));
    const placed = await Promise.all(finishes);
    expect((await model.handles[handle].bytesOf(digest))?.equals(model.content)).to.equal(true);
    await Promise.all(placed.map((one) => (how === 'settle' ? one.settle() : one.release())));
    model.over = how === 'settle';
    model.finishedAs = digest;
  },
});

const cancel = (handle: Place): Step => ({
  name: `cancel at ${handle}`,
  run: async (model) => {
    const cancelling = uploads(model, handle).cancel(model.id, OWNER);
    if (model.over) return void (await refusedAsOver(cancelling));
    await cancelling;
    model.over = true;
  },
});

/** Takes what nothing is added to in its own process; what others add to, it knows by the times of files, which count for nothing here. */
const expire = (handle: Place): Step => ({
  name: `expire at ${handle}`,
  run: async (model) => {
    const used = [...model.writers.values()].some((writer) => model.oneProcess || writer.handle === handle);
    const removed = await uploads(model, handle).expire(-1);
    expect(removed).to.equal(model.over || used ? 0 : 1);
    model.over ||= removed === 1;
  },
});

const slot = fc.integer({ min: 0, max: 2 });
const place = fc.constantFrom<Place>(0, 1);
const bytes = fc
  .oneof({ weight: 4, arbitrary: fc.integer({ min: 2, max: 100 }) }, fc.constantFrom(64 * KIB, 64 * KIB + 1, 1100 * KIB))
  .chain((size) => fc.integer({ min: 0, max: 255 }).map((fill) => Buffer.alloc(size, fill)));

const stepOf = ({ ends }: Interleaved): fc.Arbitrary<Step> =>
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc
        .tuple(
          slot,
          place,
          fc.constantFrom('anywhere' as const, 'anywhere' as const, 'here' as const, 'elsewhere' as const, 'lying' as const),
        )
        .map((how) => open(...how)),
    },
    { weight: 7, arbitrary: fc.tuple(slot, bytes).map((how) => feed(...how)) },
    { weight: 5, arbitrary: slot.map(end) },
    { weight: 3, arbitrary: slot.map(cut) },
    { weight: 1, arbitrary: place.map(status) },
    {
      weight: 2,
      arbitrary: fc
        .tuple(place, fc.constantFrom(...ends, 'wrong' as const), fc.integer({ min: 0, max: 3 }))
        .map((how) => finish(...how)),
    },
    { weight: 1, arbitrary: fc.oneof(place.map(cancel), place.map(expire)) },
  );

/**
 * Several writers at once, each as slow as it likes, while others finish, cancel and expire the session, in two processes: one of those
 * who write at the same place wins, the others are told where the session stands, and bytes never mix.
 */
export const interleavedProperty = (among: Interleaved): fc.IAsyncProperty<[Step[]]> =>
  fc.asyncProperty(
    fc
      .array(stepOf(among), { minLength: 5, maxLength: 30 })
      .map((steps) => Object.assign(steps, { [fc.toStringMethod]: () => steps.map(({ name }) => name).join('; ') })),
    async (steps) => {
      const { id } = await among.handles[0].uploads.begin(OWNER, 'sha256');
      const model: Model = { ...among, id, writers: new Map(), content: Buffer.alloc(0), over: false, finishedAs: undefined };
      for (const { run } of steps) await run(model);
      for (const number of [...model.writers.keys()]) await end(number).run(model);
      await status(0).run(model);
      await finish(1, 'settle', 1).run(model);
      await status(1).run(model);
    },
  );
