import { expect } from 'chai';
import { COMPUTED, cycleIn, type Import, importsOf, readSources, type Sources, withoutComments } from './support/imports.ts';

/** Which folders of `src` a folder may import, beside itself and `errors.ts`. Files directly in `src` may import everything. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  oci: [],
  events: ['oci'],
  blobs: ['oci'],
  projections: ['oci', 'events'],
  commands: ['oci', 'events', 'projections'],
  secrets: ['oci', 'events', 'commands', 'projections'],
  limits: [],
  live: ['events'],
  identity: ['oci', 'events', 'commands', 'projections', 'secrets', 'limits'],
  access: ['oci', 'events', 'projections', 'identity'],
  webhooks: ['oci', 'events', 'commands', 'projections'],
  moving: ['events', 'projections', 'secrets'],
  http: ['access', 'oci', 'events', 'commands', 'projections', 'blobs', 'identity', 'secrets', 'limits', 'live'],
};

/** Where a library may be named. What is not listed here may be named nowhere. */
const LIBRARIES: Readonly<Record<string, RegExp>> = {
  '@eventstore/db-client': /^src\/events\/log\/eventstore[^/]*\.ts$/,
  '@node-rs/argon2': /^src\/(identity|secrets)\//,
  ajv: /^src\/(events\/|config\.ts$|oidcFile\.ts$|http\/validation\.ts$)/,
  'ajv-formats': /^src\/(events\/|config\.ts$)/,
  fastify: /^src\/http\//,
  jose: /^src\/(identity|secrets)\//,
  'json-schema-to-ts': /^src\/http\//,
  'lru-cache': /^src\/(?!oci\/)/,
  mongodb: /^src\/(projections\/views|secrets|limits)\/mongo[^/]*\.ts$/,
  nanoid: /^src\/app\.ts$/,
  'openid-client': /^src\/identity\/oidc\//,
  'pino-pretty': /^src\/[^/]+\.ts$/,
  pino: /^src\/[^/]+\.ts$/,
  'rate-limiter-flexible': /^src\/limits\/(memory|mongo)\.ts$/,
  'prom-client': /^src\/http\/metricsText\.ts$/,
  rxjs: /^src\/(events\/log\/|projections\/runner\.ts$|webhooks\/)/,
  uuid: /^src\/([^/]+\.ts$|commands\/execute\.ts$|blobs\/)/,
};

/** Node's own modules are free to all but the files that hold rules: those see documents and events, and hash at most. */
const PURE = /^src\/(oci\/|commands\/(?!execute\.ts$)|projections\/(?!runner\.ts$)[^/]+\.ts$)/;
const PURE_MODULES = ['node:crypto'];

const NAMED_AFTER_A_TECHNOLOGY = /(?:^|\/)(?:disk|eventstore|mongo|s3|sqlite)[^/]*$/;
const isEdge = (file: string): boolean => /^src\/[^/]+\.ts$/.test(file) && file !== 'src/errors.ts';
const folderOf = (file: string): string => file.split('/')[1] ?? '';
const parentOf = (file: string): string => file.slice(0, file.lastIndexOf('/'));
const surfaceOf = (file: string): string | undefined => /^src\/http\/([^/]+)\//.exec(file)?.[1];
const isFile = (target: string): boolean => /\.(ts|js|mjs|json)$/.test(target) && target.includes('/');

/** Why a file may not import one of ours, or undefined. */
const fileBreach = ({ from, target }: Import, sources: Sources): string | undefined => {
  if (!target.startsWith('src/')) return isEdge(from) ? undefined : 'stands outside src';
  if (sources[target] === undefined) return 'does not exist';
  if (target === 'src/errors.ts') return undefined;
  if (from === 'src/errors.ts') return 'errors.ts imports nothing';
  if (isEdge(from)) return undefined;
  if (isEdge(target)) return 'nothing imports the edge of the process';
  if (NAMED_AFTER_A_TECHNOLOGY.test(target) && parentOf(from) !== parentOf(target))
    return 'depend on the port, not on an adapter';
  if (folderOf(from) === 'commands' && target === 'src/projections/runner.ts') return 'commands see the port and the documents';
  const [ours, theirs] = [surfaceOf(from), surfaceOf(target)];
  if (ours !== undefined && theirs !== undefined && ours !== theirs) return 'a surface never imports another';
  const [folder, wanted] = [folderOf(from), folderOf(target)];
  return folder === wanted || MAY_IMPORT[folder]?.includes(wanted) ? undefined : `${folder} may not import ${wanted}`;
};

/** Why a file may not import a library, or undefined. */
const libraryBreach = ({ from, target }: Import): string | undefined => {
  if (target === COMPUTED) return 'a computed name hides what is imported';
  if (target === 'node:sqlite')
    return /\/(sqlite[^/]*|[^/]+\.worker)\.ts$/.test(from) ? undefined : 'SQL lives in the sqlite adapters';
  if (target === 'node:module') return 'require hides what is imported';
  if (target === 'node:process') return 'import nothing from node:process, so that process.env can be seen';
  if (target.startsWith('node:')) return PURE.test(from) && !PURE_MODULES.includes(target) ? 'rules do no I/O' : undefined;
  const allowed = LIBRARIES[target.startsWith('@fastify/') ? 'fastify' : target];
  if (allowed === undefined) return 'no rule says where this library lives';
  return allowed.test(from) ? undefined : 'this library lives elsewhere';
};

const textBreaches = (file: string, source: string): readonly string[] => {
  const text = withoutComments(source);
  const breaches: string[] = [];
  if (/\bprocess\s*\??\.\s*env\b|\bprocess\s*\[|=\s*process\b(?!\s*[.?])/.test(text) && file !== 'src/config.ts')
    breaches.push(`${file}: only config.ts reads process.env`);
  if (/^export\s+\*/m.test(text)) breaches.push(`${file}: no barrels, a file exports what it defines`);
  if (/^export\s+default\b/m.test(text)) breaches.push(`${file}: named exports only`);
  if (/\/index\.ts$/.test(file) && !/^src\/http\/[^/]+\/index\.ts$/.test(file))
    breaches.push(`${file}: index.ts is for a surface only`);
  if (!isEdge(file) && file !== 'src/errors.ts' && MAY_IMPORT[folderOf(file)] === undefined)
    breaches.push(`${file}: no rule says what this folder may import`);
  return breaches;
};

/** Every breach of the import rule in these files, worded for a person. */
const breachesOf = (sources: Sources): readonly string[] => {
  const imports = Object.entries(sources).flatMap(([file, source]) => importsOf(file, source));
  const inImports = imports.flatMap((one) => {
    const breach = isFile(one.target) ? fileBreach(one, sources) : libraryBreach(one);
    return breach === undefined ? [] : [`${one.from} → ${one.target}: ${breach}`];
  });
  const cycle = cycleIn(imports);
  const inTexts = Object.entries(sources).flatMap(([file, source]) => textBreaches(file, source));
  return [...inImports, ...inTexts, ...(cycle === undefined ? [] : [`import cycle: ${cycle.join(' → ')}`])];
};

/** A small registry that keeps the rule, to plant breaches in. */
const SOUND: Sources = {
  'src/main.ts': `import { pino } from 'pino';\nimport { app } from './app.ts';\nimport { config } from './config.ts';`,
  'src/app.ts': `import { nanoid } from 'nanoid';\nimport { sqliteLog } from './events/log/sqlite.ts';\nimport { oci } from './http/oci/index.ts';`,
  'src/config.ts': `import { Ajv } from 'ajv';\nexport const config = () => process.env.X;`,
  'src/errors.ts': `export const e = 1;`,
  'src/oci/digest.ts': `import { hash } from 'node:crypto';\nimport { e } from '../errors.ts';`,
  'src/events/event.ts': `import type { Digest } from '../oci/digest.ts';\n/* Never read process.env or\n * import { x } from '../http/oci/index.ts';\n */`,
  'src/events/log/log.ts': `import type { E } from '../event.ts';`,
  'src/events/log/sqlite.ts': `import type { Log } from './log.ts';\nnew Worker(new URL('./sqlite.worker.ts', import.meta.url));`,
  'src/events/log/sqlite.worker.ts': `import { DatabaseSync } from 'node:sqlite';\nimport type { Sql } from './sqlite.ts';`,
  'src/commands/repository.ts': `import type { Tag } from '../projections/tags.ts';`,
  'src/commands/execute.ts': `import { setTimeout } from 'node:timers/promises';\nimport type { Log } from '../events/log/log.ts';`,
  'src/projections/tags.ts': `import type { E } from '../events/event.ts';`,
  'src/projections/runner.ts': `import {\n  bufferTime,\n  concatMap,\n} from 'rxjs';\nimport type { Tag } from './tags.ts';`,
  'src/http/refusal.ts': `import type { FastifyInstance } from 'fastify';`,
  'src/http/oci/index.ts': `import { refuse } from '../refusal.ts';`,
  'src/http/auth/index.ts': `import { refuse } from '../refusal.ts';`,
};

const PLANTED: readonly (readonly [rule: string, file: string, text: string, breach: string])[] = [
  ['a layer that reaches up', 'src/oci/names.ts', `import { e } from '../events/event.ts';`, 'oci may not import events'],
  [
    'a type of an upper layer',
    'src/events/keys.ts',
    `import type { T } from '../projections/tags.ts';`,
    'events may not import projections',
  ],
  [
    'an import over several lines',
    'src/blobs/sums.ts',
    `import {\n  type E,\n  f,\n} from '../events/event.ts';`,
    'blobs may not import events',
  ],
  [
    'a re-export',
    'src/projections/links.ts',
    `export { run } from '../commands/execute.ts';`,
    'projections may not import commands',
  ],
  ['an import for its effect', 'src/blobs/sums.ts', `import '../http/refusal.ts';`, 'blobs may not import http'],
  ['an import on demand', 'src/oci/names.ts', `const x = await import('../http/refusal.ts');`, 'oci may not import http'],
  ['a type in place', 'src/oci/names.ts', `type X = import('../http/refusal.ts').X;`, 'oci may not import http'],
  ['an import of a computed name', 'src/blobs/sums.ts', `const load = (name: string) => import(name);`, 'a computed name'],
  [
    'a worker of another layer',
    'src/oci/names.ts',
    `new URL('../events/log/sqlite.worker.ts', import.meta.url)`,
    'not on an adapter',
  ],
  ['an adapter named by a rule', 'src/commands/users.ts', `import { s } from '../events/log/sqlite.ts';`, 'not on an adapter'],
  ['an adapter named by another port', 'src/events/catalogue.ts', `import { s } from './log/sqlite.ts';`, 'not on an adapter'],
  ['the edge imported from within', 'src/http/deps.ts', `import type { C } from '../config.ts';`, 'nothing imports the edge'],
  [
    'a surface that imports another',
    'src/http/auth/token.ts',
    `import { o } from '../oci/index.ts';`,
    'a surface never imports another',
  ],
  ['a folder without a rule', 'src/gc/sweep.ts', `export const x = 1;`, 'no rule says what this folder may import'],
  ['a file that is not there', 'src/oci/names.ts', `import { x } from './gone.ts';`, 'does not exist'],
  ['a file outside src', 'src/http/deps.ts', `import { x } from '../../test/support/http.ts';`, 'stands outside src'],
  ['fastify below http', 'src/identity/login.ts', `import type { FastifyRequest } from 'fastify';`, 'lives elsewhere'],
  ['a fastify plugin below http', 'src/blobs/sums.ts', `import sensible from '@fastify/sensible';`, 'lives elsewhere'],
  ['pino below the edge', 'src/http/logging.ts', `import type { Logger } from 'pino';`, 'lives elsewhere'],
  ['ajv in a rule', 'src/commands/users.ts', `import { Ajv } from 'ajv/dist/2020.js';`, 'lives elsewhere'],
  ['jose in http', 'src/http/auth/token.ts', `import { jwtVerify } from 'jose';`, 'lives elsewhere'],
  ['rxjs in a view', 'src/projections/links.ts', `import { map } from 'rxjs/operators';`, 'lives elsewhere'],
  ['a library without a rule', 'src/blobs/sums.ts', `import _ from 'lodash';`, 'no rule says where this library lives'],
  ['SQL outside its adapters', 'src/projections/views/views.ts', `import { DatabaseSync } from 'node:sqlite';`, 'SQL lives in'],
  ['I/O in a rule', 'src/commands/users.ts', `import { readFile } from 'node:fs/promises';`, 'rules do no I/O'],
  ['I/O in a view', 'src/projections/links.ts', `import { readFileSync } from 'node:fs';`, 'rules do no I/O'],
  [
    'the environment read elsewhere',
    'src/http/server.ts',
    `export const port = process.env['PORT'];`,
    'only config.ts reads process.env',
  ],
  ['the environment taken apart', 'src/http/server.ts', `const { env } = process;`, 'only config.ts reads process.env'],
  ['the environment imported', 'src/http/server.ts', `import { env } from 'node:process';`, 'import nothing from node:process'],
  ['a barrel', 'src/events/all.ts', `export * from './event.ts';`, 'no barrels'],
  ['a default export', 'src/oci/names.ts', `export default 1;`, 'named exports only'],
  ['an index of a folder', 'src/events/index.ts', `export const x = 1;`, 'index.ts is for a surface only'],
  [
    'a cycle of types',
    'src/oci/digest.ts',
    `import type { N } from './names.ts';`,
    'import cycle: src/oci/digest.ts → src/oci/names.ts → src/oci/digest.ts',
  ],
];

describe('the import rule', () => {
  it('is kept by every file of src', () => {
    expect(breachesOf(readSources(new URL('../', import.meta.url), 'src'))).to.deep.equal([]);
  });

  it('finds nothing in a registry that keeps it', () => {
    expect(breachesOf(SOUND)).to.deep.equal([]);
  });

  for (const [rule, file, text, breach] of PLANTED) {
    it(`finds ${rule}`, () => {
      const sound = {
        ...SOUND,
        'src/oci/names.ts': `import type { D } from './digest.ts';`,
        'src/projections/views/views.ts': '',
      };
      const found = breachesOf({ ...sound, [file]: text });
      expect(found, found.join('\n')).to.have.lengthOf(1);
      expect(found[0]).to.contain(breach);
    });
  }
});
