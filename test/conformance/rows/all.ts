import type { Row } from '../row.ts';
import { BEYOND } from './beyond.ts';
import { BLOB_PUSH } from './blobPush.ts';
import { DELETES } from './deletes.ts';
import { DISCOVERY } from './discovery.ts';
import { GRAMMAR } from './grammar.ts';
import { MANIFEST_PUSH } from './manifestPush.ts';
import { OFFICIAL } from './official.ts';
import { OTHER } from './other.ts';
import { PULL } from './pull.ts';

/** Every row, in the order of the fact sheet. */
export const ROWS: readonly Row[] = [
  ...GRAMMAR,
  ...PULL,
  ...BLOB_PUSH,
  ...MANIFEST_PUSH,
  ...DISCOVERY,
  ...DELETES,
  ...OTHER,
  ...OFFICIAL,
  ...BEYOND,
];
