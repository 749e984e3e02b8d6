import type { AccessEntry, AccessEvents } from '../../src/events/access.ts';
import type { NewEvent } from '../../src/events/event.ts';
import type { Digest } from '../../src/oci/digest.ts';

export const DIGEST = `sha256:${'a'.repeat(64)}` as Digest;
export const OTHER_DIGEST = `sha256:${'b'.repeat(64)}` as Digest;

/** A pull by user 7, and whatever else the example is about. */
export const pull = (changed: Partial<AccessEntry> = {}): AccessEntry => ({
  at: '2026-03-01T12:00:00.000Z',
  actor: 'user:7',
  method: 'bearer',
  ip: '203.0.113.5',
  userAgent: 'docker/28.0',
  action: 'manifest.pull',
  resource: 'team/app:latest',
  repositoryId: 'life-1',
  digest: DIGEST,
  decision: 'allowed',
  status: 200,
  requestId: 'request-1',
  bytes: 500,
  ...changed,
});

export const refusal = (changed: Partial<AccessEntry> = {}): AccessEntry => ({
  at: '2026-03-01T12:00:00.000Z',
  actor: 'user:7',
  method: 'bearer',
  ip: '203.0.113.5',
  action: 'request.refuse',
  resource: 'team/app:latest',
  decision: 'refused',
  status: 403,
  requestId: 'request-1',
  reason: 'DENIED',
  attempted: 'PUT /v2/:name/manifests/:reference',
  ...changed,
});

type Batch = AccessEvents['AccessRecorded'];
export const batchesIn = (events: readonly NewEvent[]): readonly Batch[] =>
  events.filter(({ type }) => type === 'AccessRecorded').map(({ data }) => data as Batch);
export const entriesIn = (events: readonly NewEvent[]): readonly AccessEntry[] =>
  batchesIn(events).flatMap(({ entries }) => entries);
