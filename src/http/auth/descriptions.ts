import type { RouteDescription } from '../routeDescription.ts';

// What the routes of `/auth` say of themselves. They take forms and JSON, which their handlers read and check.

const tags = ['Login'] as const;
const TEXT = { type: 'string' } as const;
const SECONDS = { type: 'integer', minimum: 0, description: 'Seconds.' } as const;
const TIME = { type: 'string', format: 'date-time', example: '2030-12-31T23:59:59.000Z' } as const;

const closed = (properties: Readonly<Record<string, object>>, ...optional: readonly string[]): object => ({
  type: 'object',
  properties,
  required: Object.keys(properties).filter((name) => !optional.includes(name)),
  additionalProperties: false,
});
const form = (properties: object, ...required: readonly string[]): object => ({
  'application/x-www-form-urlencoded': { schema: { type: 'object', properties, required } },
});

const TOKEN = closed(
  {
    token: TEXT,
    access_token: { ...TEXT, description: 'The same.' },
    expires_in: SECONDS,
    issued_at: TIME,
    scope: { ...TEXT, description: 'What was granted of what was asked for.' },
    refresh_token: { ...TEXT, description: 'For those who ask for one.' },
  },
  'refresh_token',
);

const SESSION = closed({
  token: { ...TEXT, description: 'To be sent as `Authorization: Bearer`.' },
  expires_at: TIME,
  user: closed({
    id: { type: 'integer', minimum: 1 },
    username: TEXT,
    email: { type: ['string', 'null'] },
    role: { enum: ['admin', 'user', 'auditor', 'robot'] },
  }),
});

const LOGIN = {
  type: 'object',
  properties: { username: { ...TEXT, example: 'user' }, password: { ...TEXT, example: 'pass' } },
  required: ['username', 'password'],
} as const;

const FORM = form(
  {
    grant_type: { enum: ['password', 'refresh_token'] },
    username: TEXT,
    password: TEXT,
    refresh_token: TEXT,
    scope: { ...TEXT, description: '`repository:<name>:<actions>`.' },
    access_type: { enum: ['offline', 'online'] },
  },
  'grant_type',
);

export const GET_TOKEN: RouteDescription = {
  summary: 'Gives docker’s clients a token for what they are about to do.',
  description: 'With Basic credentials, or without for what is public.',
  operationId: 'getToken',
  tags,
  querystring: {
    type: 'object',
    properties: {
      service: TEXT,
      scope: { type: 'array', items: TEXT, description: '`repository:<name>:<actions>`, as often as is needed.' },
      offline_token: { ...TEXT, description: '`true`: with a token that later ones are made from.' },
    },
  },
  response: { 200: TOKEN },
};

export const LOG_IN: RouteDescription = {
  summary: 'Logs in with a password: JSON for a session, a form for a token of docker’s.',
  operationId: 'login',
  tags,
  body: { content: { 'application/json': { schema: LOGIN }, ...FORM } },
  response: { 200: { anyOf: [SESSION, TOKEN] } },
};

export const LOG_IN_ALIAS: RouteDescription = { ...LOG_IN, summary: 'The same as `POST /auth`.', operationId: 'loginAlias' };

export const LOG_OUT: RouteDescription = {
  summary: 'Ends the session whose token is sent, and what was issued in it.',
  operationId: 'logout',
  tags,
  response: { 200: closed({ message: { ...TEXT, example: 'Successfully logged out' } }) },
};

export const EXCHANGE: RouteDescription = {
  summary: 'Gives a CI job a token for the ID token of its provider (RFC 8693).',
  operationId: 'exchangeToken',
  tags,
  body: {
    content: form(
      {
        grant_type: { enum: ['urn:ietf:params:oauth:grant-type:token-exchange'] },
        subject_token: TEXT,
        subject_token_type: {
          enum: ['urn:ietf:params:oauth:token-type:id_token', 'urn:ietf:params:oauth:token-type:jwt'],
        },
        scope: TEXT,
      },
      'grant_type',
      'subject_token',
      'subject_token_type',
    ),
  },
  response: {
    200: closed({
      access_token: TEXT,
      token: { ...TEXT, description: 'The same.' },
      issued_token_type: TEXT,
      token_type: { enum: ['Bearer'] },
      expires_in: SECONDS,
      issued_at: TIME,
      scope: TEXT,
    }),
  },
};

const PROVIDER = {
  type: 'object',
  properties: { provider: { type: 'string', description: 'As it is called in the configuration.', example: 'google' } },
} as const;

export const BEGIN_LOGIN: RouteDescription = {
  summary: 'Sends a person to an identity provider.',
  operationId: 'beginLogin',
  tags,
  params: PROVIDER,
  querystring: { type: 'object', properties: { return: { ...TEXT, description: 'A path of this registry to come back to.' } } },
  response: { 302: { type: 'null', description: 'To the provider.', headers: { Location: TEXT } } },
};

export const FINISH_LOGIN: RouteDescription = {
  summary: 'Where an identity provider sends a person back to.',
  operationId: 'finishLogin',
  tags,
  params: PROVIDER,
  response: { 200: { description: 'A page that goes on.', content: { 'text/html': { schema: TEXT } } } },
};
