import type { Blobs } from '../blobs/blobs.ts';
import type { Execute } from '../commands/execute.ts';
import type { Position } from '../events/event.ts';
import type { Streams } from '../events/streams.ts';
import type { Caller } from '../identity/caller.ts';
import type { Tokens } from '../identity/tokens.ts';
import type { Views } from '../projections/views/views.ts';

/** What the routes of every surface may touch. */
export type HttpDeps = Readonly<{
  version: string;
  settings: Readonly<{
    publicUrl?: string;
    /** Whose `X-Forwarded-*` headers are believed. */
    trustedProxies: readonly string[];
    deletes: boolean;
    /** Bytes. */
    largestManifest: number;
  }>;
  /** The serving views. */
  views: Views;
  execute: Execute;
  streams: Streams;
  /** Waits until the serving views show the log up to `position`. @returns false when that took too long */
  reached: (position: Position) => Promise<boolean>;
  blobs: Blobs;
  /** Who sends this `Authorization` header; anonymous without one. @throws RegistryError `UNAUTHENTICATED` | `UNAVAILABLE` */
  authenticate: (authorization: string | undefined) => Caller | Promise<Caller>;
  /** Who has this password. Throws as `authenticate` does. */
  login: (username: string, password: string) => Caller | Promise<Caller>;
  /** Who holds this refresh token. Throws as `authenticate` does. */
  refresh: (token: string) => Promise<Caller>;
  tokens: Tokens;
  health: () => Promise<Health>;
  newId: () => string;
}>;

export type Health = Readonly<{
  status: 'healthy' | 'degraded' | 'unhealthy';
  version: string;
  /** Seconds. */
  uptime: number;
  database: 'healthy' | 'degraded' | 'unhealthy';
  storage: 'healthy' | 'unhealthy';
  /** What is wrong, for a person. */
  problems: readonly string[];
}>;
