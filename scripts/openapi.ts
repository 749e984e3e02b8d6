import { readFileSync, writeFileSync } from 'node:fs';
import Fastify from 'fastify';
import type { HttpDeps } from '../src/http/deps.ts';
import { describedBy } from '../src/http/openapi.ts';
import type { Document } from '../src/http/openapiDocument.ts';
import { addSurfaces } from '../src/http/server.ts';

// Writes docs/openapi.json from the routes: `node scripts/openapi.ts`. A spec fails while it is out of date.

export const OPENAPI_DOCS = new URL('../docs/openapi.json', import.meta.url);

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string };

/** The description of every route that the registry adds. Routes only keep what they are given until somebody calls. */
export const openapiDocument = async (): Promise<Document> => {
  const app = Fastify();
  await addSurfaces(app, { version, limits: {}, settings: {}, blobs: {}, people: {} } as unknown as HttpDeps);
  await app.ready();
  const document = describedBy(app);
  await app.close();
  return document;
};

export const docsOfOpenapi = async (): Promise<string> => `${JSON.stringify(await openapiDocument(), null, 1)}\n`;

if (import.meta.main) writeFileSync(OPENAPI_DOCS, await docsOfOpenapi());
