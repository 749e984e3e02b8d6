import type { Position } from '../events/event.ts';
import type { Projector, ProjectorStatus } from './runner.ts';
import type { Views } from './views/views.ts';

/** How far a build is: events so far, the position of the last of them, and the log's end as it was when the build began. */
export type Building = Readonly<{ events: number; position: Position; head: Position }>;

export type GenerationStatus = Omit<ProjectorStatus, 'state'> &
  Readonly<{ state: ProjectorStatus['state'] | 'building'; building?: Building }>;

/** The views of one group, whichever build is in use at the moment, and what feeds them. */
export type Generation = Readonly<{
  /** Always the current build. Before there is one, everything throws UNAVAILABLE. */
  views: Views;
  /** Resolves once the views hold what the log held at the start; rejects when they never will. */
  ready: Promise<void>;
  /** Whether the current build holds everything up to `position` within the time. */
  reached: Projector['reached'];
  status: () => GenerationStatus;
  /** Builds the views anew beside the live ones and puts them in their place. One at a time. */
  rebuild: () => Promise<void>;
  stop: () => Promise<void>;
}>;
