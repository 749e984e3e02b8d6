import type { Answer, Exchange } from './row.ts';

const LONGEST_SHOWN = 400;
const SHOWN_HEADERS = [
  'location',
  'range',
  'content-range',
  'content-type',
  'content-length',
  'docker-content-digest',
  'link',
  'allow',
];

/** An answer, for people. */
export const shownAnswer = ({ status, headers, body }: Answer): string => {
  const some = SHOWN_HEADERS.filter((name) => headers[name] !== undefined).map((name) => `${name}: ${headers[name]}`);
  const text = /json|text/.test(headers['content-type'] ?? '') ? ` ${body.toString('utf8', 0, LONGEST_SHOWN)}` : '';
  return `${[status, ...some].join('; ')}${text}`;
};

/** What goes along with a request, for people: never credentials. */
export const shownSending = ({ headers = {}, body, chunked, by }: Exchange['sending']): string => {
  const said = [
    ...Object.entries(headers).map(([name, value]) => `${name}: ${name === 'authorization' ? '…' : value}`),
    ...(body === undefined ? [] : [`${Buffer.byteLength(body)} bytes${chunked ? ' in chunks' : ''}`]),
    ...(by === undefined ? [] : [`by ${by}`]),
  ];
  return said.length === 0 ? '' : ` (${said.join('; ')})`;
};
