import { expect } from 'chai';
import fc from 'fast-check';
import type { Blobs } from '../../src/blobs/blobs.ts';
import { type Digest, digestOf } from '../../src/oci/digest.ts';
import { brokenSource, KIB, MIB, OWNER, pulled, sourceOf } from './bytes.ts';
import { failed, refused } from './refused.ts';

type Store = Readonly<{ blobs: () => Blobs; restart: () => Promise<void>; collect: (digest: Digest) => void }>;

/** One session as it ought to be. */
type Session = { readonly id: string; bytes: Buffer; over: boolean; placed: Digest | undefined };

type Step = Readonly<{ name: string; run: (store: Store, session: Session) => Promise<void> }>;

const chunk = fc
  .oneof(
    { weight: 4, arbitrary: fc.integer({ min: 0, max: 200 }) },
    fc.constantFrom(64 * KIB, 64 * KIB + 1, MIB, MIB + 1, 2 * MIB + 3),
  )
  .chain((size) => fc.integer({ min: 0, max: 255 }).map((fill) => Buffer.alloc(size, fill)));

const ended = (store: Store, { id }: Session): Promise<unknown> =>
  refused(store.blobs().uploads.status(id, OWNER), 'UPLOAD_UNKNOWN');

const append = (bytes: Buffer, piece: number): Step => ({
  name: `append ${bytes.length}`,
  run: async (store, session) => {
    const appending = store.blobs().uploads.append(session.id, OWNER, sourceOf(bytes, piece));
    if (session.over) return void (await refused(appending, 'UPLOAD_UNKNOWN'));
    session.bytes = Buffer.concat([session.bytes, bytes]);
    expect((await appending).size).to.equal(session.bytes.length);
  },
});

const breakOff = (bytes: Buffer): Step => ({
  name: `break off after ${bytes.length}`,
  run: async (store, session) => {
    await failed(store.blobs().uploads.append(session.id, OWNER, brokenSource(bytes, new Error('broken'))));
    if (!session.over) session.bytes = Buffer.concat([session.bytes, bytes]);
  },
});

const lie = (bytes: Buffer, wrong: 'from' | 'length'): Step => ({
  name: `append with a wrong ${wrong}`,
  run: async (store, session) => {
    const options = wrong === 'from' ? { from: session.bytes.length + 1 } : { length: bytes.length + 1 };
    const code = wrong === 'from' ? 'RANGE_INVALID' : 'SIZE_INVALID';
    const appending = store.blobs().uploads.append(session.id, OWNER, sourceOf(bytes), options);
    await refused(appending, session.over ? 'UPLOAD_UNKNOWN' : code);
  },
});

const status: Step = {
  name: 'status',
  run: async (store, session) => {
    if (session.over) return void (await ended(store, session));
    expect((await store.blobs().uploads.status(session.id, OWNER)).size).to.equal(session.bytes.length);
  },
};

const finishWrong: Step = {
  name: 'finish with a wrong digest',
  run: async (store, session) => {
    const finishing = store.blobs().uploads.finish(session.id, OWNER, digestOf(Buffer.concat([session.bytes, Buffer.from('x')])));
    await refused(finishing, session.over ? 'UPLOAD_UNKNOWN' : 'DIGEST_INVALID');
  },
};

const finish = (algorithm: 'sha256' | 'sha512', end: 'settle' | 'release' | 'die', collect: boolean): Step => ({
  name: `finish by ${algorithm}${collect ? ', collect' : ''} and ${end}`,
  run: async (store, session) => {
    const digest = digestOf(session.bytes, algorithm);
    const finishing = store.blobs().uploads.finish(session.id, OWNER, digest);
    if (session.over) return void (await refused(finishing, 'UPLOAD_UNKNOWN'));
    const placed = await finishing;
    if (collect && end === 'settle') store.collect(digest);
    session.placed = digest;
    if (end === 'release') await placed.release();
    if (end === 'die') await store.restart();
    if (end !== 'settle') return;
    await placed.settle();
    session.over = true;
  },
});

const cancel: Step = {
  name: 'cancel',
  run: async (store, session) => {
    const cancelling = store.blobs().uploads.cancel(session.id, OWNER);
    if (session.over) return void (await refused(cancelling, 'UPLOAD_UNKNOWN'));
    await cancelling;
    session.over = true;
  },
};

const restart: Step = { name: 'restart', run: (store) => store.restart() };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(chunk, fc.constantFrom(1000, 64 * KIB)).map(([bytes, piece]) => append(bytes, piece)) },
  { weight: 2, arbitrary: chunk.map(breakOff) },
  {
    weight: 2,
    arbitrary: fc.tuple(chunk, fc.constantFrom('from' as const, 'length' as const)).map(([bytes, wrong]) => lie(bytes, wrong)),
  },
  fc.constantFrom(status, finishWrong, restart),
  {
    weight: 2,
    arbitrary: fc
      .tuple(
        fc.constantFrom('sha256' as const, 'sha512' as const),
        fc.constantFrom('settle' as const, 'release' as const, 'die' as const),
        fc.boolean(),
      )
      .map((how) => finish(...how)),
  },
  fc.constant(cancel),
);

/** Whatever is done to a session: its size is that of what was kept, and what is in place is whole. */
export const uploadProperty = (store: Store): fc.IAsyncProperty<[Step[]]> =>
  fc.asyncProperty(
    fc
      .array(step, { maxLength: 12 })
      .map((steps) => Object.assign(steps, { [fc.toStringMethod]: () => steps.map(({ name }) => name).join('; ') })),
    async (steps) => {
      const { id } = await store.blobs().uploads.begin(OWNER, 'sha256');
      const session: Session = { id, bytes: Buffer.alloc(0), over: false, placed: undefined };
      for (const { run } of steps) {
        await run(store, session);
        if (session.placed === undefined) continue;
        const found = await pulled(store.blobs(), session.placed);
        expect(found && digestOf(found, session.placed.startsWith('sha512') ? 'sha512' : 'sha256')).to.equal(session.placed);
      }
      await status.run(store, session);
    },
  );
