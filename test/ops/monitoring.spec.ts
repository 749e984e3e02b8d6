import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { untilPullsAreTold } from '../http/management/calls.ts';
import { openTestApp, type TestApp } from '../support/app.ts';
import { authorityFor, opensslMissing } from '../support/certificates.ts';
import { expectStatus, pushImage } from '../support/http.ts';
import { randomImage } from '../support/images.ts';
import { attempt, installed, type Ran, scratchFolder } from '../support/processes.ts';
import { requires } from '../support/reporter.ts';
import { at, listAt, ROOT, textOf, type Yaml, yamlIn } from './files.ts';

const ALERTS = 'ops/prometheus/alerts.yml';
const PROMETHEUS = 'ops/prometheus/prometheus.yml';
const DASHBOARD = 'ops/grafana/ghostdock.json';

type Rule = Readonly<{ alert: string; expr: string; labels: Yaml; annotations: Yaml }>;
type Panel = Readonly<{
  id: number;
  title: string;
  type: string;
  gridPos: Readonly<Record<'x' | 'y' | 'w' | 'h', number>>;
  targets?: readonly Readonly<{ expr: string; legendFormat: string }>[];
}>;

const RULES = listAt(yamlIn(ALERTS), 'groups').flatMap((group) => listAt<Rule>(group, 'rules'));
const DASH = JSON.parse(textOf(DASHBOARD)) as Yaml & Readonly<{ panels: readonly Panel[] }>;
const EXPRESSIONS: readonly (readonly [where: string, expression: string])[] = [
  ...RULES.map(({ alert, expr }) => [`alert ${alert}`, expr] as const),
  ...DASH.panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => [`panel “${title}”`, expr] as const)),
];

/** What Prometheus adds to every sample by itself, or makes of a scrape. */
const OF_PROMETHEUS = ['up'];
const LABELS_OF_PROMETHEUS = ['instance', 'job'];

/** The metrics that an expression names, each with the labels that it picks by. */
const metricsIn = (expression: string): readonly Readonly<{ name: string; labels: readonly string[] }>[] =>
  [...expression.matchAll(/\b((?:ghostdock|nodejs|process)_\w+|up)\b(?:\{([^}]*)\})?/g)].map(([, name = '', picked = '']) => ({
    name,
    labels: [...picked.matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g)].map(([, label = '']) => label),
  }));

/** Labels that an expression sums by, or looks away from. */
const groupedIn = (expression: string): readonly string[] =>
  [...expression.matchAll(/\b(?:by|without|ignoring|on)\s*\(([^)]*)\)/g)].flatMap(([, labels = '']) => labels.split(/,\s*/));

describe('What the alerts and the dashboard ask for', function () {
  requires(this, opensslMissing() === undefined, opensslMissing() ?? '');
  this.timeout(30_000);
  const authority = authorityFor();
  const labelsOf = new Map<string, ReadonlySet<string>>();
  let scrape = '';
  let registry: TestApp | undefined;

  // With everything on that has metrics: TLS, limits, and a request of each kind.
  before(async () => {
    const { cert, key } = await authority().issue('metrics');
    registry = await openTestApp({
      GHOSTDOCK_TLS_CERT: cert,
      GHOSTDOCK_TLS_KEY: key,
      GHOSTDOCK_API_REQUESTS_PER_HOUR: '1000',
    });
    await pushImage(registry.admin, 'a/b', 'latest', randomImage('monitoring', { layers: 1 }));
    await untilPullsAreTold(registry.admin);
    scrape = expectStatus('metrics', await registry.admin.send('GET', '/metrics'), 200).body.toString();
    for (const [, name = '', labels = ''] of scrape.matchAll(/^([a-z]\w*)(?:\{(.*)\})? /gim)) {
      const known = [...labels.matchAll(/(\w+)="(?:[^"\\]|\\.)*"/g)].map(([, label = '']) => label);
      labelsOf.set(name, new Set([...(labelsOf.get(name) ?? []), ...known]));
    }
  });
  after(() => registry?.close());

  it('is something at all', () => {
    expect(RULES.length).to.be.greaterThan(12);
    expect(EXPRESSIONS.length).to.be.greaterThan(60);
    for (const [where, expression] of EXPRESSIONS) expect(metricsIn(expression), where).to.not.deep.equal([]);
  });

  it('is in a real scrape, metrics and labels', () => {
    const missing = EXPRESSIONS.flatMap(([where, expression]) =>
      metricsIn(expression)
        .filter(({ name }) => !OF_PROMETHEUS.includes(name))
        .flatMap(({ name, labels }) => {
          const known = labelsOf.get(name);
          if (known === undefined) return [`${where}: ${name}`];
          const unknown = labels.filter((label) => !known.has(label) && !LABELS_OF_PROMETHEUS.includes(label));
          return unknown.map((label) => `${where}: ${name}{${label}}`);
        }),
    );
    expect(missing).to.deep.equal([]);
    const labels = new Set([...LABELS_OF_PROMETHEUS, ...[...labelsOf.values()].flatMap((known) => [...known])]);
    const ungrouped = EXPRESSIONS.flatMap(([where, expression]) =>
      groupedIn(expression)
        .filter((label) => !labels.has(label))
        .map((label) => `${where}: ${label}`),
    );
    expect(ungrouped).to.deep.equal([]);
  });

  it('is all that the registry has of its own: nothing is measured that nobody looks at', () => {
    const named = new Set(EXPRESSIONS.flatMap(([, expression]) => metricsIn(expression).map(({ name }) => name)));
    const families = [...scrape.matchAll(/^# TYPE (ghostdock_\w+) /gm)].map(([, name = '']) => name);
    expect(families.filter((name) => !named.has(name) && !named.has(`${name}_bucket`))).to.deep.equal([]);
  });

  it('finds the metrics documented, each by its name', () => {
    const page = textOf('docs/monitoring.md');
    const families = [...scrape.matchAll(/^# TYPE ghostdock_(\w+) /gm)].map(([, name = '']) => name);
    expect(families.filter((name) => !page.includes(`\`${name}\``))).to.deep.equal([]);
  });

  describe('by promtool', function () {
    requires(this, installed('promtool'), 'promtool is not installed (scripts/installOpsTools.sh)');

    it('has nothing to be said against it in the scrape', async () => {
      const { code, stdout, stderr } = await attempt('promtool', ['check', 'metrics'], { input: scrape });
      expect(`${stdout}${stderr}`).to.equal('');
      expect(code).to.equal(0);
    });
  });
});

describe(ALERTS, () => {
  it('names each alert once, with how urgent it is and what it means', () => {
    expect(new Set(RULES.map(({ alert }) => alert)).size).to.equal(RULES.length);
    for (const { alert, labels, annotations } of RULES) {
      expect(labels.severity, alert).to.be.oneOf(['critical', 'warning']);
      expect(annotations, alert).to.have.all.keys('summary', 'description');
    }
  });

  it('has an entry for each alert on the page about monitoring', () => {
    const page = textOf('docs/monitoring.md');
    expect(RULES.map(({ alert }) => alert).filter((alert) => !page.includes(`\`${alert}\``))).to.deep.equal([]);
  });

  it('has a test for each alert', () => {
    const tested = new Set(
      listAt(yamlIn('ops/prometheus/alerts.test.yml'), 'tests')
        .flatMap((test) => listAt<Yaml>(test, 'alert_rule_test'))
        .filter((test) => listAt(test, 'exp_alerts').length > 0)
        .map((test) => test.alertname),
    );
    expect(RULES.map(({ alert }) => alert).filter((alert) => !tested.has(alert))).to.deep.equal([]);
  });

  describe('by promtool', function () {
    requires(this, installed('promtool'), 'promtool is not installed (scripts/installOpsTools.sh)');
    this.timeout(20_000);
    const { path: folder, remove } = scratchFolder();
    after(remove);

    const promtool = (...args: readonly string[]): Promise<Ran> => attempt('promtool', args, { cwd: ROOT });
    const expectFine = ({ code, stdout, stderr }: Ran): void => {
      expect(code, `${stdout}${stderr}`).to.equal(0);
    };

    it('is valid', async () => expectFine(await promtool('check', 'rules', ALERTS)));

    it('fires when it should, and not before', async () =>
      expectFine(await promtool('test', 'rules', 'ops/prometheus/alerts.test.yml')));

    it('goes with the example of a configuration, which is valid', async () => {
      const token = join(folder, 'metrics-token');
      writeFileSync(token, 'ghd_example');
      writeFileSync(join(folder, 'prometheus.yml'), textOf(PROMETHEUS).replace('/run/secrets/metrics-token', token));
      copyFileSync(join(ROOT, ALERTS), join(folder, 'alerts.yml'));
      for (const targets of ['embedded', 'cluster']) {
        copyFileSync(join(ROOT, `ops/prometheus/targets.${targets}.yml`), join(folder, 'targets.yml'));
        expectFine(await promtool('check', 'config', join(folder, 'prometheus.yml')));
      }
    });
  });
});

describe(DASHBOARD, () => {
  const { panels } = DASH;

  it('has a title for each panel, each of its own, and a number', () => {
    const titles = panels.map(({ title }) => title);
    expect(new Set(titles).size).to.equal(titles.length);
    expect(new Set(panels.map(({ id }) => id)).size).to.equal(panels.length);
  });

  it('lays no panel over another, nor beyond the edge', () => {
    const taken = new Map<string, string>();
    for (const { title, gridPos } of panels) {
      expect(gridPos.x + gridPos.w, title).to.be.at.most(24);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x += 1)
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y += 1) {
          expect(taken.get(`${x},${y}`), `${title} over`).to.equal(undefined);
          taken.set(`${x},${y}`, title);
        }
    }
  });

  it('asks for the nodes that are chosen, of the source that is chosen', () => {
    const variables = listAt(DASH, 'templating.list').map(({ name }) => name);
    expect(variables).to.deep.equal(['datasource', 'instance']);
    for (const { title, targets = [] } of panels)
      for (const { expr } of targets)
        expect(expr.split('instance=~"$instance"').length - 1, title).to.equal(metricsIn(expr).length);
  });
});

describe('The profile `monitoring` of the compose files', () => {
  for (const [file, targets] of [
    ['embedded', ['registry:5000']],
    ['compose', ['node1:5000', 'node2:5000']],
  ] as const) {
    const services = at<Readonly<Record<string, Yaml>>>(yamlIn(`ops/compose/${file}.yaml`), 'services') ?? {};

    it(`of ${file}.yaml reads every registry, and is only there when it is asked for`, () => {
      const mounted = listAt<string>(services.prometheus, 'volumes').find((volume) => volume.includes('/targets.'));
      const path = join('ops/compose', mounted?.split(':')[0] ?? '');
      const [{ targets: read }] = yamlIn(path) as unknown as readonly [Readonly<{ targets: readonly string[] }>];
      expect(read).to.deep.equal(targets);
      for (const target of read) expect(services).to.have.property(target.split(':')[0] ?? '');
      for (const name of ['prometheus', 'grafana']) {
        expect(services[name]?.profiles, name).to.deep.equal(['monitoring']);
        expect(
          listAt<string>(services[name], 'ports').every((port) => port.startsWith('127.0.0.1:')),
          name,
        ).to.equal(true);
      }
    });
  }
});
