import { expect } from 'chai';
import {
  type Answer,
  basic,
  bearer,
  expectStatus,
  finishUpload,
  type HttpClient,
  pushBlob,
  pushImage,
  startUpload,
  tagsOf,
} from '../support/http.ts';
import { digestOf, type Image, noise, randomImage } from '../support/images.ts';
import { comeBack, goAway, MANNERS, type Manner } from '../support/outages.ts';
import { waitUntil } from '../support/processes.ts';
import { ADMIN, PASSWORD, refusedStart } from '../support/registryProcess.ts';
import { type Health, healthOf, healthyAgain, registryOnServers } from './onServers.ts';
import { patient, watched, watching } from './patient.ts';

const REPOSITORY = 'away/app';
const MANIFESTS = `/v2/${REPOSITORY}/manifests`;
const OCTETS = { 'content-type': 'application/octet-stream' };
/** A line of a stack. */
const STACK = /^\s+at .*:\d+/m;

type Sender = Pick<HttpClient, 'send'>;

const put = ({ send }: Sender, { manifest }: Image): Promise<Answer> =>
  send('PUT', `${MANIFESTS}/latest`, { body: manifest.bytes, headers: { 'content-type': manifest.mediaType } });

/** Every way to read what an image is made of. */
const reads = ({ manifest, config, layers }: Image): readonly string[] => [
  `${MANIFESTS}/latest`,
  `${MANIFESTS}/${manifest.digest}`,
  ...[config, ...layers].map(({ digest }) => `/v2/${REPOSITORY}/blobs/${digest}`),
];

/** Pulls a whole image, by its tag and by its digests, and lists it. */
const pull = async (client: HttpClient, image: Image): Promise<void> => {
  expect(await tagsOf(client, REPOSITORY)).to.deep.equal(['latest']);
  for (const path of reads(image)) {
    const { headers, body } = expectStatus(path, await client.send('GET', path), 200);
    expect(headers['docker-content-digest'], path).to.equal(digestOf(body));
  }
};

describe('A registry without one of its servers', function () {
  this.timeout(120_000);
  const { servers, registry, start, admin } = registryOnServers(this);

  type Which = 'log' | 'views';

  /** Does something while a server is away, and waits until all is well again. */
  const without = async (which: Which, manner: Manner, work: () => Promise<void>): Promise<void> => {
    await goAway(servers()[which], manner);
    try {
      await work();
    } finally {
      await comeBack(servers()[which], manner);
    }
    await healthyAgain(admin());
  };

  const unhealthy = async (client: HttpClient): Promise<Health> => {
    const health = await waitUntil('its health says so', async () => {
      const now = await healthOf(client);
      return now.status === 'unhealthy' && now;
    });
    expect(health).to.include({ code: 503, database: 'unhealthy' });
    for (const path of ['/health/live', '/healthz']) expectStatus('live', await client.send('GET', path), 200);
    for (const path of ['/readyz', '/api/v1/health']) expectStatus(path, await client.as(undefined).send('GET', path), 503);
    return health;
  };

  for (const manner of MANNERS) {
    const before = randomImage(`before, ${manner}`, { layers: 1 });
    const next = randomImage(`next, ${manner}`, { layers: 1 });
    const blob = noise(1000, manner);

    /** One image is there, and the blobs of the next. */
    const given = async (client: HttpClient): Promise<void> => {
      await pushImage(client, REPOSITORY, 'latest', before);
      await Promise.all([next.config, ...next.layers].map((one) => pushBlob(client, REPOSITORY, one)));
    };

    it(`serves pulls while its log is ${manner}, and refuses pushes, which get through when they are repeated`, async () => {
      const client = admin();
      const seen = watching();
      await given(client);
      const upload = await startUpload(client, REPOSITORY);
      const token = await bearer(client, basic(ADMIN, PASSWORD), `repository:${REPOSITORY}:pull,push,delete`);

      await without('log', manner, async () => {
        expect((await unhealthy(client)).problems).to.include('The event log does not answer.');
        await pull(client, before);
        await pull(client.as(token), before);
        await bearer(client, basic(ADMIN, PASSWORD), `repository:${REPOSITORY}:pull`);
        const user = { send: watched(client.as(token), seen) };
        const refused = await Promise.all([
          put(user, next),
          user.send('DELETE', `${MANIFESTS}/latest`),
          user.send('PUT', `${upload}?digest=${digestOf(blob)}`, { body: blob, headers: OCTETS }),
        ]);
        expect(refused.map(({ status }) => status)).to.deep.equal([503, 503, 503]);
      });

      expect(seen.wrong()).to.deep.equal([]);
      const again = patient(client, seen);
      expectStatus('push', await put(again, next), 201);
      await finishUpload(again, upload, digestOf(blob), { body: blob });
      await pull(client, next);
    });

    it(`refuses pulls and pushes while the store of its views is ${manner}, which get through when they are repeated`, async () => {
      const client = admin();
      const seen = watching();
      await given(client);

      await without('views', manner, async () => {
        expect((await unhealthy(client)).problems).to.include('The store of the views does not answer.');
        const user = { send: watched(client, seen) };
        const refused = await Promise.all([
          ...[`/v2/${REPOSITORY}/tags/list`, '/v2/_catalog', `/auth?scope=repository:${REPOSITORY}:pull`].map((path) =>
            user.send('GET', path),
          ),
          ...reads(before).map((path) => user.send('GET', path)),
          put(user, next),
          user.send('POST', `/v2/${REPOSITORY}/blobs/uploads/`),
          user.send('DELETE', `${MANIFESTS}/latest`),
        ]);
        expect(refused.map(({ status }) => status)).to.deep.equal(refused.map(() => 503));
      });

      expect(seen.wrong()).to.deep.equal([]);
      await pull(patient(client, seen), before);
      expectStatus('push', await put(patient(client, seen), next), 201);
      await pull(client, next);
    });
  }

  for (const which of ['log', 'views'] as const) {
    it(`ends in order without its ${which}, and a start says in a sentence that it cannot be had`, async () => {
      await servers()[which].kill();
      try {
        expect((await registry().stop()).code).to.equal(0);
        const { exit, output } = await refusedStart(start());
        expect(exit.code, output).to.equal(69);
        expect(output).to.match(/^The registry cannot start: .+\.$/m);
        expect(output).not.to.match(STACK);
      } finally {
        await servers()[which].restart();
      }
      await start();
      await healthyAgain(admin());
    });
  }
});
