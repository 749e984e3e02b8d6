import { appendFileSync, cpSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect } from 'chai';
import { parse, parseAllDocuments } from 'yaml';
import { SETTINGS } from '../../src/settings.ts';
import { registryFor } from '../support/app.ts';
import { installed, run, scratchFolder } from '../support/processes.ts';
import { requires } from '../support/reporter.ts';
import { at, documentsIn, filesIn, IMAGE, listAt, ROOT, textOf, type Yaml, yamlIn } from './files.ts';

const FOLDER = 'ops/kubernetes';
const OVERLAYS = ['embedded', 'cluster'] as const;
type Overlay = (typeof OVERLAYS)[number];

/** The resources of a kustomization and of what it builds on, as they are written. */
const resourcesOf = (folder: string): readonly Yaml[] =>
  listAt<string>(yamlIn(`${folder}/kustomization.yaml`), 'resources').flatMap((resource) => {
    const path = join(folder, resource);
    return resource.endsWith('.yaml') ? documentsIn(path) : resourcesOf(path);
  });

const overlay = (name: Overlay): readonly Yaml[] => resourcesOf(`${FOLDER}/overlays/${name}`);
const kinds = (resources: readonly Yaml[], kind: string): readonly Yaml[] => resources.filter((one) => one.kind === kind);
const nameOf = (resource: Yaml | undefined): string | undefined => at(resource, 'metadata.name');
const workloadOf = (resources: readonly Yaml[]): Yaml => {
  const [workload] = [...kinds(resources, 'StatefulSet'), ...kinds(resources, 'Deployment')];
  if (workload === undefined) throw new Error('nothing runs');
  return workload;
};
const podOf = (resources: readonly Yaml[]): Yaml => at<Yaml>(workloadOf(resources), 'spec.template.spec') ?? {};
const containerOf = (resources: readonly Yaml[]): Yaml => listAt(podOf(resources), 'containers')[0] ?? {};
const SECRET = yamlIn(`${FOLDER}/secret.template.yaml`);
const PROBES = ['startupProbe', 'readinessProbe', 'livenessProbe'];

for (const name of OVERLAYS) {
  describe(`ops/kubernetes/overlays/${name}`, () => {
    const resources = overlay(name);
    const workload = workloadOf(resources);
    const pod = podOf(resources);
    const container = containerOf(resources);
    const labels = at<Record<string, string>>(workload, 'spec.template.metadata.labels') ?? {};
    const env = listAt<Readonly<{ name: string; value?: string; valueFrom?: Yaml }>>(container, 'env');

    it('runs the image of this release', () => {
      expect(container.image).to.equal(IMAGE);
    });

    it('selects its own pods everywhere', () => {
      const [service] = kinds(resources, 'Service');
      const selectors = [
        at(workload, 'spec.selector.matchLabels'),
        at(service, 'spec.selector'),
        ...kinds(resources, 'NetworkPolicy').map((policy) => at(policy, 'spec.podSelector.matchLabels')),
        ...kinds(resources, 'PodDisruptionBudget').map((budget) => at(budget, 'spec.selector.matchLabels')),
        ...listAt(pod, 'topologySpreadConstraints').map((constraint) => at(constraint, 'labelSelector.matchLabels')),
      ];
      for (const selector of selectors) {
        expect(Object.keys((selector ?? {}) as object)).to.not.deep.equal([]);
        expect(labels).to.include(selector);
      }
    });

    it('sends to a port that the container has', () => {
      const ports = listAt<{ name: string; containerPort: number }>(container, 'ports');
      expect(ports.map(({ containerPort }) => containerPort)).to.deep.equal([Number(SETTINGS.GHOSTDOCK_PORT.fallback)]);
      const named = [
        ...kinds(resources, 'Service').flatMap((service) => listAt(service, 'spec.ports').map(({ targetPort }) => targetPort)),
        ...PROBES.map((probe) => at(container, `${probe}.httpGet.port`)),
        ...kinds(resources, 'NetworkPolicy').flatMap((policy) =>
          listAt(policy, 'spec.ingress').flatMap((rule) => listAt(rule, 'ports').map(({ port }) => port)),
        ),
      ];
      for (const port of named) expect(ports.map((one) => one.name)).to.include(port);
    });

    it('refers to config maps, accounts and claims that are there, and to keys that the Secret has', () => {
      const configMaps = kinds(resources, 'ConfigMap').map(nameOf);
      for (const from of listAt(container, 'envFrom')) expect(configMaps).to.include(at(from, 'configMapRef.name'));
      expect(kinds(resources, 'ServiceAccount').map(nameOf)).to.include(pod.serviceAccountName);
      const keys = Object.keys(at<Yaml>(SECRET, 'stringData') ?? {});
      const asked = env.map(({ valueFrom }) => at<Yaml>(valueFrom, 'secretKeyRef')).filter((one) => one !== undefined);
      for (const { name: secret, key } of asked) {
        expect(secret).to.equal(nameOf(SECRET));
        expect(keys).to.include(key);
      }
      for (const volume of listAt(pod, 'volumes')) {
        const claim = at(volume, 'persistentVolumeClaim.claimName');
        if (claim !== undefined) expect(kinds(resources, 'PersistentVolumeClaim').map(nameOf)).to.include(claim);
        if (volume.secret === undefined) continue;
        expect(at(volume, 'secret.secretName')).to.equal(nameOf(SECRET));
        for (const item of listAt(volume, 'secret.items')) expect(keys).to.include(item.key);
      }
    });

    it('mounts volumes that are there, and all of them', () => {
      const volumes = [
        ...listAt(pod, 'volumes').map((volume) => volume.name),
        ...listAt(workload, 'spec.volumeClaimTemplates').map(nameOf),
      ];
      expect(listAt(container, 'volumeMounts').map((mount) => mount.name)).to.have.members(volumes);
    });

    it('gives nothing but settings, none of them twice, and files that are mounted', () => {
      const fromMap = kinds(resources, 'ConfigMap').flatMap((map) =>
        Object.entries(at<Record<string, unknown>>(map, 'data') ?? {}),
      );
      const settings = [...fromMap.map(([setting]) => setting), ...env.map((one) => one.name)];
      for (const setting of settings) expect(SETTINGS).to.have.property(setting);
      expect(new Set(settings).size).to.equal(settings.length);
      for (const [setting, value] of fromMap) expect(value, setting).to.be.a('string');
      const mounts = listAt<{ mountPath: string }>(container, 'volumeMounts').map(({ mountPath }) => mountPath);
      for (const setting of ['GHOSTDOCK_DATA_DIR', 'GHOSTDOCK_SECRET_KEY_FILE'])
        expect(mounts).to.include(dirname(env.find((one) => one.name === setting)?.value ?? ''));
    });

    it('is confined as far as Kubernetes can', () => {
      expect(at(pod, 'securityContext.runAsNonRoot')).to.equal(true);
      expect(at(pod, 'securityContext.runAsUser')).to.be.greaterThan(0);
      expect(at(pod, 'securityContext.seccompProfile.type')).to.equal('RuntimeDefault');
      expect(container.securityContext).to.deep.equal({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      });
      expect(pod.automountServiceAccountToken).to.equal(false);
      const [policy] = kinds(resources, 'NetworkPolicy');
      expect(listAt(policy, 'spec.policyTypes')).to.deep.equal(['Ingress', 'Egress']);
    });

    it('has time to stop, and limits', () => {
      const stop = Number(at(kinds(resources, 'ConfigMap')[0], 'data.GHOSTDOCK_STOP_SECONDS'));
      const sleep = Number(listAt<string>(container, 'lifecycle.preStop.exec.command')[1]);
      expect(pod.terminationGracePeriodSeconds).to.be.greaterThan(stop + sleep);
      expect(at(container, 'resources.requests.memory')).to.be.a('string');
      expect(at(container, 'resources.limits.memory')).to.be.a('string');
    });

    describe('by kubectl and the schemas of Kubernetes', function () {
      requires(this, installed('kubectl'), 'kubectl, which has kustomize, is not installed');
      requires(this, installed('kubernetes-validate'), 'kubernetes-validate is not installed: scripts/installOpsTools.sh');
      this.timeout(60_000);
      const { path: folder, remove } = scratchFolder();
      after(remove);

      it('is built, and valid', async () => {
        const built = await run('kubectl', ['kustomize', `${FOLDER}/overlays/${name}`], { cwd: ROOT });
        const file = join(folder, `${name}.yaml`);
        writeFileSync(file, `${built}\n`);
        expect(built.split('\n---\n')).to.have.length(resources.length);
        await run('kubernetes-validate', ['--strict', '--kubernetes-version', '1.36', file]);
      });
    });
  });
}

describe('The one registry of the overlay embedded', () => {
  const workload = workloadOf(overlay('embedded'));

  it('is never two: a stateful set of one, with a claim of its own', () => {
    expect(workload.kind).to.equal('StatefulSet');
    expect(at(workload, 'spec.replicas')).to.equal(1);
    expect(listAt(workload, 'spec.volumeClaimTemplates').map((claim) => at(claim, 'spec.accessModes'))).to.deep.equal([
      ['ReadWriteOnce'],
    ]);
  });

  it('reaches nothing', () => {
    const [policy] = kinds(overlay('embedded'), 'NetworkPolicy');
    expect(at(policy, 'spec.egress')).to.deep.equal([]);
  });
});

describe('The nodes of the overlay cluster', () => {
  const resources = overlay('cluster');
  const workload = workloadOf(resources);

  it('are several, on different machines, replaced one by one without a gap', () => {
    expect(workload.kind).to.equal('Deployment');
    expect(at(workload, 'spec.replicas')).to.be.greaterThan(1);
    expect(at(workload, 'spec.strategy.rollingUpdate')).to.deep.equal({ maxUnavailable: 0, maxSurge: 1 });
    expect(listAt(podOf(resources), 'topologySpreadConstraints').map(({ topologyKey }) => topologyKey)).to.include(
      'kubernetes.io/hostname',
    );
    expect(at(kinds(resources, 'PodDisruptionBudget')[0], 'spec.maxUnavailable')).to.equal(1);
  });

  it('keep log and views on servers and share a volume that all of them write to', () => {
    const settings = listAt(containerOf(resources), 'env').map(({ name }) => name);
    expect(settings).to.include.members([
      'GHOSTDOCK_EVENT_LOG',
      'GHOSTDOCK_VIEWS',
      'GHOSTDOCK_SECRET_KEY_FILE',
      'GHOSTDOCK_ADMIN_PASSWORD',
    ]);
    expect(kinds(resources, 'PersistentVolumeClaim').map((claim) => at(claim, 'spec.accessModes'))).to.deep.equal([
      ['ReadWriteMany'],
    ]);
  });

  it('reach their stores and names, and nothing else', () => {
    const patches = listAt<{ path: string }>(yamlIn(`${FOLDER}/overlays/cluster/kustomization.yaml`), 'patches');
    const patch = yamlIn(`${FOLDER}/overlays/cluster/${patches[0]?.path}`);
    expect(nameOf(patch)).to.equal(nameOf(kinds(resources, 'NetworkPolicy')[0]));
    const ports = listAt(patch, 'spec.egress').flatMap((rule) => listAt(rule, 'ports').map(({ port }) => port));
    expect(ports).to.deep.equal([53, 53, 2113, 27017]);
  });
});

describe('The manifests for Kubernetes', () => {
  const registry = registryFor();

  it('probe what the registry serves to everyone', async () => {
    const paths = OVERLAYS.flatMap((name) =>
      PROBES.map((probe) => at<string>(containerOf(overlay(name)), `${probe}.httpGet.path`)),
    );
    expect(new Set(paths).size).to.be.greaterThan(0);
    for (const path of new Set(paths))
      expect((await registry().inject({ method: 'GET', url: path ?? '' })).statusCode, path).to.equal(200);
  });

  it('have an Ingress to the Service, and templates without values', () => {
    const ingress = yamlIn(`${FOLDER}/ingress.example.yaml`);
    const backend = at<Yaml>(listAt(listAt(ingress, 'spec.rules')[0], 'http.paths')[0], 'backend.service');
    const [service] = kinds(overlay('cluster'), 'Service');
    expect(backend?.name).to.equal(nameOf(service));
    expect(listAt(service, 'spec.ports').map(({ name }) => name)).to.include(at(backend, 'port.name'));
    expect(Object.values(at<Yaml>(SECRET, 'stringData') ?? {}).every((value) => value === '')).to.equal(true);
  });

  it('are all used: no file stands beside the kustomizations unread', () => {
    const read = ['base', 'overlays/embedded', 'overlays/cluster', 'components/tls'].flatMap((folder) => {
      const kustomization = yamlIn(`${FOLDER}/${folder}/kustomization.yaml`);
      const patches = listAt<{ path: string }>(kustomization, 'patches').map(({ path }) => path);
      return ['kustomization.yaml', ...listAt<string>(kustomization, 'resources'), ...patches].map(
        (path) => `${FOLDER}/${folder}/${path}`,
      );
    });
    const examples = [`${FOLDER}/ingress.example.yaml`, `${FOLDER}/secret.template.yaml`];
    expect(
      filesIn(FOLDER)
        .filter((path) => !read.includes(path))
        .sort(),
    ).to.deep.equal(examples);
  });
});

describe('ops/kubernetes/components/tls', () => {
  const steps = parse(textOf(`${FOLDER}/components/tls/workload.yaml`)) as readonly Readonly<{ path: string; value: unknown }>[];
  const added = (what: string): readonly Yaml[] =>
    steps.filter(({ path }) => path.endsWith(`/${what}/-`)).map(({ value }) => value as Yaml);

  it('names settings, files of a mounted folder, and every probe', () => {
    const [mount] = added('volumeMounts');
    expect(added('env').map(({ name }) => name)).to.deep.equal(['GHOSTDOCK_TLS_CERT', 'GHOSTDOCK_TLS_KEY']);
    for (const { name, value } of added('env')) {
      expect(SETTINGS).to.have.property(String(name));
      expect(dirname(String(value))).to.equal(mount?.mountPath);
    }
    expect(added('volumes').map(({ name }) => name)).to.deep.equal([mount?.name]);
    for (const probe of PROBES)
      expect(steps).to.deep.include({
        op: 'add',
        path: `/spec/template/spec/containers/0/${probe}/httpGet/scheme`,
        value: 'HTTPS',
      });
  });

  for (const name of OVERLAYS)
    describe(`in the overlay ${name}`, function () {
      requires(this, installed('kubectl'), 'kubectl, which has kustomize, is not installed');
      requires(this, installed('kubernetes-validate'), 'kubernetes-validate is not installed: scripts/installOpsTools.sh');
      this.timeout(60_000);
      const { path: folder, remove } = scratchFolder();
      after(remove);

      it('makes the workload, its probes and the Service speak TLS', async () => {
        cpSync(join(ROOT, FOLDER), folder, { recursive: true });
        appendFileSync(join(folder, 'overlays', name, 'kustomization.yaml'), 'components:\n  - ../../components/tls\n');
        const built = await run('kubectl', ['kustomize', join(folder, 'overlays', name)]);
        const resources = parseAllDocuments(built).map((document) => document.toJS() as Yaml);
        const container = containerOf(resources);
        const settings = listAt(container, 'env').map((one) => one.name);
        expect(settings).to.include.members(['GHOSTDOCK_TLS_CERT', 'GHOSTDOCK_TLS_KEY', 'GHOSTDOCK_SECRET_KEY_FILE']);
        for (const probe of PROBES) expect(at(container, `${probe}.httpGet.scheme`), probe).to.equal('HTTPS');
        const volumes = [
          ...listAt(podOf(resources), 'volumes').map((volume) => volume.name),
          ...listAt(workloadOf(resources), 'spec.volumeClaimTemplates').map(nameOf),
        ];
        expect(listAt(container, 'volumeMounts').map((mount) => mount.name)).to.have.members(volumes);
        expect(listAt(kinds(resources, 'Service')[0], 'spec.ports').map(({ port }) => port)).to.deep.equal([443]);
        writeFileSync(join(folder, 'built.yaml'), `${built}\n`);
        await run('kubernetes-validate', ['--strict', '--kubernetes-version', '1.36', join(folder, 'built.yaml')]);
      });
    });
});
