import { connect } from 'node:net';
import { performance } from 'node:perf_hooks';
import { finishUpload, httpClient, pushManifest, sendChunk, startUpload } from '../test/support/http.ts';
import { type Blob, type Image, randomImage } from '../test/support/images.ts';
import type { Answer, Order, Task } from './clients.ts';
import { authorizationOf, bigBlob, type Client, pullBlob, pushBlob, requestHead } from './transfer.ts';

/** The process that plays the clients, so that they do not share a thread with what else the bench does. */

type Work<T> = (client: Client, piece: T) => Promise<void>;

const SECOND = 1000;
const rateOf = async (amount: number, work: () => Promise<unknown>): Promise<number> => {
  const start = performance.now();
  await work();
  return (amount / (performance.now() - start)) * SECOND;
};

/** Sends the same request again whenever its answer, which must have no body, has come. @returns answers */
const repeat = (head: string, url: URL, until: number): Promise<number> =>
  new Promise((resolve, reject) => {
    let answers = 0;
    let text = '';
    const socket = connect({ host: url.hostname, port: Number(url.port), noDelay: true }, () => socket.write(head));
    socket.setEncoding('latin1').on('error', reject);
    socket.on('data', (piece: string) => {
      text += piece;
      if (!text.endsWith('\r\n\r\n')) return;
      if (!text.startsWith('HTTP/1.1 200')) return reject(new Error(`${url} was answered with ${text.split('\r\n', 1)[0]}`));
      answers += 1;
      text = '';
      if (performance.now() < until) socket.write(head);
      else socket.end(() => resolve(answers));
    });
  });

const heads = async ({ url, headers, connections, ms }: Extract<Task, { kind: 'heads' }>): Promise<number> => {
  const target = new URL(url);
  const head = requestHead('HEAD', target, headers);
  const start = performance.now();
  const counts = await Promise.all(Array.from({ length: connections }, () => repeat(head, target, start + ms)));
  const answers = counts.reduce((sum, count) => sum + count, 0);
  return (answers / (performance.now() - start)) * SECOND;
};

/** Every client does its work one piece after the other, all clients at the same time. */
const together = async <T>(clients: readonly Client[], work: readonly T[], one: Work<T>): Promise<void> => {
  const each = work.length / clients.length;
  await Promise.all(
    clients.map(async (client, index) => {
      for (const piece of work.slice(index * each, (index + 1) * each)) await one(client, piece);
    }),
  );
};

const pull = ({ clients, times, digest, size }: Extract<Task, { kind: 'pull' }>): Promise<number> => {
  const work = Array<string>(clients.length * times).fill(digest);
  return rateOf(work.length * size, () => together(clients, work, (client) => pullBlob(client, digest, size)));
};

const push = ({ clients, times, mebibytes, seed }: Extract<Task, { kind: 'push' }>): Promise<number> => {
  const work = Array.from({ length: clients.length * times }, (_, index) => bigBlob(mebibytes, `${seed}-${index}`));
  const size = work.reduce((sum, blob) => sum + blob.size, 0);
  return rateOf(size, () => together(clients, work, pushBlob));
};

const LAYERS = 3;
const LAYER_BYTES = 340 * 1024;

/** As docker pushes: layers at the same time, each with POST, PATCH and PUT; then the manifest. */
const pushImage = async (client: Client, { tag, image }: Readonly<{ tag: string; image: Image }>): Promise<void> => {
  const { repository } = client;
  const http = httpClient(client.url, { connections: LAYERS, ...authorizationOf(client) });
  const pushOne = async ({ digest, bytes }: Blob): Promise<void> => {
    const location = await sendChunk(http, await startUpload(http, repository), bytes);
    await finishUpload(http, location, digest);
  };
  await Promise.all([...image.layers, image.config].map(pushOne));
  await pushManifest(http, repository, tag, image.manifest);
  http.close();
};

const images = ({ clients, times, seed }: Extract<Task, { kind: 'images' }>): Promise<number> => {
  const work = Array.from({ length: clients.length * times }, (_, index) => {
    const tag = `${seed}-${index}`;
    return { tag, image: randomImage(tag, { layers: LAYERS, size: LAYER_BYTES }) };
  });
  return rateOf(work.length, () => together(clients, work, pushImage));
};

const carryOut = (task: Task): Promise<number> => {
  switch (task.kind) {
    case 'heads':
      return heads(task);
    case 'pull':
      return pull(task);
    case 'push':
      return push(task);
    case 'images':
      return images(task);
  }
};

process.on('message', async ({ call, task }: Order) => {
  const answer: Answer = await carryOut(task).then(
    (rate) => ({ call, rate }),
    (error: unknown) => ({ call, rate: 0, fault: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
  );
  process.send?.(answer);
});
