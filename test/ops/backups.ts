import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { expectStatus, type HttpClient, pushImage } from '../support/http.ts';
import { type Image, randomImage } from '../support/images.ts';
import { attempt, type Environment, type Ran } from '../support/processes.ts';

const SCRIPTS = fileURLToPath(new URL('../../ops/backup/', import.meta.url));

export type Script = 'backup.sh' | 'backup-keys.sh' | 'verify.sh' | 'restore.sh';

/** Runs one of the scripts as an operator does. */
export const script = (name: Script, args: readonly string[], env: Environment = {}): Promise<Ran> =>
  attempt('bash', [`${SCRIPTS}${name}`, ...args], { env });

/** A script that must succeed. @returns the last line, which names what it made */
export const made = async (name: Script, args: readonly string[], env?: Environment): Promise<string> => {
  const { code, stdout, stderr } = await script(name, args, env);
  expect(code, `${name} ${args.join(' ')}\n${stdout}${stderr}`).to.equal(0);
  return stdout.trim().split('\n').at(-1) ?? '';
};

/** A script that must refuse, in a sentence. @returns what it said */
export const refusal = async (name: Script, args: readonly string[], code: number): Promise<string> => {
  const ran = await script(name, args);
  const said = ran.stdout + ran.stderr;
  expect(ran.code, said).to.equal(code);
  expect(said, 'a sentence, not a stack').to.not.match(/\n\s+at /);
  return said;
};

export type Pushed = Readonly<{ repository: string; tag: string; image: Image }>;

/** Pushes one small image after another until `stop`, which gives all that were acknowledged. */
export const pushing = (client: HttpClient, name: string) => {
  const acknowledged: Pushed[] = [];
  let stopped = false;
  const push = async (): Promise<void> => {
    for (let number = 0; !stopped; number += 1) {
      const image = randomImage(`${name}-${number}`, { layers: 2, size: 2000 });
      const repository = `${name}/image${number % 7}`;
      await pushImage(client, repository, `v${number}`, image);
      acknowledged.push({ repository, tag: `v${number}`, image });
    }
  };
  const done = push();
  done.catch(() => undefined); // told by `stop`
  return {
    acknowledged: (): readonly Pushed[] => [...acknowledged],
    stop: async (): Promise<readonly Pushed[]> => {
      stopped = true;
      await done;
      return acknowledged;
    },
  };
};

/** Pulls an image and compares every byte. */
export const expectPulled = async (client: HttpClient, { repository, tag, image }: Pushed): Promise<void> => {
  const manifest = expectStatus(`${repository}:${tag}`, await client.send('GET', `/v2/${repository}/manifests/${tag}`), 200);
  expect(manifest.body.equals(image.manifest.bytes), `manifest of ${repository}:${tag}`).to.equal(true);
  for (const { digest, bytes } of [image.config, ...image.layers]) {
    const blob = expectStatus(digest, await client.send('GET', `/v2/${repository}/blobs/${digest}`), 200);
    expect(blob.body.equals(bytes), `${digest} of ${repository}:${tag}`).to.equal(true);
  }
};
