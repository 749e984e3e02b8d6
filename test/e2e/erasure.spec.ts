import { expect } from 'chai';
import { MongoClient } from 'mongodb';
import { basic, expectStatus, type HttpClient } from '../support/http.ts';
import { accessTokenOf } from '../support/identities.ts';
import { mongoForTests } from '../support/mongo/mongoForTests.ts';
import { nodesFor } from '../support/nodes.ts';
import { waitUntil } from '../support/processes.ts';
import { requires } from '../support/reporter.ts';

const mongo = await mongoForTests();

const USERS = '/api/v1/users';
const NAME = 'rosalind-franklin';
const GOOD = 'blue cars sing loudly';

describe('A person who is erased through one of two nodes', function () {
  requires(this, mongo.missing === undefined, mongo.missing ?? '');
  this.timeout(60_000);
  const nodes = nodesFor(2);
  const send = (place: number, method: string, path: string, body?: object) =>
    nodes()
      .admin(place)
      .send(method, path, body && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } });
  const statusOf = async (client: HttpClient): Promise<number> => (await client.send('GET', '/v2/')).status;

  /** Collections of any database of the registry, whatever they are for, which say something of the person. */
  const tracesIn = async (): Promise<readonly string[]> => {
    const client = new MongoClient(String(nodes().env.GHOSTDOCK_VIEWS));
    const found: string[] = [];
    try {
      const ours = nodes().db().databaseName;
      for (const name of [ours, `${ours}-secrets`])
        for (const { collectionName } of await client.db(name).collections())
          for await (const document of client.db(name).collection(collectionName).find())
            if (JSON.stringify(document).includes(NAME)) found.push(`${name}.${collectionName}`);
      return found;
    } finally {
      await client.close();
    }
  };

  it('is gone from the other at once, and from all that is stored, and stays so after a restart', async () => {
    const made = expectStatus(
      'create',
      await send(0, 'POST', USERS, { username: NAME, email: `${NAME}@example.com`, password: GOOD }),
      201,
    );
    const { id } = JSON.parse(made.body.toString());
    const [here, there] = [0, 1].map((place) => nodes().admin(place).as(basic(NAME, GOOD))) as [HttpClient, HttpClient];
    const { value } = await accessTokenOf(here, { permissions: ['pull'] });
    const byToken = nodes().admin(1).as(`Bearer ${value}`);
    for (const client of [here, there, byToken]) expect(await statusOf(client)).to.equal(200);
    expect(await tracesIn()).not.to.deep.equal([]);

    expectStatus('erase', await send(0, 'DELETE', `${USERS}/${id}/personal-data`), 204);

    for (const client of [there, here, byToken]) expect(await statusOf(client)).to.equal(401);
    expect((await send(1, 'GET', `${USERS}/${id}`)).status).to.equal(404);
    expect((await send(1, 'GET', `${USERS}?limit=100`)).body.toString()).not.to.contain(NAME);
    expect((await send(1, 'POST', USERS, { username: NAME, password: GOOD })).status).to.equal(409);
    // Documents that were deleted leave their keys behind for an hour, and those are no names.
    await waitUntil('nothing tells of the person', async () => (await tracesIn()).length === 0);

    await nodes().node(1).stop();
    await nodes().restart(1);
    expect((await send(1, 'POST', USERS, { username: NAME, password: GOOD })).status).to.equal(409);
    expect(await tracesIn()).to.deep.equal([]);
  });
});
