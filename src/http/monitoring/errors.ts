import { STATUS_CODES } from 'node:http';
import { CHALLENGING } from '../managementErrors.ts';
import type { Refusing } from '../refusal.ts';

/** How the monitoring API refuses: `{ "error": "Not Found", "message": "…" }`. Who has no login is asked for it, as on the management API. */
export const MONITORING_REFUSING: Refusing = {
  ...CHALLENGING,
  body: ({ status, message }) => ({ error: STATUS_CODES[status] ?? 'Error', message }),
};
