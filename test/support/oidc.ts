import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openTestApp, type TestApp } from './app.ts';
import { type Issuer, startIssuer } from './issuer.ts';
import { type Environment, scratchFolder } from './processes.ts';

export type Setup = Readonly<{ registry: () => TestApp; issuer: () => Issuer }>;

/** A registry, for the suite whose `describe` callback calls it, that knows a local issuer as what the file says. */
export const registryWith = (
  fileFor: (url: string) => unknown,
  { env = {}, secret }: Readonly<{ env?: Environment; secret?: string }> = {},
): Setup => {
  let registry: TestApp | undefined;
  let issuer: Issuer | undefined;
  const folder = scratchFolder();
  before(async () => {
    issuer = await startIssuer();
    const file = join(folder.path, 'oidc.json');
    if (secret !== undefined) writeFileSync(join(folder.path, 'secret'), secret);
    writeFileSync(file, JSON.stringify(fileFor(issuer.url)));
    registry = await openTestApp({ GHOSTDOCK_OIDC_FILE: file, ...env });
  });
  after(async () => {
    await registry?.close();
    await issuer?.close();
    folder.remove();
  });
  const running = <T>(one: T | undefined): T => {
    if (one === undefined) throw new Error('It runs while tests do.');
    return one;
  };
  return { registry: () => running(registry), issuer: () => running(issuer) };
};
