import { expect } from 'chai';
import Fastify, { type FastifyInstance } from 'fastify';
import type { Outcome } from '../../src/commands/execute.ts';
import type { HttpDeps } from '../../src/http/deps.ts';
import { OCI_REFUSING } from '../../src/http/oci/errors.ts';
import { goneForReaders, seenOrWarned } from '../../src/http/ownWrites.ts';
import { refuseIn } from '../../src/http/refusal.ts';

const OUTCOME: Outcome = { facts: [], position: '00000000000000000042' };

describe('an answer that waits until readers see what was written', () => {
  let app: FastifyInstance;
  let caughtUp: boolean;
  let asked: string[];

  beforeEach(() => {
    asked = [];
    // These two want nothing else of everything that routes may touch.
    const deps = {
      reached: async (position: string) => {
        asked.push(position);
        return caughtUp;
      },
    } as unknown as HttpDeps;
    app = Fastify();
    refuseIn(app, OCI_REFUSING);
    app.put('/', async (_request, reply) => {
      await seenOrWarned(deps, OUTCOME, reply);
      return reply.code(201).send();
    });
    app.delete('/', async (_request, reply) => {
      await goneForReaders(deps, OUTCOME);
      return reply.code(202).send();
    });
  });
  afterEach(() => app.close());

  it('is given once the views have reached the outcome', async () => {
    caughtUp = true;
    const pushed = await app.inject({ method: 'PUT', url: '/' });
    expect([pushed.statusCode, pushed.headers.warning]).to.deep.equal([201, undefined]);
    expect((await app.inject({ method: 'DELETE', url: '/' })).statusCode).to.equal(202);
    expect(asked).to.deep.equal([OUTCOME.position, OUTCOME.position]);
  });

  it('says so of a push that listings do not show in time: it is stored', async () => {
    caughtUp = false;
    const { statusCode, headers } = await app.inject({ method: 'PUT', url: '/' });
    expect(statusCode).to.equal(201);
    expect(headers.warning).to.match(/^299 - "[^"]+"$/);
  });

  it('asks to repeat a delete that listings do not show in time', async () => {
    caughtUp = false;
    const answer = await app.inject({ method: 'DELETE', url: '/' });
    expect(answer.statusCode).to.equal(503);
    expect(answer.headers['retry-after']).to.equal('1');
    expect(answer.json().errors[0].code).to.equal('UNAVAILABLE');
  });
});
