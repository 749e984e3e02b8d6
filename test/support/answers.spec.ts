import { Readable } from 'node:stream';
import { expect } from 'chai';
import Fastify, { type FastifyReply } from 'fastify';
import { RegistryError } from '../../src/errors.ts';
import { MANAGEMENT_REFUSING } from '../../src/http/managementErrors.ts';
import { describeRoutes } from '../../src/http/openapi.ts';
import { refuseIn } from '../../src/http/refusal.ts';
import { resource } from '../../src/http/resource.ts';
import { answer, NOTHING, TEXT } from '../../src/http/schemas.ts';
import { checkAnswers, promisedBy } from './answers.ts';

type Answering = (reply: FastifyReply) => unknown;

/** What is found of an answer to a route that promises `{ name }` with 200 and no body with 204. */
const breachesOf = async (answering: Answering): Promise<readonly string[]> => {
  const app = Fastify();
  await describeRoutes(app, '1.0.0');
  refuseIn(app, MANAGEMENT_REFUSING);
  resource(app, '/api/v1/things', {
    GET: {
      action: 'open',
      handler: async (_request, reply) => answering(reply),
      says: { summary: 'Shows it.', tags: ['System'], response: { 200: answer({ name: TEXT }), 204: NOTHING } },
    },
  });
  const { breaches } = checkAnswers(app as never, promisedBy);
  await app.inject('/api/v1/things');
  await app.close();
  return [...breaches];
};

const streamed =
  (text: string): Answering =>
  (reply) =>
    reply.type('application/json').send(Readable.from([text]));
const refusing =
  (code: 'NOT_ACCEPTABLE' | 'UNAUTHENTICATED' | 'REQUEST_INVALID'): Answering =>
  () => {
    throw new RegistryError(code, 'So it is.');
  };

describe('the check of answers', () => {
  const sound: readonly (readonly [string, Answering])[] = [
    ['what is described', () => ({ name: 'one' })],
    ['the same as a stream', streamed('{"name":"one"}')],
    ['nothing, where that is described', (reply) => reply.code(204).send()],
    ['a refusal that every path may answer', refusing('REQUEST_INVALID')],
  ];
  for (const [what, answering] of sound)
    it(`finds nothing in ${what}`, async () => expect(await breachesOf(answering)).to.deep.equal([]));

  const wrong: readonly (readonly [string, Answering, string])[] = [
    ['a field that is missing', () => ({}), "200:  must have required property 'name'"],
    ['one that is not described', () => ({ name: 'one', other: 1 }), 'must NOT have additional properties'],
    ['one of another type', () => ({ name: 1 }), '200: /name must be string'],
    ['the same in a stream', streamed('{"name":1}'), '200: /name must be string'],
    ['a stream that is no JSON', streamed('{"name":'), '200:  must be object'],
    ['a status that is not described', (reply) => reply.code(201).send({ name: 'one' }), 'the status 201 is not described'],
    ['a refusal that this path has not', refusing('NOT_ACCEPTABLE'), 'the status 406 is not described'],
    ['a login that is asked for where all is open', refusing('UNAUTHENTICATED'), 'the status 401 is not described'],
    ['an error in other words', (reply) => reply.code(400).send({ error: 'no' }), '400: /error must be object'],
    ['another type', (reply) => reply.type('text/plain').send('one'), 'a body of type text/plain'],
  ];
  for (const [what, answering, found] of wrong)
    it(`finds ${what}`, async () => {
      const breaches = await breachesOf(answering);
      expect(breaches, breaches.join('\n')).to.have.lengthOf(1);
      expect(breaches[0]).to.contain('GET /api/v1/things').and.contain(found);
    });
});
