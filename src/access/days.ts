/** A UTC day: `2026-01-31`. */
export type Day = string;

export const DAY_MS = 86_400_000;
const LENGTH = 10;

export const dayAt = (ms: number): Day => new Date(ms).toISOString().slice(0, LENGTH);
/** The day of a time in ISO 8601. */
export const dayOf = (at: string): Day => at.slice(0, LENGTH);
export const startOf = (day: Day): number => Date.parse(`${day}T00:00:00.000Z`);
export const dayAfter = (day: Day): Day => dayAt(startOf(day) + DAY_MS);
export const dayBefore = (day: Day, days = 1): Day => dayAt(startOf(day) - days * DAY_MS);
