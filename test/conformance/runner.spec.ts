import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import { gets, type Row, refused, row, type StepsInside, send } from './row.ts';
import { type Outcome, runRow } from './runner.ts';
import { wireTo } from './wire.ts';

/** Runs steps against a server that answers so. */
const outcomeOf = async (answer: RequestListener, steps: StepsInside, needs?: Row['needs']): Promise<Outcome> => {
  const server: Server = createServer((request, response) => {
    request.resume().once('end', () => answer(request, response));
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const wire = wireTo(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  try {
    return await runRow(
      { wire, challenge: { kind: 'none' }, prefix: 'p' },
      row('official suite: a row', '1.1', 'for its runner', steps, needs),
    );
  } finally {
    wire.close();
    server.close();
  }
};

const answering =
  (status: number, headers: Readonly<Record<string, string>> = {}, body = ''): RequestListener =>
  (_request, response) => {
    response.writeHead(status, headers).end(body);
  };

const JSON_TYPE = { 'content-type': 'application/json' };
const problemsOf = (outcome: Outcome): readonly string[] => (outcome.is === 'failed' ? outcome.problems : [outcome.is]);

describe('a row of the conformance suite', () => {
  const PATH = 'GET /v2/{repo}/tags/list';

  it('passes where every answer is as expected', async () => {
    const steps = [send(PATH, gets(200, { 'x-told': /^y/, 'x-none': null }, { body: Buffer.from('abc') }))];
    expect(await outcomeOf(answering(200, { 'x-told': 'yes' }, 'abc'), steps)).to.deep.equal({ is: 'passed' });
  });

  const FAILING: readonly (readonly [what: string, answer: RequestListener, step: StepsInside[number], problem: RegExp])[] = [
    ['another status', answering(201), send(PATH, gets(200)), /status is 201/],
    ['a header that is not there', answering(200), send(PATH, gets(200, { etag: 'x' })), /etag is absent/],
    ['a header that says something else', answering(200, { etag: 'y' }), send(PATH, gets(200, { etag: 'x' })), /etag is y/],
    [
      'a header that should not be there',
      answering(200, { etag: 'y' }),
      send(PATH, gets(200, { etag: null })),
      /should be absent/,
    ],
    ['other bytes', answering(200, {}, 'abd'), send(PATH, gets(200, {}, { body: Buffer.from('abc') })), /not what was pushed/],
    [
      'another code',
      answering(404, JSON_TYPE, '{"errors":[{"code":"NAME_UNKNOWN"}]}'),
      send(PATH, refused(404, 'BLOB_UNKNOWN')),
      /NAME_UNKNOWN/,
    ],
    [
      'a code of its own',
      answering(404, JSON_TYPE, '{"errors":[{"code":"OOPS"}]}'),
      send(PATH, gets(404)),
      /no code of the spec/,
    ],
    ['a refusal of another shape', answering(404, JSON_TYPE, '{"error":"x"}'), send(PATH, gets(404)), /"errors"/],
    [
      'JSON that does not pass',
      answering(200, JSON_TYPE, '{"n":1}'),
      send(PATH, gets(200, {}, { json: ({ n }) => n !== 2 && 'n is wrong' })),
      /n is wrong/,
    ],
    ['no JSON', answering(200, JSON_TYPE, 'x'), send(PATH, gets(200, {}, { json: () => undefined })), /JSON of the body/],
    ['405 without Allow', answering(405), send(PATH, gets(405)), /405 carries Allow/],
    ['429 without Retry-After', answering(429), send(PATH, gets(429)), /429 carries Retry-After/],
    ['a Warning of another form', answering(200, { warning: 'careful' }), send(PATH, gets(200)), /a Warning is 299/],
    [
      'a list that is another one',
      answering(200, JSON_TYPE, '{"tags":["a"]}'),
      { walk: '/v2/{repo}/tags/list', field: 'tags', finds: ['a', 'b'], page: 2 },
      /another one/,
    ],
  ];
  for (const [what, answer, step, problem] of FAILING) {
    it(`fails for ${what}`, async () => {
      expect(problemsOf(await outcomeOf(answer, [step])).join('\n')).to.match(problem);
    });
  }

  it('fails where a connection breaks off', async () => {
    const outcome = await outcomeOf((request) => request.socket.destroy(), [send(PATH, gets(200))]);
    expect(outcome)
      .to.include({ is: 'failed' })
      .and.to.have.property('got')
      .that.matches(/^no answer/);
  });

  it('fails where a step needs what no answer has given', async () => {
    const outcome = await outcomeOf(answering(202), [send(PATH, gets(202)), send('GET {location}', gets(200))]);
    expect(outcome).to.have.property('got').that.contains('{location}');
  });

  it('is not applicable where the registry says that it lacks something optional', async () => {
    const steps = [send(PATH, gets(202), {}, { unless: { 405: 'it does not do that' } })];
    expect(await outcomeOf(answering(405), steps)).to.deep.equal({ is: 'notApplicable', why: 'it does not do that' });
  });

  it('is not applicable where it needs a login that nobody asks for', async () => {
    expect(await outcomeOf(answering(200), [], 'tokens')).to.include({ is: 'notApplicable' });
  });

  it('uses the latest Location, with whatever it carries', async () => {
    const asked: string[] = [];
    const answer: RequestListener = ({ url = '' }, response) => {
      asked.push(url);
      response.writeHead(200, { location: '/next?state=1' }).end();
    };
    await outcomeOf(answer, [send(PATH, gets(200)), send('GET {location}', gets(200), { query: { digest: 'd' } })]);
    expect(asked.at(-1)).to.equal('/next?state=1&digest=d');
  });
});
