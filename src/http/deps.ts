import type { KeyObject } from 'node:crypto';
import type { AccessRecords } from '../access/records.ts';
import type { Blobs } from '../blobs/blobs.ts';
import type { CommandContext, Execute, Outcome } from '../commands/execute.ts';
import type { Position } from '../events/event.ts';
import type { EventLog } from '../events/log/log.ts';
import type { Streams } from '../events/streams.ts';
import type { Caller } from '../identity/caller.ts';
import type { LastSeen } from '../identity/lastSeen.ts';
import type { PeopleLogin } from '../identity/oidc/people.ts';
import type { Workload } from '../identity/oidc/workloads.ts';
import type { Passwords } from '../identity/passwords.ts';
import type { Tokens } from '../identity/tokens.ts';
import type { From } from '../identity/wrongTokens.ts';
import type { RequestLimit } from '../limits/requests.ts';
import type { Live } from '../live/live.ts';
import type { Views } from '../projections/views/views.ts';
import type { Cursors } from '../secrets/cursors.ts';
import type { Fingerprints } from '../secrets/fingerprints.ts';
import type { Sealing } from '../secrets/sealing.ts';
import type { Collector } from './metricFamily.ts';
import type { RequestStatistics } from './requestStatistics.ts';

/** What the routes of every surface may touch. */
export type HttpDeps = Readonly<{
  version: string;
  settings: Readonly<{
    publicUrl?: string;
    /** Whose `X-Forwarded-*` headers are believed. */
    trustedProxies: readonly string[];
    auth: boolean;
    /** Names that a registry without authentication goes by, too. */
    allowedHosts: readonly string[];
    deletes: boolean;
    /** Whether an index may name what the repository does not have. */
    sparseIndexes: boolean;
    /** Bytes. */
    largestManifest: number;
    /** How long manifests are kept whose last tag moved away, in days; `Infinity` for ever. */
    retainUntaggedDays: number;
    /** Longest life of an access token, in days; 0: no limit. */
    tokenMaxDays: number;
    /** Whether pulls of blobs are recorded. */
    accessBlobs: boolean;
    /** Who may read `/metrics`: those who may monitor, everybody, nobody. */
    metrics: 'login' | 'open' | 'off';
  }>;
  /** The serving views. */
  views: Views;
  execute: Execute;
  streams: Streams;
  /** Waits until the serving views show the log up to `position`. @returns false when that took too long */
  reached: (position: Position) => Promise<boolean>;
  /** Waits until all of a life that has ended is recorded as gone. @returns false when that took too long */
  cleared: (life: Readonly<{ repositoryId: string; repository: string; position: Position }>) => Promise<boolean>;
  /** Of the facts. */
  log: Pick<EventLog, 'head' | 'follow'>;
  /** The views that people read about the registry; behind the serving ones by as long as `reported` waits. */
  reporting: Views;
  /** As `reached`, of the reporting views. */
  reported: (position: Position) => Promise<boolean>;
  /** The views of the access log. */
  accessViews: Views;
  blobs: Blobs;
  /** Who sends this `Authorization` header; anonymous without one. @throws RegistryError `UNAUTHENTICATED` | `TOO_MANY_REQUESTS` | `UNAVAILABLE` */
  authenticate: (authorization: string | undefined, from: From) => Caller | Promise<Caller>;
  /** Who has this password. Throws as `authenticate` does. */
  login: (username: string, password: string, from: From) => Caller | Promise<Caller>;
  /** Who holds this refresh token. Throws as `authenticate` does. */
  refresh: (token: string, from: From) => Promise<Caller>;
  /** The workload that an ID token speaks for. @throws RegistryError `UNAUTHENTICATED` | `DENIED` | `TOO_MANY_REQUESTS` | `UNAVAILABLE` */
  exchange: (idToken: string, from: From) => Promise<Workload>;
  /** Providers that people log in at, by name. */
  people: ReadonlyMap<string, PeopleLogin>;
  /** Exact names and `prefix/*`: all that rules for workloads are about. */
  workloadRepositories: readonly string[];
  /** Seals logins under way; the same on all nodes. */
  loginKey: KeyObject;
  tokens: Tokens;
  /** Absent: any number. */
  limits: Readonly<{ api?: RequestLimit; monitoring?: RequestLimit; pulls?: RequestLimit; anonymousPulls?: RequestLimit }>;
  /** Makes a new key sign, and records who asked for it. @throws RegistryError `CONFLICT` | `UNAVAILABLE` */
  rotateSigningKey: (context: CommandContext) => Promise<Readonly<{ keyId: string; madeAt: number }>>;
  passwords: Pick<Passwords, 'hash'>;
  lastSeen: LastSeen;
  access: AccessRecords;
  fingerprints: Fingerprints;
  /** Addresses and programs of callers in the clear, for those who may read who did what. */
  revealMetadata: Sealing['revealMetadata'];
  cursors: Cursors;
  /** Erases a person, and deletes the user where that was not done before. @throws RegistryError `NOT_FOUND` | `CONFLICT` | `UNAVAILABLE` */
  erasePerson: (userId: number, context: CommandContext) => Promise<Outcome>;
  /** What happens now: `live.logClients()` is how many watch the log. */
  live: Live;
  /** Bounded in time, whatever hangs. */
  health: () => Promise<Health>;
  /** What this process has answered since its start. */
  requests: RequestStatistics;
  /** What `/metrics` tells besides requests and totals. */
  collectors: readonly Collector[];
  newId: () => string;
}>;

export type Health = Readonly<{
  status: 'healthy' | 'degraded' | 'unhealthy';
  version: string;
  /** Seconds. */
  uptime: number;
  database: 'healthy' | 'degraded' | 'unhealthy';
  storage: 'healthy' | 'unhealthy';
  /** Whether logins can be checked. */
  auth: 'healthy' | 'degraded' | 'unhealthy';
  /** What is wrong, for a person. */
  problems: readonly string[];
}>;
