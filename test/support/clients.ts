import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { attempt, type Environment, installed, type Ran, run, scratchFolder } from './processes.ts';

/** A command-line client with a store, a configuration and credentials of its own. */
export type Client = Readonly<{
  /** Runs it and must succeed. @returns its standard output, trimmed */
  run: (...args: readonly string[]) => Promise<string>;
  /** Runs it, whatever comes of it. */
  attempt: (...args: readonly string[]) => Promise<Ran>;
  /** Runs it with `input` on its standard input and must succeed. */
  feed: (input: string | Uint8Array, ...args: readonly string[]) => Promise<string>;
  /** Logs in, with the password on standard input. */
  login: (host: string, username: string, password: string) => Promise<Ran>;
  /** For files that a test hands to the client. */
  folder: string;
  dispose: () => void;
}>;

type Setup = Readonly<{ program: string; options: readonly string[]; login: readonly string[]; env: Environment }>;

const clientOf = (setUp: (folder: string) => Setup): Client => {
  const { path: folder, remove } = scratchFolder();
  writeFileSync(join(folder, 'auth.json'), '{}');
  const { program, options, login, env } = setUp(folder);
  const surroundings = { env, cwd: folder };
  const all = (args: readonly string[]): readonly string[] => [...options, ...args];
  return {
    folder,
    run: (...args) => run(program, all(args), surroundings),
    attempt: (...args) => attempt(program, all(args), surroundings),
    feed: (input, ...args) => run(program, all(args), { ...surroundings, input }),
    login: (host, username, password) =>
      attempt(program, [...options, ...login, '--username', username, '--password-stdin', host], {
        ...surroundings,
        input: password,
      }),
    dispose: remove,
  };
};

// Neither the user's own credentials (DOCKER_CONFIG, HOME) nor their stores play a part.
const containersEnv = (folder: string): Environment => ({
  HOME: folder,
  DOCKER_CONFIG: undefined,
  REGISTRY_AUTH_FILE: join(folder, 'auth.json'),
  TMPDIR: folder,
  XDG_RUNTIME_DIR: undefined,
});
const TLS_OFF = '--tls-verify=false';

/** vfs needs neither a kernel module nor a mount; the cgroup manager would else ask systemd. */
const store = (folder: string): readonly string[] => [
  ...['--root', join(folder, 'root'), '--runroot', join(folder, 'run'), '--storage-driver', 'vfs'],
];

export const podman = (): Client =>
  clientOf((folder) => ({
    program: 'podman',
    options: [...store(folder), '--tmpdir', join(folder, 'tmp'), '--cgroup-manager', 'cgroupfs', '--events-backend', 'none'],
    login: ['login', TLS_OFF],
    env: containersEnv(folder),
  }));

export const buildah = (): Client =>
  clientOf((folder) => ({ program: 'buildah', options: store(folder), login: ['login', TLS_OFF], env: containersEnv(folder) }));

export const skopeo = (): Client =>
  clientOf((folder) => ({
    program: 'skopeo',
    options: ['--tmpdir', folder],
    login: ['login', TLS_OFF],
    env: containersEnv(folder),
  }));

const BUILT = fileURLToPath(new URL('../../.tools/bin/', import.meta.url));

/** A program on the PATH, or one that `scripts/installTools.sh` has built. Undefined where there is neither. */
export const builtOrInstalled = (program: string): string | undefined => {
  if (installed(program)) return program;
  const path = join(BUILT, program);
  return existsSync(path) ? path : undefined;
};

const PLAIN = '--plain-http';
/** ORAS takes its options behind its commands: tests say `...PLAIN_ORAS` there. */
export const PLAIN_ORAS = [PLAIN, '--registry-config', 'auth.json'] as const;

export const oras = (): Client =>
  clientOf((folder) => ({
    program: builtOrInstalled('oras') ?? 'oras',
    options: [],
    login: ['login', ...PLAIN_ORAS],
    env: { HOME: folder, DOCKER_CONFIG: undefined, ORAS_CACHE: undefined },
  }));

export const crane = (): Client =>
  clientOf((folder) => ({
    program: builtOrInstalled('crane') ?? 'crane',
    options: ['--insecure'],
    login: ['auth', 'login'],
    env: { HOME: folder, DOCKER_CONFIG: folder },
  }));

export const regctl = (): Client =>
  clientOf((folder) => ({
    program: builtOrInstalled('regctl') ?? 'regctl',
    options: [],
    login: ['registry', 'login', '--skip-check'],
    env: { HOME: folder, DOCKER_CONFIG: folder, REGCTL_CONFIG: join(folder, 'regctl.json') },
  }));

/** The docker command, for the daemon that listens on `socket`. */
export const dockerClient = (socket: string): Client =>
  clientOf((folder) => ({
    program: 'docker',
    options: ['--host', `unix://${socket}`, '--config', folder],
    login: ['login'],
    // The classic builder needs no helper image, so it can build `FROM scratch` without a network.
    env: { HOME: folder, DOCKER_CONFIG: undefined, DOCKER_HOST: undefined, DOCKER_BUILDKIT: '0' },
  }));

/** A client for the suite whose `describe` callback calls it. @returns it, once the suite runs */
export const clientFor = (start: () => Client): (() => Client) => {
  let client: Client | undefined;
  before(() => {
    client = start();
  });
  after(() => client?.dispose());
  return () => {
    if (client === undefined) throw new Error('The client is there only while the tests of its suite run.');
    return client;
  };
};
