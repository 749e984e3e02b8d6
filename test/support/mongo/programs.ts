import { existsSync, mkdirSync, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { attempt, installed, run } from '../processes.ts';

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

const findJavaServer = async (): Promise<Program | string> => {
  if (!installed('java') || !installed('javac')) return 'neither mongod nor a JDK is on the PATH (scripts/installMongo.sh)';
  if (!existsSync(LIB)) {
    const { stdout, stderr } = await attempt('bash', [INSTALL]);
    if (!existsSync(LIB)) return `${stdout}${stderr}`.trim();
  }
  if (!isCompiled()) {
    mkdirSync(CLASSES, { recursive: true });
    await run('javac', ['-d', CLASSES, '-cp', `${LIB}/*`, SOURCE]);
  }
  return javaServer;
};

let found: Promise<Program | string> | undefined;

/** The best server that can be started here, or why there is none. */
export const findProgram = (): Promise<Program | string> => {
  found ??= installed('mongod') ? Promise.resolve(mongod) : findJavaServer();
  return found;
};
