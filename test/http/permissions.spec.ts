import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { expect } from 'chai';
import type { Role } from '../../src/events/users.ts';
import { registryFor, type TestApp } from '../support/app.ts';
import { type HttpClient, pushBlob, pushImage, startUpload } from '../support/http.ts';
import { type Blob, digestOf, noise, randomImage } from '../support/images.ts';
import { waitUntil } from '../support/processes.ts';
import { exchange, jsonOf } from './exchanges.ts';

const IMAGE = randomImage('permissions', { layers: 1 });
const { manifest, config } = IMAGE;
const blobOf = (text: string): Blob => ({ digest: digestOf(text), bytes: Buffer.from(text), mediaType: '' });
const LOOSE = blobOf('loose');

/** Everything that can be done in a repository, with what it answers to those who may. The last ones take things away. */
const ACTIONS = {
  pull: [
    ['GET', '/tags/list', 200],
    ['GET', '/manifests/latest', 200],
    ['HEAD', '/manifests/latest', 200],
    ['GET', `/manifests/${manifest.digest}`, 200],
    ['GET', `/blobs/${config.digest}`, 200],
    ['HEAD', `/blobs/${config.digest}`, 200],
  ],
  push: [
    ['POST', '/blobs/uploads/', 202],
    ['POST', `/blobs/uploads/?digest=${LOOSE.digest}`, 201, LOOSE.bytes],
    ['POST', `/blobs/uploads/?mount=${config.digest}&from=base/image`, 201],
    ['GET', '/blobs/uploads/none', 404],
    ['PATCH', '/blobs/uploads/none', 404, Buffer.from('x')],
    ['PUT', `/blobs/uploads/none?digest=${LOOSE.digest}`, 404, LOOSE.bytes],
    ['DELETE', '/blobs/uploads/none', 404],
    ['PUT', '/manifests/pushed', 201, manifest.bytes],
    ['PUT', `/manifests/${manifest.digest}`, 201, manifest.bytes],
  ],
  delete: [
    ['DELETE', '/manifests/latest', 202],
    ['DELETE', `/blobs/${LOOSE.digest}`, 202],
    ['DELETE', `/manifests/${manifest.digest}`, 202],
  ],
} as const satisfies Record<string, readonly (readonly [method: string, suffix: string, status: number, body?: Buffer])[]>;

type Action = keyof typeof ACTIONS;
type Where = 'own' | 'foreign' | 'top-level';
const PLACES: readonly Where[] = ['own', 'foreign', 'top-level'];

const NOTHING: readonly Action[] = [];
const EVERYTHING: readonly Action[] = ['pull', 'push', 'delete'];

/** Who may do what in `<username>/…`, in somebody else's namespace, and in none. */
const TABLE: Readonly<Record<Role, Readonly<Record<Where, readonly Action[]>>>> = {
  admin: { own: EVERYTHING, foreign: EVERYTHING, 'top-level': EVERYTHING },
  user: { own: EVERYTHING, foreign: NOTHING, 'top-level': NOTHING },
  robot: { own: EVERYTHING, foreign: NOTHING, 'top-level': NOTHING },
  auditor: { own: ['pull'], foreign: ['pull'], 'top-level': ['pull'] },
};

describe('permissions', () => {
  const registry = registryFor();
  const nameOf = (who: string, where: Where): string =>
    ({ own: `${who}/image`, foreign: `not${who}/image`, 'top-level': `${who}image` })[where];

  /** Pushes the image so that there is something to pull and delete. */
  const prepare = async ({ admin }: TestApp, repository: string): Promise<void> => {
    await pushImage(admin, 'base/image', 'latest', IMAGE);
    await pushImage(admin, repository, 'latest', IMAGE);
    await pushBlob(admin, repository, LOOSE);
  };

  const sendAll = async (client: HttpClient, repository: string, action: Action, refusal: number | undefined): Promise<void> => {
    for (const [method, suffix, status, body] of ACTIONS[action]) {
      const mounts = suffix.includes('mount=') && status === 201;
      const sending = body === undefined ? {} : { body, headers: { 'content-type': manifest.mediaType } };
      const answer = await client.send(method, `/v2/${repository}${suffix}`, sending);
      const what = `${method} ${repository}${suffix}: ${answer.body}`;
      // Who may push but not read the source gets an ordinary upload instead of a mount.
      if (refusal === undefined && mounts) expect(answer.status, what).to.be.oneOf([201, 202]);
      else expect(answer.status, what).to.equal(refusal ?? status);
    }
  };

  for (const [role, places] of Object.entries(TABLE) as [Role, (typeof TABLE)[Role]][]) {
    describe(`of the role ${role}`, () => {
      let client: HttpClient;
      before(async () => {
        client = await registry().register(role === 'admin' ? 'second-admin' : role, role);
      });

      for (const where of PLACES) {
        for (const action of EVERYTHING) {
          const allowed = places[where].includes(action);
          it(`${allowed ? 'allow' : 'refuse'} to ${action} in ${where === 'top-level' ? 'a top-level repository' : `the ${where} namespace`}`, async () => {
            const repository = nameOf(role === 'admin' ? 'second-admin' : role, where);
            await prepare(registry(), repository);
            const before = await registry().head();
            await sendAll(client, repository, action, allowed ? undefined : 403);
            if (!allowed) expect(await registry().head(), 'nothing was recorded').to.equal(before);
          });
        }
      }

      it('do not tell whether what may not be read exists', async () => {
        await prepare(registry(), 'secret/image');
        const [there, absent] = await Promise.all(
          ['secret/image', 'secret/absent'].map((name) => client.send('GET', `/v2/${name}/manifests/latest`)),
        );
        if (places.foreign.includes('pull')) expect(there?.status).to.equal(200);
        else {
          expect(there?.status).to.equal(403);
          expect(absent?.status).to.equal(403);
          expect(there?.body.toString().replaceAll('image', 'absent')).to.equal(absent?.body.toString());
        }
      });
    });
  }

  it('of nobody refuse everything with a challenge, and nothing is recorded', async () => {
    await prepare(registry(), 'ann/image');
    const before = await registry().head();
    for (const action of EVERYTHING) await sendAll(registry().anonymous, 'ann/image', action, 401);
    await exchange(registry().anonymous, ['GET', '/v2/_catalog'], { status: 401 });
    expect(await registry().head()).to.equal(before);
  });

  it('of a username that another begins with end at its own slash', async () => {
    const ann = await registry().register('ann');
    await registry().register('annabel');
    for (const name of ['annabel/image', 'ann', 'ann-b/image', 'ann.b', 'x/ann/image'])
      await exchange(ann, ['POST', `/v2/${name}/blobs/uploads/`], { status: 403, code: 'DENIED' });
    for (const name of ['ann/image', 'ann/a/b/c']) await exchange(ann, ['POST', `/v2/${name}/blobs/uploads/`], { status: 202 });
  });

  describe('of a token', () => {
    const scoped = (scope: string): Promise<HttpClient> => registry().withToken('tok', scope);

    before(async () => {
      await registry().register('tok');
      await prepare(registry(), 'tok/image');
    });

    it('are what it was asked for and no more: the client is told to ask for the rest', async () => {
      const puller = await scoped('repository:tok/image:pull');
      await sendAll(puller, 'tok/image', 'pull', undefined);
      await sendAll(puller, 'tok/image', 'push', 401);
      await sendAll(puller, 'tok/image', 'delete', 401);
      await sendAll(puller, 'tok/other', 'pull', 401);
      await exchange(puller, ['GET', '/v2/_catalog'], { status: 401, code: 'UNAUTHORIZED' });
      const pusher = await scoped('repository:tok/image:push');
      await sendAll(pusher, 'tok/image', 'pull', 401);
      await sendAll(pusher, 'tok/image', 'push', undefined);
    });

    it('are never more than its user’s: then asking for more is no use, and it is denied', async () => {
      const greedy = await scoped('repository:base/image:pull,push,delete');
      for (const action of EVERYTHING) await sendAll(greedy, 'base/image', action, 403);
    });

    it('for everything in a repository cover pull, push and delete', async () => {
      const all = await scoped('repository:tok/image:*');
      for (const action of EVERYTHING) await sendAll(all, 'tok/image', action, undefined);
    });

    it('for the catalog list it', async () => {
      const lister = await scoped('registry:catalog:*');
      const { repositories } = jsonOf(await exchange(lister, ['GET', '/v2/_catalog'], { status: 200 }));
      for (const name of repositories as readonly string[]) expect(name).to.match(/^tok\//);
    });
  });

  it('are looked at when a request begins: a running upload ends well, and the next request is refused', async () => {
    const { dataDir, changePassword } = registry();
    const client = await registry().register('long');
    const location = await startUpload(client, 'long/push');
    const body = new PassThrough();
    body.write(noise(3_000_000, 'long'));
    const running = client.send('PATCH', location, { body });
    const folder = join(dataDir, 'uploads', location.slice(location.lastIndexOf('/') + 1));
    await waitUntil('the upload is being written', () => readdirSync(folder).length > 1);

    await changePassword('long', 'another password');
    await exchange(client, ['GET', location], { status: 401, code: 'UNAUTHORIZED' });
    body.end('the end');
    expect((await running).status).to.equal(202);
  });
});
