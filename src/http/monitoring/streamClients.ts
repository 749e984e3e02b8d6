import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { isRefusal, RegistryError } from '../../errors.ts';
import { authorize, REGISTRY, type RegistryAction } from '../../identity/authorize.ts';
import type { Feed, Joined } from '../../live/feed.ts';
import type { HttpDeps } from '../deps.ts';
import { itsTurn } from '../turn.ts';
import { commentOf, frameOf, type StreamClient, streamClient } from './streamClient.ts';

export const EVENT_STREAM = 'text/event-stream';

/** No cache keeps it, and no proxy gathers it first. */
const HEADERS = { 'content-type': EVENT_STREAM, 'cache-control': 'no-cache', 'x-accel-buffering': 'no' };

/** For so many heartbeats in a row a stream goes on while it cannot be told whether its credentials are valid: 5 min. */
const MOST_UNKNOWN = 30;

/** One of the streams. */
export type Stream<T> = Readonly<{
  action: RegistryAction;
  feed: (live: HttpDeps['live']) => Feed<T>;
  /** The text of `connected`. */
  greeting: string;
  /** The name of its events. */
  event: string;
  /** Of an event, what is sent; the same events go to all clients. */
  data?: (value: T) => unknown;
  /** A sign of life; undefined while its events are that. */
  heartbeat: () => Buffer | undefined;
  /** What stands for events that were left out. */
  lost: (count: number) => readonly Buffer[];
  /** What is said a while after the beginning. */
  welcome?: () => Buffer;
}>;

/** EventSource asks for its type, curl and most programs for any. */
const demandEventStream = ({ headers }: FastifyRequest): void => {
  const ranges = (headers.accept ?? '*/*').toLowerCase().split(',');
  const types = ranges
    .filter((range) => !/;\s*q=0(?:\.0*)?\s*(?:;|$)/.test(range))
    .map((range) => range.replace(/;.*/s, '').trim());
  if (types.some((type) => type === EVENT_STREAM || type === 'text/*' || type === '*/*')) return;
  throw new RegistryError('NOT_ACCEPTABLE', `This is a stream of events: accept ${EVENT_STREAM}.`, { accept: EVENT_STREAM });
};

/** A frame is made once, however many clients it goes to. */
const framing = <T>({ event, data = (value) => value }: Stream<T>): ((value: T) => Buffer) => {
  let last: Readonly<{ value: T; frame: Buffer }> | undefined;
  return (value) => {
    if (last?.value !== value) last = { value, frame: frameOf(event, data(value)) };
    return last.frame;
  };
};

const stopped = (): RegistryError => new RegistryError('UNAVAILABLE', 'The registry is stopping.');

/** All clients of all streams of this process. They end when the registry stops. @returns what answers a request with a stream */
export const streamClients = (app: FastifyInstance, deps: Pick<HttpDeps, 'live' | 'authenticate'>) => {
  const open = new Set<StreamClient>();
  let taken = 0;
  let stopping = false;

  app.addHook('preClose', async () => {
    stopping = true;
    for (const client of open) client.end();
  });

  const takePlace = (): void => {
    if (stopping) throw stopped();
    const { mostClients } = deps.live.limits;
    if (taken >= mostClients)
      throw new RegistryError('UNAVAILABLE', `At most ${mostClients} clients watch streams at a time.`, { most: mostClients });
    taken += 1;
  };

  /** As every request is checked. @returns undefined where it cannot be told now */
  const mayStill = async (request: FastifyRequest, action: RegistryAction): Promise<boolean | undefined> => {
    try {
      return authorize(await deps.authenticate(request.headers.authorization, request), action, REGISTRY).allowed;
    } catch (error) {
      return isRefusal(error, 'UNAUTHENTICATED') ? false : undefined;
    }
  };

  const checking = (client: StreamClient, request: FastifyRequest, action: RegistryAction): (() => Promise<void>) => {
    let unknown = 0;
    return async () => {
      const may = await mayStill(request, action);
      unknown = may === undefined ? unknown + 1 : 0;
      if (may === false || unknown > MOST_UNKNOWN) client.end(commentOf('The credentials are not valid any more.'));
    };
  };

  /** Looks after a client as long as it is there. @returns what ends that */
  const lookAfter = <T>(client: StreamClient, { request, raw }: FastifyReply, stream: Stream<T>): (() => void) => {
    const { stallMs, heartbeatMs, welcomeMs } = deps.live.limits;
    const check = checking(client, request, stream.action);
    const beat = (): void => {
      if (client.stalledMs() >= stallMs) raw.destroy();
      const sign = stream.heartbeat();
      if (sign !== undefined) client.send(sign);
    };
    const { welcome } = stream;
    const timers = [
      setInterval(beat, heartbeatMs),
      setInterval(() => void check(), heartbeatMs),
      setTimeout(() => welcome && client.send(welcome()), welcomeMs),
    ];
    for (const timer of timers) timer.unref();
    return () => timers.forEach(clearTimeout);
  };

  const begin = <T>(stream: Stream<T>, reply: FastifyReply, joined: Joined<T>, frame: (value: T) => Buffer): void => {
    const { raw } = reply;
    const headers = { ...reply.getHeaders(), ...HEADERS };
    reply.hijack();
    raw.writeHead(200, headers as Record<string, string>);
    const client = streamClient(raw, { mostWaiting: deps.live.limits.mostWaiting, lost: stream.lost });
    open.add(client);
    client.send(frameOf('connected', stream.greeting));
    joined.listen((value) => client.send(frame(value)));
    const leave = lookAfter(client, reply, stream);
    raw.once('close', () => {
      leave();
      joined.leave();
      open.delete(client);
      taken -= 1;
    });
  };

  return <T>(stream: Stream<T>) => {
    const frame = framing(stream);
    return async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
      demandEventStream(request);
      if (request.method === 'HEAD') return reply.headers(HEADERS).send();
      takePlace();
      try {
        await itsTurn(request.raw, reply.raw);
        const joined = await stream.feed(deps.live).join();
        if (stopping || reply.raw.destroyed) {
          joined.leave();
          throw stopped();
        }
        begin(stream, reply, joined, frame);
      } catch (error) {
        taken -= 1;
        throw error;
      }
      return reply;
    };
  };
};
