import { expect } from 'chai';
import { counter, gauge } from '../../src/http/metricFamily.ts';
import { collecting } from '../../src/http/metrics.ts';
import { metricsText } from '../../src/http/metricsText.ts';
import { registryFor } from '../support/app.ts';
import { basic, expectStatus, type HttpClient, pushImage } from '../support/http.ts';
import { accessTokenOf } from '../support/identities.ts';
import { randomImage } from '../support/images.ts';
import { waitUntil } from '../support/processes.ts';
import { exchange } from './exchanges.ts';
import { untilPullsAreTold } from './management/calls.ts';

/** The samples of a scrape by name and labels, as they are written. */
const samplesIn = (text: string): ReadonlyMap<string, number> =>
  new Map(
    text
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]),
  );

const scrape = async (client: HttpClient): Promise<ReadonlyMap<string, number>> =>
  samplesIn(expectStatus('metrics', await client.send('GET', '/metrics'), 200).body.toString());

describe('GET /metrics', () => {
  const registry = registryFor({ GHOSTDOCK_API_REQUESTS_PER_MINUTE: '1000' });
  const image = randomImage('metrics', { layers: 2, size: 4096 });
  const bytes = [image.config, ...image.layers].reduce((sum, { bytes: { length } }) => sum + length, 0);

  before(async () => {
    const { admin } = registry();
    await pushImage(admin, 'a/b', '1', image);
    await pushImage(admin, 'c', '1', image);
    await untilPullsAreTold(admin);
  });

  it('“text/plain; version=0.0.4”', async () => {
    const headers = { 'content-type': /^text\/plain; version=0\.0\.4/, 'cache-control': 'no-store' };
    await exchange(registry().admin, ['GET', '/metrics'], { status: 200, headers });
    await exchange(registry().admin, ['HEAD', '/metrics'], { status: 200, headers });
  });

  it('has the documented names, with what the registry holds', async () => {
    const samples = await scrape(registry().admin);
    expect(samples.get('ghostdock_version_info{version="0.0.0-test"}')).to.equal(1);
    expect(samples.get('ghostdock_repositories_total')).to.equal(2);
    expect(samples.get('ghostdock_users_total')).to.equal(1);
    expect(samples.get('ghostdock_pulls_total')).to.be.a('number');
    expect(samples.get('ghostdock_pushes_total')).to.equal(2);
    expect(samples.get('ghostdock_storage_bytes')).to.equal(bytes);
    expect(samples.get('ghostdock_storage_logical_bytes')).to.equal(2 * bytes);
  });

  it('tells every sample once, of the type that it names', async () => {
    const text = (await registry().admin.send('GET', '/metrics')).body.toString();
    const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    expect(samplesIn(text).size).to.equal(lines.length);
    for (const [sample, value] of samplesIn(text)) {
      const name = sample.replace(/\{.*/, '');
      const family = text.includes(`# TYPE ${name} `) ? name : name.replace(/_(?:bucket|sum|count)$/, '');
      expect(text, name).to.match(
        new RegExp(`^# HELP ${family} .+\\n# TYPE ${family} (?:counter|gauge|histogram|untyped)$`, 'm'),
      );
      // An event loop that was not looked at since the last scrape has no mean.
      if (!name.startsWith('nodejs_')) expect(Number.isNaN(value), sample).to.equal(false);
    }
  });

  it('counts requests by route, method and class of status, and never by what somebody asked for', async () => {
    const { admin, anonymous } = registry();
    const name = 'ghostdock_http_requests_total{surface="registry",route="/v2/:name/manifests/:reference",method="GET",status=';
    const before = await scrape(admin);
    for (const tag of ['1', '1', 'secret-tag']) await admin.send('GET', `/v2/a/b/manifests/${tag}`);
    for (const path of [
      '/v2/secret-name/tags/list',
      '/secret-path',
      '/v2/%ff',
      '/api/v1/users/secret-id',
      '/metrics?secret-query',
    ])
      await anonymous.send('GET', path);
    await admin.send('PROPFIND', '/v2/');
    const text = expectStatus('metrics', await admin.send('GET', '/metrics'), 200).body.toString();
    const after = samplesIn(text);
    const more = (status: string): number => (after.get(`${name}"${status}"}`) ?? 0) - (before.get(`${name}"${status}"}`) ?? 0);
    expect([more('2xx'), more('4xx')]).to.deep.equal([2, 1]);
    expect(text).to.not.match(/secret|PROPFIND|a\/b/);
  });

  it('tells times as a histogram that adds up, and those of transfers apart', async () => {
    const { admin } = registry();
    const digest = image.layers[0]?.digest;
    const before = await scrape(admin);
    await admin.send('GET', `/v2/a/b/blobs/${digest}`);
    await admin.send('HEAD', `/v2/a/b/blobs/${digest}`);
    const after = await scrape(admin);
    const more = (name: string): number => (after.get(name) ?? 0) - (before.get(name) ?? 0);
    const of = 'surface="registry",route="/v2/:name/blobs/:digest",method=';
    expect(more('ghostdock_blob_transfer_duration_seconds_count{direction="down"}')).to.equal(1);
    expect(more(`ghostdock_http_request_duration_seconds_count{${of}"HEAD"}`)).to.equal(1);
    expect(after.has(`ghostdock_http_request_duration_seconds_count{${of}"GET"}`)).to.equal(false);
    const buckets = [...after].filter(([name]) => name.startsWith(`ghostdock_http_request_duration_seconds_bucket{${of}"HEAD"`));
    const counts = buckets.map(([, count]) => count);
    expect(counts, 'each bucket has those before it').to.deep.equal([...counts].sort((one, other) => one - other));
    expect(buckets.at(-1)).to.deep.equal([
      `ghostdock_http_request_duration_seconds_bucket{${of}"HEAD",le="+Inf"}`,
      after.get(`ghostdock_http_request_duration_seconds_count{${of}"HEAD"}`),
    ]);
    expect(more('ghostdock_transferred_bytes_total{category="blobDownload"}')).to.equal(image.layers[0]?.bytes.length);
  });

  it('tells how far log and views are, and what waits', async () => {
    const samples = await scrape(registry().admin);
    expect(samples.get('ghostdock_event_log_events_total')).to.be.greaterThan(0);
    for (const group of ['serving', 'reporting', 'access']) {
      expect(samples.get(`ghostdock_projection_lag_seconds{group="${group}"}`), group).to.be.a('number');
      expect(samples.get(`ghostdock_projection_faults{group="${group}"}`), group).to.equal(0);
      const states = [...samples].filter(([name]) => name.startsWith(`ghostdock_projection_state{group="${group}"`));
      expect(
        states.reduce((sum, [, value]) => sum + value, 0),
        'one state at a time',
      ).to.equal(1);
    }
    expect(samples.get('ghostdock_projection_position{group="serving"}')).to.equal(samples.get('ghostdock_event_log_head'));
    for (const queue of [
      'password_checks_waiting',
      'commands_running',
      'readers_waiting',
      'event_log_appends_waiting',
      'blob_buffers_waiting',
    ])
      expect(samples.get(`ghostdock_${queue}`), queue).to.equal(0);
    for (const collector of [...samples].filter(([name]) => name.startsWith('ghostdock_collector_success')))
      expect(collector[1], collector[0]).to.equal(1);
  });

  it('counts refused logins, refusals and limits that were hit', async () => {
    const { admin, register } = registry();
    const before = await scrape(admin);
    await admin.as(basic('admin', 'wrong')).send('GET', '/v2/');
    await (await register('eve')).send('GET', '/api/v1/users');
    const after = await scrape(admin);
    const more = (code: string): number => {
      const name = `ghostdock_refusals_total{code="${code}"}`;
      return (after.get(name) ?? 0) - (before.get(name) ?? 0);
    };
    expect([more('UNAUTHENTICATED'), more('DENIED'), more('TOO_MANY_REQUESTS')]).to.deep.equal([1, 1, 0]);
    expect(after.get('ghostdock_limit_hits_total{limit="api"}')).to.equal(0);
  });

  it('counts uploads under way', async () => {
    const { admin } = registry();
    const { headers } = await admin.send('POST', '/v2/a/b/blobs/uploads/');
    expect((await scrape(admin)).get('ghostdock_upload_sessions')).to.equal(1);
    await admin.send('DELETE', String(headers.location));
    await waitUntil('it is gone', async () => (await scrape(admin)).get('ghostdock_upload_sessions') === 0);
  });

  it('is for those who may monitor: Prometheus sends Basic, or a token that may pull', async () => {
    const { admin, anonymous, register } = registry();
    await exchange(anonymous, ['GET', '/metrics'], { status: 401, headers: { 'www-authenticate': /^Basic / } });
    await exchange(admin.as(basic('admin', 'wrong')), ['GET', '/metrics'], { status: 401 });
    await exchange(await register('ada'), ['GET', '/metrics'], { status: 403 });
    await exchange(await register('grace', 'auditor'), ['GET', '/metrics'], { status: 200 });
    const { value } = await accessTokenOf(admin, { permissions: ['pull'] });
    await exchange(admin.as(`Bearer ${value}`), ['GET', '/metrics'], { status: 200 });
  });

  it('goes on without the log, and says of which part it has nothing', async () => {
    const { admin, app } = registry();
    await app.log.close();
    const samples = await scrape(admin);
    expect(samples.get('ghostdock_collector_success{collector="log"}')).to.equal(0);
    expect(samples.has('ghostdock_event_log_head')).to.equal(false);
    expect(samples.get('ghostdock_health{state="unhealthy"}')).to.equal(1);
    expect(samples.get('ghostdock_repositories_total')).to.equal(2);
  });
});

describe('GET /metrics with GHOSTDOCK_METRICS=open', () => {
  const registry = registryFor({ GHOSTDOCK_METRICS: 'open' });

  it('is for everybody', () => exchange(registry().anonymous, ['GET', '/metrics'], { status: 200 }));
});

describe('GET /metrics with GHOSTDOCK_METRICS=off', () => {
  const registry = registryFor({ GHOSTDOCK_METRICS: 'off' });

  it('is for nobody', () => exchange(registry().admin, ['GET', '/metrics'], { status: 404 }));
});

describe('a scrape', () => {
  const answering = { name: 'answering', collect: () => [gauge('here', 'Here.', 1)] };
  const never = (): Promise<never> => new Promise(() => undefined);
  const samplesOf = async (families: Awaited<ReturnType<ReturnType<typeof collecting>>>) =>
    samplesIn(await metricsText(families));

  it('does not wait for a part that hangs, and does not ask it again while it hangs', async () => {
    let asked = 0;
    const hanging = {
      name: 'hanging',
      collect: () => {
        asked += 1;
        return never();
      },
    };
    const collect = collecting([hanging, answering], 10);
    for (let round = 0; round < 3; round += 1) {
      const samples = await samplesOf(await collect());
      expect(samples.get('ghostdock_here')).to.equal(1);
      expect(samples.get('ghostdock_collector_success{collector="hanging"}')).to.equal(0);
      expect(samples.get('ghostdock_collector_success{collector="answering"}')).to.equal(1);
    }
    expect(asked).to.equal(1);
  });

  it('goes on without a part that fails', async () => {
    const failing = {
      name: 'failing',
      collect: () => {
        throw new Error('away');
      },
    };
    const samples = await samplesOf(await collecting([failing, answering])());
    expect(samples.get('ghostdock_collector_success{collector="failing"}')).to.equal(0);
    expect(samples.get('ghostdock_here')).to.equal(1);
  });

  it('writes labels so that nothing in them ends them', async () => {
    const labels = { version: 'a"b\\c\nd' };
    const text = await metricsText([counter('odd_total', 'Odd.', [{ value: 1, labels }])]);
    expect(text).to.contain('ghostdock_odd_total{version="a\\"b\\\\c\\nd"} 1\n');
  });
});
