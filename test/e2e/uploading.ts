import { expectStatus, finishUpload, type HttpClient, sendChunk, startUpload } from '../support/http.ts';
import { digestOf, noise } from '../support/images.ts';
import type { Change, Held, Key, Notes } from './notes.ts';

/** Bytes that can be made again from their seed. */
export type Content = Readonly<{ digest: string; size: number; seed: string }>;

/** Bytes up to `acknowledged` are the registry's promise, once that was answered; up to `sent` it may have them. */
type Session = { location: string; acknowledged: number; sent: number; finishing: boolean } & Readonly<{
  repository: string;
  content: Content;
}>;

/** Uploads in all their forms, some of which are left unfinished. */
export type Uploading = Readonly<{
  push: (client: HttpClient, repository: string, content: Content) => Promise<void>;
  /** Begins an upload and leaves it. */
  abandon: (client: HttpClient, repository: string, content: Content) => Promise<void>;
  /** Goes on with most unfinished uploads where the registry says that they stand. @returns what it says wrongly */
  resume: (client: HttpClient) => Promise<readonly string[]>;
}>;

const OCTETS = { 'content-type': 'application/octet-stream' };

export const contentOf = (seed: string, size: number): Content => ({ digest: digestOf(noise(size, seed)), size, seed });
export const blobKey = (repository: string, digest: string): Key => `blob ${repository} ${digest}`;
export const one = (key: Key, held: Held): Change => new Map([[key, held]]);

export const uploading = (told: Notes, random: () => number): Uploading => {
  const unfinished = new Set<Session>();
  const below = (limit: number): number => Math.floor(random() * limit);
  const bytesOf = ({ size, seed }: Content): Buffer => noise(size, seed);
  const change = (repository: string, { digest }: Content): Change => one(blobKey(repository, digest), digest);

  const begin = async (client: HttpClient, repository: string, content: Content): Promise<Session> => {
    const location = await startUpload(client, repository);
    const session = { location, acknowledged: 0, sent: 0, finishing: false, repository, content };
    unfinished.add(session);
    return session;
  };

  /** Where the next chunk ends. Chunks of one byte are left out: a session that holds one reads like an empty one. */
  const nextEnd = ({ acknowledged, content }: Session, end: number): number => {
    const to = Math.min(end, acknowledged + 2 + below(content.size));
    return end - to < 2 ? end : to;
  };

  /** Sends chunks up to `end`, some of which say where they begin. */
  const send = async (client: HttpClient, session: Session, end: number): Promise<void> => {
    const bytes = bytesOf(session.content);
    while (session.acknowledged < end) {
      const from = session.acknowledged;
      session.sent = nextEnd(session, end);
      const chunk = bytes.subarray(from, session.sent);
      session.location = await sendChunk(client, session.location, chunk, random() < 0.5 ? from : undefined);
      session.acknowledged = session.sent;
    }
  };

  /** Sends what is left, in chunks before or with the last request. */
  const complete = async (client: HttpClient, session: Session): Promise<void> => {
    const { repository, content } = session;
    if (random() < 0.5) await send(client, session, content.size);
    session.finishing = true;
    session.sent = content.size;
    const body = bytesOf(content).subarray(session.acknowledged);
    await told.during(change(repository, content), () => finishUpload(client, session.location, content.digest, { body }));
    unfinished.delete(session);
  };

  const inOneRequest = (client: HttpClient, repository: string, content: Content): Promise<unknown> =>
    told.during(change(repository, content), async () => {
      const path = `/v2/${repository}/blobs/uploads/?digest=${content.digest}`;
      return expectStatus('blob', await client.send('POST', path, { body: bytesOf(content), headers: OCTETS }), 201);
    });

  const resumeOne = async (client: HttpClient, session: Session): Promise<readonly string[]> => {
    const { repository, content, location, acknowledged, sent, finishing } = session;
    unfinished.delete(session);
    const { status, headers } = await client.send('GET', location);
    const finished = finishing && told.held(blobKey(repository, content.digest)) !== undefined;
    if (status === 404 && finished) return [];
    if (status !== 204) return [`${location}: ${acknowledged} bytes were acknowledged, and it answers ${status}`];
    const last = Number(String(headers.range).split('-')[1]);
    const stands = last === 0 ? 0 : last + 1; // an empty session reads 0-0
    if (stands < acknowledged || stands > sent) return [`${location}: stands at ${stands}, not at ${acknowledged} to ${sent}`];
    session.acknowledged = stands;
    await complete(client, session);
    return [];
  };

  return {
    push: async (client, repository, content) => {
      if (random() < 0.3) await inOneRequest(client, repository, content);
      else await complete(client, await begin(client, repository, content));
    },
    abandon: async (client, repository, content) => {
      const session = await begin(client, repository, content);
      const end = below(content.size);
      await send(client, session, end === 1 ? 0 : end);
    },
    resume: async (client) => {
      const wrong: string[] = [];
      for (const session of [...unfinished]) {
        if (session.finishing || random() < 0.7) wrong.push(...(await resumeOne(client, session)));
      }
      return wrong;
    },
  };
};
