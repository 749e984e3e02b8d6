import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { attempt, installed } from '../processes.ts';

/** A server that can be started here, on a folder of its own. Both print the port that they listen on. */
export type Program = Readonly<{
  name: 'mongod' | 'mongo-java-server';
  /** Whether its replies say how a query was answered. */
  explains: boolean;
  command: (folder: string, port: number) => Readonly<{ program: string; args: readonly string[] }>;
  /** Finds the port in a line that it printed once it is ready. */
  ready: RegExp;
}>;

const pathTo = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));
const HOME = pathTo('../../../.tools/mongo-java-server');
const LIB = join(HOME, 'lib');
const CLASSES = join(HOME, 'classes');
const SOURCE = pathTo('./MongoJavaServer.java');
const INSTALL = pathTo('../../../scripts/installMongo.sh');

const mongod: Program = {
  name: 'mongod',
  explains: true,
  command: (folder, port) => ({
    program: 'mongod',
    args: [
      '--dbpath',
      folder,
      '--port',
      String(port),
      '--bind_ip',
      '127.0.0.1',
      '--nounixsocket',
      '--wiredTigerCacheSizeGB',
      '0.25',
    ],
  }),
  ready: /"Waiting for connections".*"port":(\d+)/,
};

const javaServer: Program = {
  name: 'mongo-java-server',
  explains: false,
  command: (folder, port) => ({
    program: 'java',
    // Starts in half the time, and takes little from the tests beside it.
    args: [
      '-XX:+UseSerialGC',

      '-Xmx1g',
      '-cp',
      [`${LIB}/*`, CLASSES].join(delimiter),
      'MongoJavaServer',
      String(port),
      join(folder, 'data.mv'),
    ],
  }),
  ready: /^ready (\d+)$/,
};

const isCompiled = (): boolean => {
  const made = join(CLASSES, 'MongoJavaServer.class');
  return existsSync(made) && statSync(made).mtimeMs > statSync(SOURCE).mtimeMs;
};

/** Several processes of tests may do this at once: each puts its classes in place one by one, the one that is looked for last. */
const compile = async (): Promise<string | undefined> => {
  mkdirSync(CLASSES, { recursive: true });
  const fresh = mkdtempSync(join(HOME, 'compiled-'));
  const { code, stderr } = await attempt('javac', ['-d', fresh, '-cp', `${LIB}/*`, SOURCE]);
  const made = readdirSync(fresh).sort((a, b) => (a < b ? -1 : 1));
  if (code === 0) for (const file of made) renameSync(join(fresh, file), join(CLASSES, file));
  rmSync(fresh, { recursive: true });
  return code === 0 ? undefined : `javac (17 or newer is needed) says: ${stderr}`;
};

const findJavaServer = async (): Promise<Program | string> => {
  if (!installed('java') || !installed('javac')) return 'neither mongod nor a JDK is on the PATH (scripts/installMongo.sh)';
  if (!existsSync(LIB)) {
    const { stdout, stderr } = await attempt('bash', [INSTALL]);
    if (!existsSync(LIB)) return `${stdout}${stderr}`.trim();
  }
  return (isCompiled() ? undefined : await compile()) ?? javaServer;
};

let found: Promise<Program | string> | undefined;

/** The best server that can be started here, or why there is none. */
export const findProgram = (): Promise<Program | string> => {
  found ??= installed('mongod') ? Promise.resolve(mongod) : findJavaServer();
  return found;
};
