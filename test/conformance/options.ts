import { randomBytes } from 'node:crypto';
import { parseArgs } from 'node:util';
import { UsageError } from '../../src/usageError.ts';
import type { Account } from './login.ts';

export const USAGE = `Usage: npm run conformance -- --url URL [OPTIONS]

  --url URL             The registry, e.g. https://registry.example.com:5000, with the prefix of its paths if it has one.
  --username NAME       Who pushes and deletes. Without it nobody is logged in.
  --password PASSWORD   Or GHOSTDOCK_CONFORMANCE_PASSWORD in the environment, which other users of the machine do not see.
  --stranger NAME       Another account, without any rights below the prefix: for what must be refused. Its password is in
                        GHOSTDOCK_CONFORMANCE_STRANGER_PASSWORD.
  --prefix NAME         What the names of all repositories begin with. Default: conformance-<random>; where accounts have a
                        namespace of their own, say e.g. alice/conformance.
  --keep                Leaves in the registry what was pushed: for one that is thrown away.
  --only TEXT           Only the rows whose line or name has this text in it.
  --json FILE           Writes every row and what came of it.
  --help                Shows this.

Exit codes: 0 nothing failed; 1 something failed, or the registry cannot be asked; 64 the command was wrong.
It pushes to a registry and deletes what it pushed as far as it can: do not point it at one whose contents matter.`;

export type Options = Readonly<{
  url: string;
  account?: Account;
  stranger?: Account;
  prefix: string;
  keep: boolean;
  only?: string;
  json?: string;
}>;

const COMPONENT = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*';
const PREFIX = new RegExp(`^${COMPONENT}(?:/${COMPONENT})*$`);
/** So that there is room for the longest names of the rows. */
const LONGEST_PREFIX = 120;

const accountOf = (username: string | undefined, password: string | undefined, whose: string): Account | undefined => {
  if (username === undefined) return undefined;
  if (password === undefined) throw new UsageError(`What is the password of ${username}? ${whose}`);
  return { username, password };
};

/** @param env for the passwords. @returns undefined where only help is asked for. @throws UsageError, or what parseArgs throws */
export const optionsFrom = (args: readonly string[], env: NodeJS.ProcessEnv): Options | undefined => {
  const { values } = parseArgs({
    args: [...args],
    options: {
      url: { type: 'string' },
      username: { type: 'string' },
      password: { type: 'string' },
      stranger: { type: 'string' },
      prefix: { type: 'string', default: `conformance-${randomBytes(4).toString('hex')}` },
      keep: { type: 'boolean', default: false },
      only: { type: 'string' },
      json: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  const { url, prefix, keep, only, json } = values;
  if (values.help) return undefined;
  if (url === undefined) throw new UsageError(`Which registry? --url URL\n\n${USAGE}`);
  if (!/^https?:\/\/[^/]/.test(url) || !URL.canParse(url))
    throw new UsageError(`--url must be like http://127.0.0.1:5000 or https://registry.example.com. This is not: ${url}`);
  if (!PREFIX.test(prefix) || prefix.length > LONGEST_PREFIX)
    throw new UsageError(
      `--prefix must be the name of a repository of at most ${LONGEST_PREFIX} characters. This is not: ${prefix}`,
    );
  const ofAccount = values.password ?? env.GHOSTDOCK_CONFORMANCE_PASSWORD;
  const account = accountOf(values.username, ofAccount, '--password PASSWORD, or GHOSTDOCK_CONFORMANCE_PASSWORD.');
  if (values.password !== undefined && account === undefined) throw new UsageError('Whose password? --username NAME');
  const ofStranger = env.GHOSTDOCK_CONFORMANCE_STRANGER_PASSWORD;
  const stranger = accountOf(values.stranger, ofStranger, 'GHOSTDOCK_CONFORMANCE_STRANGER_PASSWORD.');
  return {
    url,
    prefix,
    keep,
    ...(account !== undefined && { account }),
    ...(stranger !== undefined && { stranger }),
    ...(only !== undefined && { only }),
    ...(json !== undefined && { json }),
  };
};
