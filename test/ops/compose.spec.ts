import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect } from 'chai';
import { SETTINGS } from '../../src/settings.ts';
import { attempt, installed, scratchFolder } from '../support/processes.ts';
import { requires } from '../support/reporter.ts';
import { at, IMAGE, listAt, ROOT, textOf, type Yaml, yamlIn } from './files.ts';

const FOLDER = 'ops/compose';
const FILES = ['embedded.yaml', 'compose.yaml'];

type Service = Yaml &
  Readonly<{ image: string; restart?: string; environment?: Yaml; volumes?: readonly string[]; networks?: readonly string[] }>;

const servicesOf = (file: string): Readonly<Record<string, Service>> =>
  at<Readonly<Record<string, Service>>>(yamlIn(`${FOLDER}/${file}`), 'services') ?? {};
const registriesIn = (file: string): readonly (readonly [name: string, service: Service])[] =>
  Object.entries(servicesOf(file)).filter(([, { image }]) => image.startsWith('ghostdock-registry:'));

/** `${NAME}`, `${NAME:-default}` and `${NAME:?message}`. */
const variablesIn = (file: string): readonly string[] => [
  ...new Set([...textOf(`${FOLDER}/${file}`).matchAll(/\$\{(\w+)/g)].map(([, name = '']) => name)),
];

/** The command that is compose 2 or newer, or undefined. */
const compose = async (): Promise<readonly string[] | undefined> => {
  for (const command of [['docker', 'compose'], ['docker-compose']]) {
    const [program = '', ...args] = command;
    if (!installed(program)) continue;
    const { code, stdout } = await attempt(program, [...args, 'version', '--short']);
    if (code === 0 && !/^v?1\./.test(stdout)) return command;
  }
  return undefined;
};
const COMPOSE = await compose();

for (const file of FILES) {
  describe(`ops/compose/${file}`, () => {
    const document = yamlIn(`${FOLDER}/${file}`);
    const services = servicesOf(file);

    it('names only volumes, networks and secrets that it defines, and uses all of them', () => {
      const named = { volumes: new Set<string>(), networks: new Set<string>(), secrets: new Set<string>() };
      for (const service of Object.values(services)) {
        for (const volume of service.volumes ?? []) if (!volume.startsWith('.')) named.volumes.add(volume.split(':')[0] ?? '');
        for (const network of service.networks ?? []) named.networks.add(network);
        for (const secret of listAt<string>(service, 'secrets')) named.secrets.add(secret);
      }
      for (const kind of ['volumes', 'networks', 'secrets'] as const)
        expect([...named[kind]], kind).to.have.members(Object.keys(at<Yaml>(document, kind) ?? {}));
    });

    it('mounts files that are there', () => {
      for (const service of Object.values(services)) {
        for (const volume of service.volumes ?? [])
          if (volume.startsWith('.')) expect(existsSync(join(ROOT, FOLDER, volume.split(':')[0] ?? '')), volume).to.equal(true);
      }
    });

    it('pins every image by its version, and starts every service again', () => {
      for (const [name, { image, restart }] of Object.entries(services)) {
        expect(image, name).to.match(/:v?\d+\.\d+\.\d+$/);
        expect(restart, name).to.equal('unless-stopped');
      }
    });

    it('waits for services that are there until they are healthy', () => {
      for (const [name, service] of Object.entries(services)) {
        for (const [other, { condition }] of Object.entries(
          at<Record<string, { condition: string }>>(service, 'depends_on') ?? {},
        )) {
          expect(services, `${name} waits for ${other}`).to.have.property(other);
          expect(condition).to.equal('service_healthy');
          // The registry's check is in its image.
          expect(services[other]?.image === IMAGE || services[other]?.healthcheck !== undefined, other).to.equal(true);
        }
      }
    });

    it('runs registries confined, with time to stop, with the key as a file and nothing but settings in the environment', () => {
      expect(registriesIn(file)).to.not.deep.equal([]);
      for (const [name, service] of registriesIn(file)) {
        expect(service.image, name).to.equal(IMAGE);
        expect(service).to.deep.include({ read_only: true, cap_drop: ['ALL'], tmpfs: ['/tmp'], init: true });
        expect(Number.parseInt(String(service.stop_grace_period), 10)).to.be.greaterThan(
          Number(SETTINGS.GHOSTDOCK_STOP_SECONDS.fallback),
        );
        for (const setting of Object.keys(service.environment ?? {})) expect(SETTINGS).to.have.property(setting);
        const [secret = ''] = listAt<string>(service, 'secrets');
        expect(service.environment?.GHOSTDOCK_SECRET_KEY_FILE).to.equal(`/run/secrets/${secret}`);
        expect(service.volumes?.some((volume) => volume.endsWith(':/data'))).to.equal(true);
      }
    });

    it('takes from .env what .env.example has', () => {
      const example = textOf(`${FOLDER}/.env.example`);
      for (const name of variablesIn(file)) expect(example, name).to.match(new RegExp(`^${name}=`, 'm'));
    });

    it('keeps key and passwords out of the checkout', () => {
      expect(textOf(`${FOLDER}/.gitignore`).split('\n')).to.include.members(['.env', 'secret-key', 'metrics-token']);
      expect(textOf(`${FOLDER}/.env.example`)).to.match(/^GHOSTDOCK_ADMIN_PASSWORD=$/m);
    });

    describe('by docker compose', function () {
      requires(this, COMPOSE !== undefined, 'docker compose (2 or newer) is not installed');
      this.timeout(30_000);
      const { path: folder, remove } = scratchFolder();
      const [program = '', ...args] = COMPOSE ?? [];

      const config = async (env: string) => {
        mkdirSync(folder, { recursive: true });
        writeFileSync(join(folder, 'env'), env);
        return attempt(
          program,
          [...args, '--env-file', join(folder, 'env'), '--file', `${FOLDER}/${file}`, 'config', '--quiet'],
          {
            cwd: ROOT,
          },
        );
      };
      after(remove);

      it('is valid, once the password is filled in', async () => {
        const filled = await config(textOf(`${FOLDER}/.env.example`).replace('PASSWORD=', 'PASSWORD=correct-horse'));
        expect(filled.code, filled.stderr).to.equal(0);
        expect(filled.stderr).to.equal('');
        const { code, stderr } = await config(textOf(`${FOLDER}/.env.example`));
        expect(code).to.not.equal(0);
        expect(stderr).to.contain('GHOSTDOCK_ADMIN_PASSWORD').and.to.contain('.env.example');
      });
    });
  });
}

describe('The two nodes of ops/compose/compose.yaml', () => {
  const services = servicesOf('compose.yaml');
  const nodes = registriesIn('compose.yaml').map(([, service]) => service);

  it('are alike, share their volume, and keep log and views on servers', () => {
    expect(nodes).to.have.length(2);
    expect(nodes[0]?.environment).to.deep.equal(nodes[1]?.environment);
    expect(nodes[0]?.volumes).to.deep.equal(nodes[1]?.volumes);
    for (const [setting, scheme] of [
      ['GHOSTDOCK_EVENT_LOG', 'esdb:'],
      ['GHOSTDOCK_VIEWS', 'mongodb:'],
    ] as const) {
      const url = new URL(String(nodes[0]?.environment?.[setting]));
      expect(url.protocol).to.equal(scheme);
      const store = services[url.hostname];
      expect(store?.networks, `${setting} names a service that is on a network of the nodes`).to.deep.equal(['stores']);
      expect(nodes[0]?.networks).to.include('stores');
    }
  });

  it('are those that the proxy is given', () => {
    const { NODE1, NODE2, LISTEN_PORT } = (at(services, 'proxy.environment') ?? {}) as Record<string, string>;
    for (const node of [NODE1, NODE2]) {
      const [host = '', port] = String(node).split(':');
      expect(services[host]?.image).to.equal(IMAGE);
      expect(Number(port)).to.equal(5000);
    }
    expect(listAt<string>(services.proxy, 'ports')[0]?.endsWith(`:${LISTEN_PORT}`)).to.equal(true);
  });

  it('have stores that nobody else reaches, and that are called insecure as long as they are', () => {
    const yaml = yamlIn('ops/compose/compose.yaml');
    expect(at(yaml, 'networks.stores.internal')).to.equal(true);
    for (const [name, service] of Object.entries(services)) {
      if (!service.networks?.includes('stores') || service.image === IMAGE) continue;
      expect(service.ports, name).to.equal(undefined);
      expect(name).to.match(/-insecure$/);
    }
    expect(at(services['kurrentdb-insecure'], 'environment.KURRENTDB_INSECURE')).to.equal('true');
  });

  it('have a replica set of the name and the member that they ask for', () => {
    const url = new URL(String(nodes[0]?.environment?.GHOSTDOCK_VIEWS));
    const set = url.searchParams.get('replicaSet') ?? '';
    expect(listAt<string>(services['mongodb-insecure'], 'command')).to.include.members(['--replSet', set]);
    const script = textOf('ops/compose/replicaSet.js');
    expect(script).to.contain(`_id: '${set}'`).and.to.contain(`'${url.host}'`);
  });
});

describe('ops/compose/tls.yaml', () => {
  it('gives the registry of embedded.yaml files in a folder that is mounted', () => {
    expect(Object.keys(servicesOf('tls.yaml'))).to.deep.equal(registriesIn('embedded.yaml').map(([name]) => name));
    for (const { volumes, environment } of Object.values(servicesOf('tls.yaml'))) {
      const [, folder = ''] = /:(\/[^:]+):ro$/.exec(volumes?.[0] ?? '') ?? [];
      expect(Object.keys(environment ?? {})).to.deep.equal(['GHOSTDOCK_TLS_CERT', 'GHOSTDOCK_TLS_KEY']);
      for (const [setting, path] of Object.entries(environment ?? {})) {
        expect(SETTINGS).to.have.property(setting);
        expect(dirname(String(path)), setting).to.equal(folder);
      }
    }
    for (const name of variablesIn('tls.yaml')) expect(textOf(`${FOLDER}/.env.example`)).to.match(new RegExp(`^${name}=`, 'm'));
  });

  describe('by docker compose', function () {
    requires(this, COMPOSE !== undefined, 'docker compose (2 or newer) is not installed');
    this.timeout(30_000);
    const { path: folder, remove } = scratchFolder();
    after(remove);

    it('is valid upon embedded.yaml', async () => {
      const [program = '', ...args] = COMPOSE ?? [];
      const filled = textOf(`${FOLDER}/.env.example`)
        .replace('PASSWORD=', 'PASSWORD=correct-horse')
        .replace('TLS_FOLDER=', 'TLS_FOLDER=/tls');
      writeFileSync(join(folder, 'env'), filled);
      const files = ['embedded.yaml', 'tls.yaml'].flatMap((name) => ['--file', `${FOLDER}/${name}`]);
      const { code, stderr } = await attempt(
        program,
        [...args, '--env-file', join(folder, 'env'), ...files, 'config', '--quiet'],
        {
          cwd: ROOT,
        },
      );
      expect(code, stderr).to.equal(0);
    });
  });
});
