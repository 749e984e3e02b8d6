import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

/** Microseconds of CPU that the main thread of a process has taken so far, by Linux: exact while the thread rests. */
const mainThreadCpu = (pid: number): number =>
  Number(readFileSync(`/proc/${pid}/task/${pid}/schedstat`, 'utf8').split(' ', 1)[0]) / 1000;

export const measuresCpu = process.platform === 'linux';

/** Open connections to a server, over which GET requests go one after the other. */
export type Connections = Readonly<{
  /** Sends `times` requests over each connection. @returns µs of CPU that each took the main thread of the server */
  cpuPerGet: (request: string, times: number) => Promise<number>;
  close: () => void;
}>;

const opened = (port: number): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true }, () => resolve(socket));
    socket.once('error', reject);
  });

/** Asks once. @returns the bytes of the answer, head and body */
const sizeOfAnswer = (socket: Socket, request: string): Promise<number> =>
  new Promise((resolve, reject) => {
    let text = '';
    const take = (chunk: Buffer): void => {
      text += chunk.toString('latin1');
      const head = text.indexOf('\r\n\r\n') + 4;
      if (head < 4) return;
      if (!text.startsWith('HTTP/1.1 200 ')) reject(new Error(`A request failed:\n${text}`));
      const size = head + Number(/\r\ncontent-length: (\d+)/i.exec(text)?.[1]);
      if (text.length < size) return;
      socket.off('data', take);
      resolve(size);
    };
    socket.on('data', take).write(request);
  });

/** All answers have the same size, which is all that is looked at: the client is to leave the machine to the server. */
const askAgain = (socket: Socket, request: string, size: number, times: number): Promise<void> =>
  new Promise((resolve) => {
    let left = times;
    let bytes = 0;
    const take = (chunk: Buffer): void => {
      bytes += chunk.length;
      for (; bytes >= size; bytes -= size) {
        left -= 1;
        if (left > 0) socket.write(request);
      }
      if (left > 0) return;
      socket.off('data', take);
      resolve();
    };
    socket.on('data', take).write(request);
  });

export const connectionsTo = async (pid: number, port: number, count: number): Promise<Connections> => {
  const sockets = await Promise.all(Array.from({ length: count }, () => opened(port)));
  const [first] = sockets as [Socket];
  return {
    cpuPerGet: async (request, times) => {
      const size = await sizeOfAnswer(first, request);
      await pause(1);
      const before = mainThreadCpu(pid);
      await Promise.all(sockets.map((socket) => askAgain(socket, request, size, times)));
      // By then the thread rests.
      await pause(1);
      return (mainThreadCpu(pid) - before) / (count * times);
    },
    close: () => {
      for (const socket of sockets) socket.destroy();
    },
  };
};
