// Run after `npm install` where the registry is a partial mirror.
//
// npm leaves an optional platform package out of package-lock.json when the registry in use does not carry it, and
// `npm ci` then refuses the lockfile on every machine. Each such package is pinned to one exact version by the package
// that asks for it, so its entry can be written from that: version, platform, optional. (No integrity: nothing here has
// seen the bytes. `npm install` against a full registry fills it in.)
import { readFileSync, writeFileSync } from 'node:fs';

const file = new URL('../package-lock.json', import.meta.url);
const lock = JSON.parse(readFileSync(file, 'utf8'));
const systems = ['android', 'darwin', 'freebsd', 'linux', 'openharmony', 'win32'];
const processors = ['arm64', 'arm', 'ia32', 'loong64', 'ppc64', 'riscv64', 's390x', 'x64'];

/** `{ os, cpu }` as a platform package's name spells them, e.g. `@scope/binding-linux-x64-musl`. */
const platformOf = (name) => {
  const words = name.split('/').at(-1).split('-');
  const os = systems.filter((system) => words.includes(system));
  const cpu = processors.filter((processor) => words.includes(processor));
  return { ...(os.length > 0 && { os }), ...(cpu.length > 0 && { cpu }) };
};

const added = [];
for (const parent of Object.values(lock.packages)) {
  for (const [name, version] of Object.entries(parent.optionalDependencies ?? {})) {
    const path = `node_modules/${name}`;
    if (lock.packages[path] !== undefined || !/^\d+\.\d+\.\d+/.test(version)) continue;
    lock.packages[path] = { version, ...(parent.dev && { dev: true }), optional: true, ...platformOf(name) };
    added.push(`${name}@${version}`);
  }
}

const root = lock.packages[''];
const sorted = Object.keys(lock.packages)
  .filter((path) => path !== '')
  .sort((a, b) => (a < b ? -1 : 1));
lock.packages = { '': root, ...Object.fromEntries(sorted.map((path) => [path, lock.packages[path]])) };
writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
console.log(added.length === 0 ? 'The lockfile is complete.' : `Added ${added.length} entries:\n  ${added.join('\n  ')}`);
