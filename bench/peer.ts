import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cleanAtExit, exitOf, freePort, installed, run, scratchFolder, waitUntil } from '../test/support/processes.ts';

/** Another registry to measure against. */
export type Peer = Readonly<{ url: string; version: string; stop: () => Promise<void> }>;

export const peerInstalled = (): boolean => installed('docker-registry');

/** Debian's `docker-registry` on a folder of its own, without authentication and with its access log off. */
export const startPeer = async (): Promise<Peer> => {
  const { path: folder, remove } = scratchFolder();
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const config = {
    version: 0.1,
    log: { level: 'error', accesslog: { disabled: true } },
    storage: {
      delete: { enabled: true },
      cache: { blobdescriptor: 'inmemory' },
      filesystem: { rootdirectory: join(folder, 'data') },
    },
    http: { addr: `127.0.0.1:${port}`, secret: 'only one process' },
  };
  writeFileSync(join(folder, 'config.yml'), JSON.stringify(config)); // JSON is YAML
  const child = spawn('docker-registry', ['serve', join(folder, 'config.yml')], { stdio: 'ignore' });
  const forget = cleanAtExit(() => child.kill('SIGKILL'));
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM');
    await exitOf(child);
    forget();
    remove();
  };
  try {
    await waitUntil('docker-registry answers', async () => (await fetch(`${url}/v2/`)).ok);
  } catch (error) {
    await stop();
    throw error;
  }
  const version = (await run('docker-registry', ['--version'])).split(' ').at(-1) ?? 'unknown';
  return { url, version, stop };
};
