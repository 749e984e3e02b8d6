import { expect } from 'chai';
import type { Document, Operation } from '../../src/http/openapiDocument.ts';
import { referencePage } from '../../src/http/referencePage.ts';

const HOSTILE = `<script>alert("1")</script>&'`;
const SHOWN = '&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;&#39;';

const operation: Operation = {
  operationId: HOSTILE,
  summary: HOSTILE,
  description: `${HOSTILE} \`${HOSTILE}\``,
  tags: [HOSTILE],
  'x-action': HOSTILE,
  security: [],
  parameters: [{ name: HOSTILE, in: 'query', description: HOSTILE, schema: { enum: [HOSTILE] } }],
  requestBody: {
    required: true,
    content: {
      [HOSTILE]: { schema: { properties: { [HOSTILE]: { type: HOSTILE, description: HOSTILE } } }, example: { a: HOSTILE } },
    },
  },
  responses: { 200: { description: HOSTILE, headers: { [HOSTILE]: {} } } },
};
const DOCUMENT: Document = {
  openapi: '3.1.0',
  info: { title: HOSTILE, version: HOSTILE, description: HOSTILE },
  servers: [],
  tags: [{ name: HOSTILE, description: HOSTILE }],
  paths: { [`/${HOSTILE}`]: { get: operation } },
  components: { schemas: { [HOSTILE]: { properties: { [HOSTILE]: {} } } }, responses: {}, headers: {}, securitySchemes: {} },
};

describe('the reference page', () => {
  const page = referencePage(DOCUMENT, HOSTILE);

  it('lets nothing of the description become markup', () => {
    expect(page.split(SHOWN).length).to.be.above(20);
    expect(page).not.to.contain('<script').and.not.to.contain(`"1"`);
  });
});
