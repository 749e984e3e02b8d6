import { run as runProgram } from '../test/support/processes.ts';

export const CONNECTIONS = 32;
export const SECONDS = 2;

/** GET requests a second by wrk, which leaves the machine to the registry more than a client in JavaScript would. */
export const wrk = async (url: string, headers: Readonly<Record<string, string>>): Promise<number> => {
  const given = Object.entries(headers).flatMap(([name, value]) => ['-H', `${name}: ${value}`]);
  const report = await runProgram('wrk', ['-t1', `-c${CONNECTIONS}`, `-d${SECONDS}s`, ...given, url]);
  if (report.includes('Non-2xx')) throw new Error(`Requests to ${url} failed:\n${report}`);
  return Number(/Requests\/sec:\s+([\d.]+)/.exec(report)?.[1]);
};
