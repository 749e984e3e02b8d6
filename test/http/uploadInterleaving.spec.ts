import { once } from 'node:events';
import { request } from 'node:http';
import type { Readable } from 'node:stream';
import fc from 'fast-check';
import type { PlacedBlob, Upload, Uploads } from '../../src/blobs/blobs.ts';
import { type ErrorCode, RegistryError } from '../../src/errors.ts';
import type { Digest } from '../../src/oci/digest.ts';
import { interleavedProperty } from '../blobs/interleavedProperty.ts';
import { registryFor, type TestApp } from '../support/app.ts';
import { type Answer, basic, expectStatus, startUpload } from '../support/http.ts';
import { waitUntil } from '../support/processes.ts';
import { ADMIN, PASSWORD } from '../support/registryProcess.ts';
import { jsonOf } from './exchanges.ts';

const REPOSITORY = 'interleaved/app';

const CODES: Readonly<Record<string, ErrorCode>> = {
  BLOB_UPLOAD_UNKNOWN: 'UPLOAD_UNKNOWN',
  BLOB_UPLOAD_INVALID: 'RANGE_INVALID',
  DIGEST_INVALID: 'DIGEST_INVALID',
};

const refusalOf = (answer: Answer): RegistryError => {
  const [error] = jsonOf(answer).errors as readonly { code: string; message: string; detail: object }[];
  const code = CODES[error?.code ?? ''];
  if (code === undefined) throw new Error(`${answer.status} ${answer.body.toString()}`);
  return new RegistryError(code, error?.message ?? '', { ...error?.detail });
};

const sizeOf = ({ headers }: Answer): number => {
  const last = Number(String(headers.range).slice(2));
  return last === 0 ? 0 : last + 1; // none, or one: which is not among the steps
};

/** The uploads of a registry, as its clients see them. */
const overHttp = ({ app, admin, url }: TestApp) => {
  const at = (id: string): string => `/v2/${REPOSITORY}/blobs/uploads/${id}`;
  const uploadAt = (id: string, size: number): Upload => ({ id, size }) as Upload;
  let asked: Promise<unknown> = Promise.resolve();

  const ask = async (method: string, path: string, status: number): Promise<Answer> => {
    const answer = await admin.send(method, path);
    if (answer.status !== status) throw refusalOf(answer);
    return answer;
  };
  const status = async (id: string): Promise<Upload> => uploadAt(id, sizeOf(await ask('GET', at(id), 204)));

  /** The connection is cut as the source is, and nobody tells the client when the registry has kept what came. */
  const keptOf = async (id: string, offset: number, sent: number): Promise<void> => {
    if (sent === 0 || (await status(id)).size !== offset) return;
    await waitUntil('what came is kept', async () => (await status(id)).size === offset + sent, { everyMs: 1 });
  };

  const append: Uploads['append'] = async (id, _owner, source: Readable, { from, digest } = {}) => {
    const begun = Promise.withResolvers<void>();
    asked = begun.promise;
    // A range has an end, which these writers do not know yet: only a wrong one, that is refused, may have any.
    const wrong = from !== undefined && from !== (await status(id)).size;
    const outgoing = request(`${url}${at(id)}${digest === undefined ? '' : `?digest=${digest}`}`, {
      method: digest === undefined ? 'PATCH' : 'PUT',
      agent: false,
      headers: {
        authorization: basic(ADMIN, PASSWORD),
        expect: '100-continue',
        'transfer-encoding': 'chunked',
        ...(wrong && { 'content-range': `${from}-${from + 9}` }),
      },
    });
    outgoing.flushHeaders();
    const answered = new Promise<Answer>((resolve, reject) => {
      outgoing.on('error', reject).once('response', async (message) => {
        const chunks: Buffer[] = [];
        for await (const chunk of message) chunks.push(chunk as Buffer);
        resolve({ status: message.statusCode ?? 0, headers: message.headers, body: Buffer.concat(chunks) });
      });
    });
    const wanted = await Promise.race([once(outgoing, 'continue').then(() => true), answered.then(() => false)]);
    const offset = wanted ? (await status(id)).size : 0;
    let sent = 0;
    const broken = new Promise<never>((_, reject) => {
      source
        .on('data', (chunk: Buffer) => {
          sent += chunk.length;
          outgoing.write(chunk);
        })
        .once('end', () => outgoing.end())
        .once('error', (error) => {
          answered.catch(() => undefined);
          outgoing.socket?.end();
          keptOf(id, offset, sent).then(
            () => reject(error),
            () => reject(error),
          );
        });
    });
    broken.catch(() => undefined);
    begun.resolve();
    // Half a request is answered, too: not that a client would read it that is gone.
    const answer = await Promise.race([answered.then((one) => (source.errored ? broken : one)), broken]);
    if (answer.status !== 202) throw refusalOf(answer);
    return uploadAt(id, sizeOf(answer));
  };

  const finish: Uploads['finish'] = async (id, _owner, digest) => {
    await ask('PUT', `${at(id)}?digest=${digest}`, 201);
    return { digest, settle: async () => undefined } as unknown as PlacedBlob;
  };

  const handle = {
    uploads: {
      begin: async () => uploadAt((await startUpload(admin, REPOSITORY)).split('/').at(-1) ?? '', 0),
      status,
      append,
      finish,
      cancel: async (id: string) => void (await ask('DELETE', at(id), 204)),
      expire: app.blobs.uploads.expire,
    },
    bytesOf: async (digest: Digest) =>
      expectStatus('blob', await admin.send('GET', `/v2/${REPOSITORY}/blobs/${digest}`), 200).body,
  };
  return { handle, begun: () => asked };
};

describe('uploads over HTTP', () => {
  const registry = registryFor();

  it('end in the right blob or in none, whoever writes, finishes, cancels and expires them at the same time', async () => {
    const { handle, begun } = overHttp(registry());
    await fc.assert(
      interleavedProperty({ handles: [handle, handle], begun, oneProcess: true, ends: ['settle'], repeats: true }),
      {
        numRuns: 60,
      },
    );
  }).timeout(120_000);
});
