import { spawn, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { type Client, dockerClient } from './clients.ts';
import { cleanAtExit, type Environment, exitOf, installed, isRoot, scratchFolder, waitUntil } from './processes.ts';

/** Why no docker daemon can be started here, or undefined. */
export const dockerMissing = (): string | undefined => {
  if (!installed('dockerd') || !installed('docker')) return 'docker (dockerd and its command) is not installed';
  return isRoot() ? undefined : 'dockerd needs root';
};

export type Docker = Client & Readonly<{ stop: () => Promise<void> }>;

const answers = (socketPath: string): Promise<boolean> =>
  new Promise((resolve, reject) => {
    request({ socketPath, path: '/_ping' }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    })
      .on('error', reject)
      .end();
  });

const killQuietly = (pid: number): void => {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // gone already
  }
};

/** containerd is a child of dockerd that survives a killed parent, and the data folder is a mount of its own. */
const sweepUp = (folder: string): void => {
  try {
    killQuietly(Number(readFileSync(join(folder, 'exec/containerd/containerd.pid'), 'utf8')));
  } catch {
    // it ended with its parent
  }
  const mounts = readFileSync('/proc/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '')
    .filter((path) => path.startsWith(`${folder}/`));
  for (const mount of mounts.reverse()) spawnSync('umount', ['--lazy', mount]);
};

/**
 * A docker daemon of its own, with its own folders, socket and no network: no bridge, no iptables, and vfs, which needs no
 * kernel module. Loopback addresses are insecure registries to it, so plain HTTP is fine.
 */
const startDocker = async (env: Environment): Promise<Docker> => {
  const { path: folder, remove } = scratchFolder();
  const socket = join(folder, 'sock');
  const config = join(folder, 'daemon.json');
  writeFileSync(config, '{}'); // not the machine's
  const daemon = spawn(
    'dockerd',
    [
      ...['--config-file', config, '--data-root', join(folder, 'data'), '--exec-root', join(folder, 'exec')],
      ...['--pidfile', join(folder, 'pid'), '--host', `unix://${socket}`],
      ...['--storage-driver', 'vfs', '--bridge', 'none', '--iptables=false', '--ip-masq=false', '--max-concurrent-uploads', '3'],
    ],
    { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin`, ...env } },
  );
  let log = '';
  daemon.stderr.setEncoding('utf8').on('data', (text: string) => {
    log += text;
  });
  const forget = cleanAtExit(() => {
    daemon.kill('SIGKILL');
    sweepUp(folder);
  });

  const end = async (): Promise<void> => {
    daemon.kill('SIGTERM');
    const impatient = setTimeout(() => daemon.kill('SIGKILL'), 20_000);
    await exitOf(daemon);
    clearTimeout(impatient);
    forget();
    sweepUp(folder);
    remove();
  };

  const client = dockerClient(socket);
  try {
    const ended = exitOf(daemon).then(({ code }) => Promise.reject(new Error(`dockerd ended with ${code}`)));
    await Promise.race([ended, waitUntil('dockerd answers', () => answers(socket))]);
  } catch (error) {
    client.dispose();
    await end();
    throw new Error(`dockerd did not start:\n${log.slice(-4000)}`, { cause: error });
  }
  return {
    ...client,
    stop: async () => {
      client.dispose();
      await end();
    },
  };
};

/** A docker daemon for the suite whose `describe` callback calls it, with `env` as of then. @returns it, once the suite runs */
export const dockerFor = (env: () => Environment = () => ({})): (() => Docker) => {
  let running: Docker | undefined;
  before(async () => {
    running = await startDocker(env());
  });
  after(() => running?.stop());
  return () => {
    if (running === undefined) throw new Error('The daemon runs only while the tests of its suite do.');
    return running;
  };
};
