import { createHash } from 'node:crypto';
import { type Html, html, joined, markdown } from './html.ts';
import type { Answer, Content, Document, Operation, Parameter, Schema } from './openapiDocument.ts';

const STYLE = `:root{color-scheme:light dark;--line:#8886;--code:#8882;--link:#0b57d0}
@media (prefers-color-scheme:dark){:root{--link:#8ab4f8}}
body{font:1rem/1.5 system-ui,sans-serif;margin:0 auto;max-width:60rem;padding:1rem}
a{color:var(--link)}
:focus-visible{outline:3px solid var(--link)}
h2{border-bottom:1px solid var(--line);margin-top:3rem}
article{border:1px solid var(--line);border-radius:.5rem;margin:1.5rem 0;padding:0 1rem 1rem}
code,pre{background:var(--code);border-radius:.25rem;font:.9em/1.4 ui-monospace,monospace;padding:.1em .3em}
h3 code{background:none;overflow-wrap:anywhere;padding:0}
pre{overflow-x:auto;padding:.5rem}
.wide{overflow-x:auto}
table{border-collapse:collapse;font-size:.9rem;width:100%}
caption{font-weight:600;padding:.5rem 0;text-align:left}
th,td{border:1px solid var(--line);padding:.3rem .5rem;text-align:left;vertical-align:top}
nav ul{columns:18rem;padding-left:1.2rem}`;

/** By which the page's policy knows its own style. */
export const STYLE_HASH = `sha256-${createHash('sha256').update(STYLE).digest('base64')}`;

const code = (text: string): Html => html`<code>${text}</code>`;

const table = (caption: string, heads: readonly string[], rows: readonly (readonly (Html | string)[])[]): Html => {
  if (rows.length === 0) return html``;
  const cells = rows.map(
    ([first = '', ...others]) =>
      html`<tr><th scope="row">${first}</th>${joined(others.map((cell) => html`<td>${cell}</td>`))}</tr>`,
  );
  const head = joined(heads.map((one) => html`<th scope="col">${one}</th>`));
  return html`<div class="wide" tabindex="0" role="region" aria-label="${caption}"><table><caption>${caption}</caption><thead><tr>${head}</tr></thead><tbody>${joined(cells)}</tbody></table></div>`;
};

const bounds = ({ minimum, maximum, minLength, maxLength, minItems, maxItems }: Schema): string => {
  const between = (least: number | undefined, most: number | undefined, unit: string): readonly string[] => {
    if (least === undefined && most === undefined) return [];
    if (most === undefined) return [`${least} or more${unit}`];
    return [least === undefined ? `at most ${most}${unit}` : `${least} to ${most}${unit}`];
  };
  return [
    ...between(minimum, maximum, ''),
    ...between(minLength, maxLength, ' characters'),
    ...between(minItems, maxItems, ' items'),
  ].join(', ');
};

/** A type in a few words: `array of string`, `string (date-time) or null`. */
const typeOf = (schema: Schema): string => {
  const choices = schema.oneOf ?? schema.anyOf;
  if (choices !== undefined) return choices.map(typeOf).join(' or ');
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum !== undefined) return schema.enum.map((value) => JSON.stringify(value)).join(', ');
  const named = [schema.type ?? 'any'].flat().map((type) => {
    if (type === 'array' && schema.items !== undefined) return `array of ${typeOf(schema.items)}`;
    return type === 'string' && schema.format !== undefined ? `string (${schema.format})` : type;
  });
  const limits = bounds(schema);
  return `${named.join(' or ')}${limits === '' ? '' : `, ${limits}`}`;
};

type Field = Readonly<{ path: string; schema: Schema; required: boolean }>;

/** All that is in it, by path: `users[].id`. */
const fieldsOf = (schema: Schema, path = ''): readonly Field[] => {
  if (schema.items !== undefined) return fieldsOf(schema.items, `${path}[]`);
  const choices = (schema.oneOf ?? schema.anyOf ?? []).flatMap((choice) => fieldsOf(choice, path));
  const own = Object.entries(schema.properties ?? {}).flatMap(([name, value]) => {
    const field = {
      path: path === '' ? name : `${path}.${name}`,
      schema: value,
      required: schema.required?.includes(name) ?? false,
    };
    return [field, ...fieldsOf(value, field.path)];
  });
  const free = typeof schema.additionalProperties === 'object' ? fieldsOf(schema.additionalProperties, `${path}.<name>`) : [];
  return [...choices, ...own, ...free].filter(
    ({ path: one }, index, all) => all.findIndex((other) => other.path === one) === index,
  );
};

const fieldTable = (caption: string, schema: Schema): Html =>
  table(
    caption,
    ['field', 'type', 'meaning'],
    fieldsOf(schema).map(({ path, schema: field, required }) => [
      code(path),
      `${typeOf(field)}${required ? '' : ' (optional)'}`,
      markdown(field.description ?? ''),
    ]),
  );

const bodyOf = (what: string, content: Content | undefined): Html =>
  joined(
    Object.entries(content ?? {}).map(([type, { schema = {}, example }]) => {
      const shown =
        example === undefined
          ? html``
          : html`<pre tabindex="0" aria-label="Example of ${what}">${JSON.stringify(example, null, 2)}</pre>`;
      return html`<p>${what}: ${code(type)}, ${typeOf(schema)}</p>${fieldTable(`Fields of ${what.toLowerCase()}`, schema)}${shown}`;
    }),
  );

const parametersOf = (parameters: readonly Parameter[] = []): Html =>
  table(
    'Parameters',
    ['name', 'in', 'type', 'meaning'],
    parameters.map(({ name, in: where, required = false, schema, description = '' }) => [
      code(name),
      `${where}${required ? '' : ', optional'}`,
      typeOf(schema),
      markdown(description),
    ]),
  );

const answersOf = (responses: Operation['responses'], shared: Document['components']['responses']): Html =>
  table(
    'Answers',
    ['status', 'meaning', 'headers'],
    Object.entries(responses).map(([status, answer]) => {
      const whole: Answer = answer.$ref === undefined ? answer : (shared[answer.$ref.split('/').at(-1) ?? ''] ?? {});
      return [
        status,
        markdown(whole.description ?? ''),
        joined(Object.keys(whole.headers ?? {}).map((name) => html`${code(name)} `)),
      ];
    }),
  );

const operationHtml = ({ components }: Document, method: string, path: string, operation: Operation): Html => {
  const { operationId, summary, description = '', parameters, requestBody, responses } = operation;
  const action = operation['x-action'];
  const succeeded = Object.entries(responses).filter(([status]) => status < '300');
  return html`<article id="${operationId}" aria-labelledby="${operationId}-h"><h3 id="${operationId}-h"><code>${method.toUpperCase()} ${path}</code></h3>
<p>${markdown(summary)}</p>${description === '' ? html`` : html`<p>${markdown(description)}</p>`}
<p>${action === 'open' ? 'Open to all.' : html`Needs a login that may ${code(action)}.`}</p>
${parametersOf(parameters)}${bodyOf('Body', requestBody?.content)}
${joined(succeeded.map(([status, { content }]) => bodyOf(`Answer ${status}`, content)))}${answersOf(responses, components.responses)}</article>
`;
};

type Listed = Readonly<{ method: string; path: string; operation: Operation }>;

const operationsOf = (document: Document): readonly Listed[] =>
  Object.entries(document.paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, operation]) => ({ method, path, operation })),
  );

const chapter = (document: Document, { name, description }: Document['tags'][number], listed: readonly Listed[]): Html => {
  const id = `chapter-${name.toLowerCase().replaceAll(/[^a-z]+/g, '-')}`;
  return html`<section aria-labelledby="${id}"><h2 id="${id}">${name}</h2><p>${markdown(description)}</p>
<nav aria-label="${name}"><ul>${joined(listed.map(({ method, path, operation }) => html`<li><a href="#${operation.operationId}">${method.toUpperCase()} ${path}</a></li>`))}</ul></nav>
${joined(listed.map(({ method, path, operation }) => operationHtml(document, method, path, operation)))}</section>
`;
};

/**
 * The whole description as one page: no script, nothing from elsewhere.
 * @param link where the page finds the same in OpenAPI
 */
export const referencePage = (document: Document, link: string): string => {
  const { info, tags } = document;
  const all = operationsOf(document);
  const chapters = tags
    .map((tag) => [tag, all.filter(({ operation }) => operation.tags.includes(tag.name))] as const)
    .filter(([, listed]) => listed.length > 0);
  const paragraphs = info.description.split('\n\n').map((text) => html`<p>${markdown(text)}</p>`);
  const errors = Object.entries(document.components.schemas).map(([name, schema]) => fieldTable(name, schema));
  const page = html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${info.title} ${info.version}: API</title><style>${{ trusted: STYLE }}</style></head>
<body><header><h1>${info.title} ${info.version}</h1></header><main>${joined(paragraphs)}
<p><a href="${link}">The same in OpenAPI</a></p>
${joined(chapters.map(([tag, listed]) => chapter(document, tag, listed)))}
<section aria-labelledby="errors"><h2 id="errors">Errors</h2>${joined(errors)}</section></main></body></html>
`;
  return page.trusted;
};
