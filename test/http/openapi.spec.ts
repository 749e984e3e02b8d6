import { readFileSync } from 'node:fs';
import { Validator } from '@seriousme/openapi-schema-validator';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { expect } from 'chai';
import { docsOfOpenapi, OPENAPI_DOCS, openapiDocument } from '../../scripts/openapi.ts';
import type { Operation, Schema } from '../../src/http/openapiDocument.ts';
import { STYLE_HASH } from '../../src/http/referencePage.ts';
import { registryFor } from '../support/app.ts';
import { jsonOf } from './exchanges.ts';

const DOCUMENT = await openapiDocument();

type Named = Readonly<{ name: string; method: string; path: string; operation: Operation }>;
const OPERATIONS: readonly Named[] = Object.entries(DOCUMENT.paths).flatMap(([path, operations]) =>
  Object.entries(operations).map(([method, operation]) => ({ name: `${method} ${path}`, method, path, operation })),
);

const operation = (method: string, path: string): Operation => {
  const found = DOCUMENT.paths[path]?.[method];
  if (found === undefined) throw new Error(`${method} ${path} is not described.`);
  return found;
};

/** Every body of an operation, with what it is. */
const bodiesOf = ({ name, operation: { requestBody, responses } }: Named) => [
  ...Object.entries(requestBody?.content ?? {}).map(([type, media]) => ({ what: `${name} takes ${type}`, media })),
  ...Object.entries(responses).flatMap(([status, { content = {} }]) =>
    Object.entries(content).map(([type, media]) => ({ what: `${name} answers ${status} with ${type}`, media })),
  ),
];

describe('the description of the API', () => {
  it('is valid OpenAPI 3.1, as a validator of that says', async () => {
    expect(DOCUMENT.openapi).to.equal('3.1.0');
    const { valid, errors } = await new Validator().validate(structuredClone(DOCUMENT) as never);
    expect(errors ?? [], JSON.stringify(errors)).to.deep.equal([]);
    expect(valid).to.equal(true);
  });

  it('stands in docs/openapi.json, as `node scripts/openapi.ts` writes it', async () => {
    expect(readFileSync(OPENAPI_DOCS, 'utf8')).to.equal(await docsOfOpenapi());
  });

  it('names every operation once, in a sentence, in a chapter that is described', () => {
    const ids = OPERATIONS.map(({ operation: { operationId } }) => operationId);
    expect(ids).to.have.lengthOf.above(55);
    expect(new Set(ids)).to.have.property('size', ids.length);
    const chapters = DOCUMENT.tags.map(({ name }) => name);
    for (const { name, operation: one } of OPERATIONS) {
      expect(one.operationId, name).to.match(/^[a-z][A-Za-z0-9]+$/);
      expect(one.summary, name).to.match(/^[A-Z].+\.$/);
      expect(chapters, name).to.include.members([...one.tags]);
    }
  });

  it('has an operation for every route but those that refuse a method', () => {
    const paths = Object.keys(DOCUMENT.paths);
    for (const one of ['/v2/', '/v2/{name}/manifests/{reference}', '/auth', '/api/v1/users', '/api/openapi.json', '/api/docs'])
      expect(paths).to.include(one);
    expect(paths.filter((path) => path.includes(':') || path.includes('*'))).to.deep.equal([]);
  });

  it('has every parameter of a path, and says what becomes of slashes in names', () => {
    for (const { name, path, operation: one } of OPERATIONS) {
      const inPath = (one.parameters ?? []).filter((parameter) => parameter.in === 'path');
      expect(
        inPath.map((parameter) => `{${parameter.name}}`),
        name,
      ).to.have.members([...path.matchAll(/\{\w+\}/g)].map(([text]) => text));
      for (const parameter of inPath) if (parameter.name === 'name') expect(parameter.description, name).to.contain('%2F');
    }
  });

  it('tells of the login that an operation needs, and how its lack is refused', () => {
    for (const { name, operation: one } of OPERATIONS) {
      if (one['x-action'] === 'open') expect(one.security, name).to.deep.equal([]);
      else {
        expect(one.security, name).to.deep.equal([{ basic: [] }, { bearer: [] }, { session: [] }]);
        expect(one.responses, name).to.include.any.keys('401').and.any.keys('403');
      }
    }
  });

  it('refuses in the words of each surface', () => {
    for (const [method, path, name] of [
      ['get', '/v2/_catalog', 'RegistryBadRequest'],
      ['get', '/api/v1/users', 'ManagementBadRequest'],
      ['post', '/auth', 'ManagementBadRequest'],
      ['get', '/api/docs', 'MonitoringBadRequest'],
    ] as const)
      expect(operation(method, path).responses).to.have.deep.property('400', { $ref: `#/components/responses/${name}` });
    const { responses } = DOCUMENT.components;
    for (const status of [
      'BadRequest',
      'Unauthorized',
      'Forbidden',
      'NotFound',
      'Conflict',
      'PayloadTooLarge',
      'TooManyRequests',
    ])
      for (const surface of ['Registry', 'Management', 'Monitoring']) expect(responses).to.include.keys(`${surface}${status}`);
  });

  it('has an example for every body of JSON, which fits its schema', () => {
    const ajv = new Ajv2020({ strict: false, formats: { 'date-time': true, binary: true } });
    ajv.addSchema({ $id: 'document', ...DOCUMENT } as never);
    const absolute = (schema: Schema): object => JSON.parse(JSON.stringify(schema).replaceAll('"#/', '"document#/')) as object;
    let checked = 0;
    for (const named of OPERATIONS)
      for (const { what, media } of bodiesOf(named)) {
        if (!what.endsWith(' application/json')) continue;
        expect(media, what).to.have.property('example');
        expect(ajv.validate(absolute(media.schema ?? {}), media.example), `${what}: ${ajv.errorsText()}`).to.equal(true);
        checked += 1;
      }
    expect(checked).to.be.above(50);
  });
});

describe('GET /api/openapi.json', () => {
  const registry = registryFor();

  it('is that description, for everybody', async () => {
    const answer = await registry().anonymous.send('GET', '/api/openapi.json');
    expect(answer.status).to.equal(200);
    expect(answer.headers['content-type']).to.equal('application/json; charset=utf-8');
    const expected = JSON.parse(JSON.stringify(DOCUMENT)) as typeof DOCUMENT;
    expect(jsonOf(answer)).to.deep.equal({ ...expected, info: { ...expected.info, version: '0.0.0-test' } });
  });

  it('is not sent again to who has it', async () => {
    const first = await registry().anonymous.send('GET', '/api/openapi.json');
    const etag = first.headers.etag ?? '';
    expect(etag).to.match(/^"[\w-]{22}"$/);
    const again = await registry().anonymous.send('GET', '/api/openapi.json', { headers: { 'if-none-match': etag } });
    expect(again.status).to.equal(304);
    expect(again.body).to.have.lengthOf(0);
    const other = await registry().anonymous.send('GET', '/api/openapi.json', { headers: { 'if-none-match': '"other"' } });
    expect(other.status).to.equal(200);
  });

  it('says what it takes where it is asked for something else', async () => {
    const answer = await registry().anonymous.send('POST', '/api/openapi.json');
    expect(answer.status).to.equal(405);
    expect(answer.headers.allow).to.equal('GET, HEAD');
    expect(jsonOf(answer)).to.deep.equal({ error: 'Method Not Allowed', message: 'This path takes GET, HEAD.' });
  });
});

describe('the description of a registry with a public URL', () => {
  const registry = registryFor({ GHOSTDOCK_PUBLIC_URL: 'https://registry.example.com/sub' });

  it('says where its clients reach it', async () => {
    const answer = await registry().anonymous.send('GET', '/sub/api/openapi.json');
    expect(jsonOf(answer).servers).to.deep.equal([{ url: 'https://registry.example.com/sub' }]);
  });
});

describe('GET /api/docs', () => {
  const registry = registryFor({ GHOSTDOCK_TRUSTED_PROXIES: 'loopback' });
  let page = '';

  before(async () => {
    const answer = await registry().anonymous.send('GET', '/api/docs');
    expect(answer.status).to.equal(200);
    expect(answer.headers['content-type']).to.equal('text/html; charset=utf-8');
    expect(answer.headers['content-security-policy']).to.equal(
      `default-src 'none'; style-src '${STYLE_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
    );
    page = answer.body.toString();
  });

  it('shows every operation, with what it takes and what it answers', () => {
    for (const { name, path, method, operation: one } of OPERATIONS) {
      expect(page, name).to.contain(`<article id="${one.operationId}"`);
      expect(page, name).to.contain(`<code>${method.toUpperCase()} ${path}</code>`);
    }
    expect(page).to.contain('<code>users[].last_login</code>').and.to.contain('string (date-time) or null');
  });

  it('works offline: it has no script, and nothing in it is loaded from anywhere', () => {
    expect(page).not.to.match(/<script|<img|<link|<iframe|@import|url\(| on\w+=/i);
    const links = [...page.matchAll(/(?:href|src)="([^"]*)"/g)].map(([, target = '']) => target);
    expect(links.filter((target) => !target.startsWith('#'))).to.deep.equal(['openapi.json']);
  });

  const AT = 'https://registry.example.com';
  for (const under of ['', '/registry'])
    for (const path of ['/api/docs', '/api/docs/'])
      it(`leads to the description from ${under}${path}`, async () => {
        const headers = { 'x-forwarded-prefix': under };
        const { status, body } = await registry().anonymous.send('GET', path, { headers });
        expect(status).to.equal(200);
        const [, link = ''] = /<a href="([^"#]*)">The same in OpenAPI/.exec(body.toString()) ?? [];
        expect(new URL(link, `${AT}${under}${path}`).href).to.equal(`${AT}${under}/api/openapi.json`);
      });

  it('leads only to what stands in it', () => {
    const ids = [...page.matchAll(/ id="([^"]*)"/g)].map(([, id]) => id);
    expect(new Set(ids)).to.have.property('size', ids.length);
    for (const [, target] of page.matchAll(/href="#([^"]*)"/g)) expect(ids).to.include(target);
    for (const [, target] of page.matchAll(/aria-labelledby="([^"]*)"/g)) expect(ids).to.include(target);
  });

  it('has a language, a title, one first heading, headings without gaps, and tables with heads', () => {
    expect(page)
      .to.contain('<html lang="en">')
      .and.to.match(/<title>[^<]+<\/title>/);
    const levels = [...page.matchAll(/<h([1-6])/g)].map(([, level]) => Number(level));
    expect(levels.filter((level) => level === 1)).to.have.lengthOf(1);
    for (const [index, level] of levels.entries()) expect(level - (levels[index - 1] ?? 0)).to.be.at.most(1);
    const tables = [...page.matchAll(/<table>(.*?)<\/table>/gs)];
    expect(tables.length).to.be.above(50);
    for (const [table] of tables) expect(table).to.contain('<caption>').and.contain('scope="col"').and.contain('scope="row"');
  });

  it('is light or dark as its reader has it', () => {
    expect(page).to.contain('color-scheme:light dark').and.to.contain('prefers-color-scheme:dark');
  });
});
