import type { FastifyBaseLogger } from 'fastify';
import type { NewEvent } from '../../events/event.ts';
import { trailId } from '../../projections/trail.ts';
import { TamperedSeal } from '../../secrets/sealedText.ts';
import type { HttpDeps } from '../deps.ts';
import { ID, TEXT, TIME } from '../schemas.ts';
import type { Found, TrailEntry } from './auditMerge.ts';
import { namesOfUsers } from './names.ts';
import { timeOf } from './route.ts';

const TEXT_OR_NULL = { type: ['string', 'null'] } as const;

/** The fields of an entry, in the order of their columns. */
export const LOG_FIELDS = {
  id: { ...ID, description: 'Unique over both logs, and the same as long as they stay where they are.' },
  timestamp: TIME,
  user: {
    ...TEXT,
    description: 'A username; `erased`; `robot:<provider>:<subject>`, `anonymous` or `system`.',
    example: 'admin',
  },
  action: { ...TEXT, example: 'repository.create' },
  resource: { ...TEXT, example: 'myapp/frontend' },
  ip_address: { ...TEXT_OR_NULL, example: '192.168.1.100' },
  user_agent: { ...TEXT_OR_NULL, example: 'docker/20.10.0' },
  log: { enum: ['facts', 'access'], description: 'Where it is on record: among the changes, or in the access log.' },
  actor: { ...TEXT, description: 'Who it was by id: `user:7`, or the access token that was used, `token:5`.', example: 'user:1' },
  token_id: { type: ['integer', 'null'], description: 'Of the access token that was used, if one was.' },
  method: { ...TEXT_OR_NULL, description: 'How the caller showed who it is, where the access log knows it.' },
  decision: { enum: ['allowed', 'refused'] },
  status: { type: ['integer', 'null'], description: 'Of the answer, where the access log knows it.' },
  reason: { ...TEXT_OR_NULL, description: 'Why it was refused.' },
  attempted: { ...TEXT_OR_NULL, description: 'What was refused: the method and the route.' },
  digest: TEXT_OR_NULL,
  bytes: { type: ['integer', 'null'] },
  count: { type: 'integer', minimum: 1, description: 'How many equal ones this stands for.' },
  until: { ...TIME, description: 'When the last of them was.' },
  request_id: TEXT,
  event_id: { ...TEXT_OR_NULL, description: 'Of the event, of a change.' },
} as const;

export type LogAnswered = Readonly<Record<keyof typeof LOG_FIELDS, string | number | null>>;

/** What does not open under the key of its subject: somebody has altered it. */
const ALTERED = 'altered';

type Sealed = Readonly<{ ip?: string; userAgent?: string }>;

/** As much of its event as a seal is bound to. */
const sealedEvent = ({ eventId, ip, userAgent }: Extract<TrailEntry, { eventId: string }>): NewEvent =>
  ({
    id: eventId,
    type: 'audit',
    data: {},
    metadata: { ...(ip !== undefined && { ip }), ...(userAgent !== undefined && { userAgent }) },
  }) as unknown as NewEvent;

/** One that was altered does not keep the others from being read. */
const revealEach = async (
  reveal: HttpDeps['revealMetadata'],
  events: readonly NewEvent[],
  log: FastifyBaseLogger,
): Promise<readonly Sealed[]> => {
  const revealed: Sealed[] = [];
  for (const event of events)
    try {
      revealed.push(...(await reveal([event])).map(({ metadata }) => metadata));
    } catch (err) {
      if (!(err instanceof TamperedSeal)) throw err;
      log.error({ err }, 'An entry of the audit was altered.');
      revealed.push({ ip: ALTERED, userAgent: ALTERED });
    }
  return revealed;
};

/** Addresses and programs of changes, which are sealed, by the ids of their events. One read of the secrets at most. */
const revealedOf = async (
  { revealMetadata }: HttpDeps,
  found: readonly Found[],
  log: FastifyBaseLogger,
): Promise<ReadonlyMap<string, Sealed>> => {
  const events = found.flatMap(({ entry }) => ('eventId' in entry ? [sealedEvent(entry)] : []));
  const revealed = await revealMetadata(events)
    .then((all): readonly Sealed[] => all.map(({ metadata }) => metadata))
    .catch((error: unknown) => {
      if (error instanceof TamperedSeal) return revealEach(revealMetadata, events, log);
      throw error;
    });
  return new Map(events.map(({ id }, index) => [id, revealed[index] ?? {}]));
};

const userIdIn = (who: string): number | undefined => {
  const id = /^user:(\d+)$/.exec(who)?.[1];
  return id === undefined ? undefined : Number(id);
};

const digestOf = ({ digest, resource }: TrailEntry): string | null =>
  digest ?? (resource.includes('@sha') ? resource.slice(resource.indexOf('@') + 1) : null);

const tokenOf = (entry: TrailEntry): number | null => {
  if ('tokenId' in entry && entry.tokenId !== undefined) return Number(entry.tokenId);
  return entry.actor.startsWith('token:') ? Number(entry.actor.slice('token:'.length)) : null;
};

/** What only the access log knows. */
const ofAccess = (entry: TrailEntry) =>
  'decision' in entry
    ? {
        log: 'access',
        method: entry.method,
        decision: entry.decision,
        status: entry.status,
        reason: entry.reason ?? null,
        attempted: entry.attempted ?? null,
        bytes: entry.bytes ?? null,
        count: entry.count,
        until: timeOf(entry.until),
        event_id: null,
      }
    : {
        log: 'facts',
        method: null,
        decision: 'allowed',
        status: null,
        reason: null,
        attempted: null,
        bytes: null,
        count: 1,
        until: timeOf(entry.at),
        event_id: entry.eventId,
      };

/** Entries as they are answered: names as they are now, or `erased`, and what is sealed in the clear as long as its key is there. */
export const logsAnswered = async (
  deps: HttpDeps,
  found: readonly Found[],
  log: FastifyBaseLogger,
): Promise<readonly LogAnswered[]> => {
  const ids = found.flatMap(({ entry }) => userIdIn(entry.who) ?? []);
  const [names, revealed] = await Promise.all([namesOfUsers(deps.views, ids), revealedOf(deps, found, log)]);
  const nameOf = (who: string): string => names.get(userIdIn(who) ?? 0) ?? who;
  return found.map(({ key, entry }) => {
    const { ip, userAgent } = 'eventId' in entry ? (revealed.get(entry.eventId) ?? {}) : entry;
    return {
      id: trailId(key),
      timestamp: timeOf(entry.at),
      user: nameOf(entry.who),
      action: entry.action,
      resource: entry.resource,
      ip_address: ip ?? null,
      user_agent: userAgent ?? null,
      actor: entry.actor,
      token_id: tokenOf(entry),
      digest: digestOf(entry),
      request_id: entry.requestId,
      ...ofAccess(entry),
    };
  });
};
