import { once } from 'node:events';
import { expect } from 'chai';
import { accessTrail } from '../../../src/projections/accessTrail.ts';
import { auditTrail } from '../../../src/projections/auditTrail.ts';
import type { Views } from '../../../src/projections/views/views.ts';
import { registryFor } from '../../support/app.ts';
import { whileAway } from '../../support/away.ts';
import { expectStatus, type HttpClient, pushImage, pushManifest } from '../../support/http.ts';
import { accessTokenOf } from '../../support/identities.ts';
import { randomImage } from '../../support/images.ts';
import { waitUntil } from '../../support/processes.ts';
import type { Json } from '../exchanges.ts';
import { call, calls } from './calls.ts';

const AUDIT = '/api/v1/audit';
const REPOSITORY = 'ann/app';
const image = randomImage('audited', { layers: 1 });
const AGENT = { headers: { 'user-agent': 'docker/20.10.0' } };

type Log = Json & Readonly<{ id: number; timestamp: string; user: string; action: string; resource: string }>;

describe('Audit Logs', () => {
  const registry = registryFor();
  let ann: HttpClient;
  let auditor: HttpClient;
  let annId: number;
  let tokenId: number;

  const audit = async (query = '', client = registry().admin) =>
    (await call(client, 'GET', `${AUDIT}?${query}`)).body as Json & Readonly<{ logs: readonly Log[]; cursor: string | null }>;
  const logs = async (query = ''): Promise<readonly Log[]> => (await audit(query)).logs;
  const done = async (query = ''): Promise<readonly string[]> =>
    (await logs(query)).map(({ action, resource }) => `${action} ${resource}`);
  /** Accesses are some tenths of a second behind. */
  const recorded = async (what: string, query: string, least = 1): Promise<void> => {
    await waitUntil(what, async () => (await logs(query)).length >= least);
  };
  const pull = async (client: HttpClient, reference: string): Promise<void> => {
    expectStatus('pull', await client.send('GET', `/v2/${REPOSITORY}/manifests/${reference}`, AGENT), 200);
  };

  before(async () => {
    const { admin, register } = registry();
    ann = await register('ann');
    auditor = await register('paul', 'auditor');
    annId = Number((await call(ann, 'GET', '/api/v1/users/me')).body.id);
    await pushImage(ann, REPOSITORY, 'latest', image);
    await pull(ann, 'latest');
    await pull(ann, image.manifest.digest);
    const token = await accessTokenOf(ann, { permissions: ['pull', 'push'] });
    tokenId = token.id;
    const byToken = admin.as(`Bearer ${token.value}`);
    await pushManifest(byToken, REPOSITORY, 'by-token', image.manifest);
    await pull(byToken, 'by-token');
    expectStatus('refused', await ann.send('GET', '/api/v1/users', AGENT), 403);
    await call(admin, 'PUT', `/api/v1/repositories/${REPOSITORY}`, { description: 'An app' });
    await recorded('all that was accessed', 'user=ann&action=request.refuse');
    await recorded('all pulls', `resource=${REPOSITORY}&action=manifest.pull`, 3);
  });

  describe('"GET /api/v1/audit"', () => {
    it('answers as is documented: "logs" with their fields, "total", "page" and "limit"', async () => {
      const { status, body } = await call(registry().admin, 'GET', AUDIT);
      expect(status).to.equal(200);
      expect(body).to.include({ page: 1, limit: 50, total_is_exact: true, cursor: null });
      const all = body.logs as readonly Log[];
      expect(body.total).to.equal(all.length);
      expect(body.pagination).to.deep.equal({ page: 1, limit: 50, total: all.length, pages: 1 });
      const created = all.find(({ action }) => action === 'repository.create');
      expect(created).to.include({ user: 'ann', action: 'repository.create', resource: REPOSITORY, ip_address: '127.0.0.1' });
      expect(created?.id).to.be.a('number');
      expect(created?.timestamp).to.match(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    });

    it('has the newest first, of both logs, each under an id of its own', async () => {
      const all = await logs();
      expect(new Set(all.map(({ log }) => log))).to.deep.equal(new Set(['facts', 'access']));
      const times = all.map(({ timestamp }) => timestamp);
      expect(times).to.deep.equal([...times].sort((a, b) => (a < b ? 1 : -1)));
      expect(new Set(all.map(({ id }) => id)).size).to.equal(all.length);
      expect(await logs()).to.deep.equal(all);
    });

    it('tells of an access who, how, from where, what and with which outcome', async () => {
      const [refusal] = await logs('user=ann&action=request.refuse');
      expect(refusal).to.include({
        user: 'ann',
        actor: `user:${annId}`,
        log: 'access',
        method: 'password',
        resource: '/api/v1/users',
        ip_address: '127.0.0.1',
        user_agent: 'docker/20.10.0',
        decision: 'refused',
        status: 403,
        reason: 'DENIED',
        attempted: 'GET /api/v1/users',
        count: 1,
        event_id: null,
      });
    });

    it('tells of a change which event it is, and where a tag was moved to', async () => {
      const [moved] = await logs(`resource=${REPOSITORY}:latest&action=tag.move`);
      expect(moved).to.include({ log: 'facts', decision: 'allowed', digest: image.manifest.digest, status: null });
      const { items } = await registry().app.reporting.find(auditTrail, { where: { action: 'tag.move' }, limit: 10 });
      expect(items.map(({ value }) => value.eventId)).to.include(moved?.event_id);
    });

    it('has what was just done by whoever asks', async () => {
      const { admin } = registry();
      for (const n of [1, 2, 3]) {
        await call(admin, 'PUT', `/api/v1/repositories/${REPOSITORY}`, { description: `Text ${n}` });
        expect(await logs(`resource=${REPOSITORY}&action=repository.describe`)).to.have.length(n + 1);
      }
    });
  });

  describe('"user (string): Filter by user"', () => {
    it('takes a username, in whatever case, and finds what was done with access tokens, too', async () => {
      const all = await logs('user=Ann&limit=100');
      expect(new Set(all.map(({ user }) => user))).to.deep.equal(new Set(['ann']));
      const byToken = all.filter(({ token_id }) => token_id === tokenId);
      expect(byToken.map(({ action, actor }) => `${action} ${actor}`)).to.include.members([
        `tag.move token:${tokenId}`,
        `manifest.pull token:${tokenId}`,
        `credentials.use token:${tokenId}`,
      ]);
      expect(all).to.deep.equal(await logs(`user=user:${annId}&limit=100`));
    });

    it('takes "system" and "anonymous"', async () => {
      expect(await done('user=system')).to.include('user.create user:1');
      expect(new Set((await logs('user=system')).map(({ user }) => user))).to.deep.equal(new Set(['system']));
      expect(await logs('user=anonymous')).to.deep.equal([]);
    });

    it('finds nothing of those whom nobody knows', async () => {
      for (const user of ['nobody-is-called-so', 'user:999', 'robot:ci:none', 'erased'])
        expect(await audit(`user=${user}`), user).to.include({ total: 0, cursor: null });
    });
  });

  describe('"action (string): Filter by action"', () => {
    it('takes an action, of whichever log', async () => {
      expect(new Set(await done('action=manifest.pull'))).to.deep.equal(
        new Set([
          `manifest.pull ${REPOSITORY}:latest`,
          `manifest.pull ${REPOSITORY}:by-token`,
          `manifest.pull ${REPOSITORY}@${image.manifest.digest}`,
        ]),
      );
      expect(await done('action=repository.create')).to.deep.equal([`repository.create ${REPOSITORY}`]);
    });

    it('takes all actions of a noun, of both logs', async () => {
      expect(new Set((await logs('action=manifest.*')).map(({ action }) => action))).to.deep.equal(
        new Set(['manifest.push', 'manifest.pull']),
      );
      expect(new Set((await logs('action=repository.*')).map(({ action }) => action))).to.deep.equal(
        new Set(['repository.create', 'repository.describe']),
      );
    });
  });

  describe('resource', () => {
    it('finds everything about a repository: itself, its tags, manifests, blobs and pulls', async () => {
      const all = await logs(`resource=${REPOSITORY}&limit=100`);
      expect(new Set(all.map(({ action }) => action.split('.')[0]))).to.deep.equal(
        new Set(['repository', 'blob', 'manifest', 'tag']),
      );
      for (const { resource } of all) expect(resource.startsWith(REPOSITORY)).to.equal(true);
      expect(all.map(({ log }) => log)).to.include.members(['facts', 'access']);
    });

    it('finds exactly a tag, a digest, a user or a token', async () => {
      expect(new Set(await done(`resource=${REPOSITORY}:latest`))).to.deep.equal(
        new Set([`tag.move ${REPOSITORY}:latest`, `manifest.pull ${REPOSITORY}:latest`]),
      );
      const digest = `${REPOSITORY}@${image.manifest.digest}`;
      expect(new Set(await done(`resource=${encodeURIComponent(digest)}`))).to.deep.equal(
        new Set([`manifest.push ${digest}`, `manifest.pull ${digest}`]),
      );
      expect(await done(`resource=user:${annId}`)).to.include(`user.create user:${annId}`);
      expect(new Set(await done(`resource=token:${tokenId}`))).to.deep.equal(
        new Set([`token.create token:${tokenId}`, `credentials.use token:${tokenId}`]),
      );
    });

    it('is joined with a user and an action', async () => {
      expect(await done(`resource=${REPOSITORY}&user=admin&action=repository.*`)).to.satisfy((all: readonly string[]) =>
        all.every((one) => one === `repository.describe ${REPOSITORY}`),
      );
      const both = await audit(`resource=${REPOSITORY}&user=ann`);
      expect(both.total).to.equal(both.logs.length);
      expect(both.logs.length).to.be.greaterThan(5);
      expect(await done(`resource=${REPOSITORY}:latest&user=paul`)).to.deep.equal([]);
    });
  });

  describe('"from (datetime): Start time" and "to (datetime): End time"', () => {
    /** Times of entries to the millisecond, which answers do not have. */
    const times = async (): Promise<readonly string[]> => {
      const { items } = await registry().app.reporting.find(auditTrail, { limit: 100 });
      return items.map(({ value }) => value.at);
    };

    it('take from a time on, and before a time', async () => {
      const facts = 'action=blob.*';
      const all = await logs(facts);
      const { items } = await registry().app.reporting.find(auditTrail, { where: { action: 'blob.upload' }, limit: 10 });
      const [at = ''] = items.map(({ value }) => value.at);
      const [from, to] = [await logs(`${facts}&from=${at}`), await logs(`${facts}&to=${at}`)];
      expect(to).to.have.length(0);
      expect(from).to.deep.equal(all);
      const past = new Date(Date.parse(at) + 1).toISOString();
      expect((await logs(`${facts}&to=${past}`)).length).to.be.greaterThan(0);
      const ofNs = `${at.slice(0, -1)}000001Z`;
      expect(await logs(`${facts}&from=${ofNs}`)).to.deep.equal(await logs(`${facts}&from=${past}`));
      expect(await logs(`${facts}&to=${ofNs}`)).to.deep.equal(await logs(`${facts}&to=${past}`));
    });

    it('take any offset, and times that never were', async () => {
      const [first = ''] = await times();
      const local = encodeURIComponent(`${new Date(Date.parse(first) + 7_200_000).toISOString().slice(0, -1)}+02:00`);
      expect((await logs(`from=${local}&limit=100`)).length).to.equal((await logs('limit=100')).length);
      expect(await logs('from=9999-12-31T23:59:59-23:00')).to.deep.equal([]);
      expect(await logs('to=0000-01-01T00:00:00%2B23:00')).to.deep.equal([]);
      expect(await logs('from=0000-01-01T00:00:00Z&to=9999-12-31T23:59:59-23:00')).to.deep.equal(await logs());
    });
  });

  describe('"limit (int): Maximum results", page and cursor', () => {
    it('clamps limit as every list does', async () => {
      expect(await audit('limit=1000')).to.include({ limit: 100 });
      expect(await audit('limit=0')).to.include({ limit: 1 });
      expect(await logs('limit=-5')).to.have.length(1);
    });

    it('gives the same entries by pages and by cursors, each once', async () => {
      for (const query of [
        '',
        'user=ann&',
        `resource=${REPOSITORY}&`,
        'action=manifest.*&',
        `user=ann&resource=${REPOSITORY}&`,
      ]) {
        const all = await logs(`${query}limit=100`);
        const byPage: Log[] = [];
        for (let page = 1; byPage.length < all.length; page += 1) {
          const answered = await audit(`${query}limit=3&page=${page}`);
          expect(answered).to.include({ page, total: all.length });
          byPage.push(...answered.logs);
        }
        const byCursor: Log[] = [];
        let next: string | null | undefined;
        for (let page = 1; next !== null; page += 1) {
          const answered = await audit(`${query}limit=3${next === undefined ? '' : `&cursor=${next}`}`);
          expect(answered.page).to.equal(page);
          byCursor.push(...answered.logs);
          next = answered.cursor;
        }
        expect(byPage, query).to.deep.equal(all);
        expect(byCursor, query).to.deep.equal(all);
        expect(await logs(`${query}limit=3&page=${all.length + 1}`)).to.deep.equal([]);
      }
    });

    it('goes on where it was while new entries come', async () => {
      const query = 'user=ann&limit=4';
      const before = await logs('user=ann&limit=100');
      const { cursor } = await audit(query);
      await pushManifest(ann, REPOSITORY, 'meanwhile', image.manifest);
      await pull(ann, 'meanwhile');
      await recorded('the pull', `resource=${REPOSITORY}:meanwhile`, 2);
      expect(await logs(`${query}&cursor=${cursor}`)).to.deep.equal(before.slice(4, 8));
    });
  });

  describe('what is not right', () => {
    const refused = (what: string, query: string, field: string, message?: string) => ({
      it: `refuses ${what}`,
      send: ['GET', `${AUDIT}?${query}`] as const,
      gets: { status: 400, code: 'INVALID_REQUEST', field, ...(message !== undefined && { message }) },
    });

    calls(registry, [
      refused('a page before the first', 'page=0', 'page'),
      refused('a negative page', 'page=-1', 'page'),
      refused('a page that is no number', 'page=first', 'page'),
      refused('a page deeper than 10,000 entries', 'page=201&limit=50', 'page', 'cursor'),
      refused('a limit that is no number', 'limit=many', 'limit'),
      refused('an action that there is not', 'action=repository.explode', 'action'),
      refused('a noun without its actions', 'action=repository', 'action'),
      refused('a noun that there is not', 'action=nothing.*', 'action'),
      refused('no action', 'action=', 'action'),
      refused('all actions of any noun', 'action=.*', 'action'),
      refused('two actions', 'action=tag.move&action=tag.delete', 'action'),
      refused('no user', 'user=', 'user'),
      refused('a user of a kind that there is not', 'user=group:7', 'user'),
      refused('a user by an id that is none', 'user=user:ann', 'user'),
      refused('a workload without a provider', 'user=robot:', 'user'),
      refused('a user too long for any', `user=${'a'.repeat(321)}`, 'user'),
      refused('no resource', 'resource=', 'resource'),
      refused('a resource too long for any', `resource=${'a'.repeat(513)}`, 'resource'),
      refused('a time that is none', 'from=yesterday', 'from'),
      refused('a day without a time', 'to=2026-01-31', 'to'),
      refused('a time without an offset', 'from=2026-01-31T00:00:00', 'from'),
      refused('an end before the start', 'from=2026-01-31T00:00:00Z&to=2026-01-30T00:00:00Z', 'to'),
      refused('a cursor that nobody gave', 'cursor=abcd', 'cursor'),
      refused('an empty cursor', 'cursor=', 'cursor'),
      refused('a cursor too long for any', `cursor=${'a'.repeat(1001)}`, 'cursor'),
    ]);

    it('refuses a cursor with other filters, or of another order of words, or with a page', async () => {
      const { admin } = registry();
      const { cursor } = await audit('user=ann&limit=1');
      for (const query of ['limit=1', 'user=admin', 'user=ann&action=tag.move', 'user=ann&to=2030-01-01T00:00:00Z'])
        expect((await call(admin, 'GET', `${AUDIT}?${query}&cursor=${cursor}`)).error.details, query).to.include({
          field: 'cursor',
        });
      expect((await call(admin, 'GET', `${AUDIT}?user=ann&page=2&cursor=${cursor}`)).error.details).to.include({ field: 'page' });
      expect((await audit(`limit=2&cursor=${cursor}&user=user:${annId}`)).logs).to.have.length(2);
    });
  });

  describe('who may', () => {
    it('are administrators and auditors', async () => {
      expect((await audit('', auditor)).logs.length).to.be.greaterThan(0);
      expectStatus('export', await auditor.send('GET', `${AUDIT}/export`), 200);
      for (const path of [AUDIT, `${AUDIT}/export`]) {
        expect((await call(ann, 'GET', path)).status).to.equal(403);
        expect((await call(registry().anonymous, 'GET', path)).status).to.equal(401);
      }
      // Who reads twice, and compares, reads the same from here on.
      await recorded('both refusals', 'user=ann&action=request.refuse', 3);
    });

    it('are they with tokens that may do everything, and with no others', async () => {
      const { admin } = registry();
      const [all, some] = [
        await accessTokenOf(admin, { permissions: ['admin'] }),
        await accessTokenOf(admin, { permissions: ['pull'] }),
      ];
      expect((await call(admin.as(`Bearer ${all.value}`), 'GET', AUDIT)).status).to.equal(200);
      expect((await call(admin.as(`Bearer ${some.value}`), 'GET', AUDIT)).status).to.equal(403);
    });
  });

  describe('of somebody who was erased', () => {
    it('is what was done, without the name, the address and the program of changes', async () => {
      const { admin, register } = registry();
      const bob = await register('bob');
      const { id } = (await call(bob, 'GET', '/api/v1/users/me')).body;
      await pushImage(bob, 'bob/app', 'latest', image);
      expect(new Set((await logs('resource=bob/app')).map(({ user, ip_address }) => `${user} ${ip_address}`))).to.deep.equal(
        new Set(['bob 127.0.0.1']),
      );
      expect((await call(admin, 'DELETE', `/api/v1/users/${id}/personal-data`)).status).to.equal(204);
      const left = await logs('resource=bob/app&action=repository.create');
      expect(left).to.have.length(1);
      expect(left[0]).to.include({ user: 'erased', actor: `user:${id}`, ip_address: 'erased' });
      expect(await logs('user=bob')).to.deep.equal([]);
      expect((await logs(`user=user:${id}`)).length).to.be.greaterThan(0);
      const file = (await admin.send('GET', `${AUDIT}/export?format=csv`)).body.toString();
      expect(file).not.to.contain(',bob,');
    });
  });

  describe('"GET /api/v1/audit/export"', () => {
    const exported = async (query: string, headers: Readonly<Record<string, string>> = {}) => {
      const answer = await registry().admin.send('GET', `${AUDIT}/export?${query}`, { headers });
      return { ...answer, text: answer.body.toString() };
    };
    const linesIn = (text: string): readonly Log[] =>
      text
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as Log);

    it('is the list as NDJSON, a line an entry', async () => {
      const query = `resource=${REPOSITORY}`;
      const { status, headers, text } = await exported(`${query}&format=ndjson`);
      expect(status).to.equal(200);
      expect(headers['content-type']).to.equal('application/x-ndjson; charset=utf-8');
      expect(headers['content-disposition']).to.match(/^attachment; filename="audit-[\dTZ-]+\.ndjson"$/);
      expect(headers['cache-control']).to.equal('no-store');
      expect(linesIn(text)).to.deep.equal(await logs(`${query}&limit=100`));
    });

    it('is refused as everything is where nothing of it was sent, and no file', async () => {
      const { app } = registry();
      const { status, headers, text } = await whileAway(app.views, () => exported(`resource=${REPOSITORY}`), ['getMany']);
      expect(status, text).to.equal(503);
      expect(headers)
        .to.include({ 'content-type': 'application/json; charset=utf-8' })
        .and.not.to.have.property('content-disposition');
    });

    it('is the list as CSV, which reads back the same', async () => {
      const query = 'user=ann';
      const { headers, text } = await exported(`${query}&format=csv`);
      expect(headers['content-type']).to.equal('text/csv; charset=utf-8; header=present');
      expect(headers['content-disposition']).to.match(/^attachment; filename="audit-[\dTZ-]+\.csv"$/);
      const [names = [], ...rows] = csvIn(text);
      const answered = await logs(`${query}&limit=100`);
      expect(names).to.have.members(Object.keys(answered[0] ?? {}));
      expect(rows.map((row) => Object.fromEntries(row.map((cell, n) => [names[n], cell.replace(/^'/, '')])))).to.deep.equal(
        answered.map((log) =>
          Object.fromEntries(Object.entries(log).map(([name, value]) => [name, value === null ? '' : String(value)])),
        ),
      );
    });

    it('has the oldest first, where that is asked for', async () => {
      const query = 'action=manifest.*';
      const { text } = await exported(`${query}&order=asc`);
      expect(linesIn(text)).to.deep.equal([...(await logs(`${query}&limit=100`))].reverse());
    });

    it('finds who did something in a repository, too', async () => {
      const query = `user=ann&resource=${REPOSITORY}`;
      expect(linesIn((await exported(query)).text)).to.deep.equal(await logs(`${query}&limit=100`));
    });

    it('is of the form that Accept asks for, and NDJSON else', async () => {
      expect((await exported('', { accept: 'text/csv' })).headers['content-type']).to.contain('text/csv');
      expect((await exported('', { accept: 'application/x-ndjson' })).headers['content-type']).to.contain('x-ndjson');
      expect((await exported('')).headers['content-type']).to.contain('x-ndjson');
      expect((await exported('format=ndjson', { accept: 'text/csv' })).headers['content-type']).to.contain('x-ndjson');
    });

    it('is a head alone, or nothing, where nothing fits', async () => {
      expect((await exported('user=user:999&format=csv')).text).to.match(/^id,timestamp,user,[a-z_,]+\r\n$/);
      expect((await exported('user=user:999')).text).to.equal('');
      expect(expectStatus('head', await registry().admin.send('HEAD', `${AUDIT}/export?format=csv`), 200).body).to.have.length(0);
    });

    it('holds nothing that a spreadsheet would calculate', async () => {
      const cells = new Map([
        ['=1+1', "'=1+1"],
        ['+1', "'+1"],
        ['-1', "'-1"],
        ['@SUM(A1)', "'@SUM(A1)"],
        ["'quoted", "''quoted"],
        ['a "b", c', 'a "b", c'],
      ]);
      for (const agent of cells.keys()) {
        const headers = { 'user-agent': agent };
        expectStatus('pull', await ann.send('GET', `/v2/${REPOSITORY}/manifests/latest`, { headers }), 200);
      }
      const query = `resource=${REPOSITORY}:latest&action=manifest.pull`;
      await recorded('all programs', query, cells.size + 1);
      const [names = [], ...rows] = csvIn((await exported(`${query}&format=csv`)).text);
      const written = new Set(rows.map((row) => row[names.indexOf('user_agent')]));
      expect([...written]).to.include.members([...cells.values()]);
      expect([...written].filter((cell) => /^[=+@-]/.test(cell ?? ''))).to.deep.equal([]);
    });

    calls(registry, [
      {
        it: 'refuses other formats',
        send: ['GET', `${AUDIT}/export?format=xlsx`],
        gets: { status: 400, code: 'INVALID_REQUEST', field: 'format' },
      },
      { it: 'refuses other orders', send: ['GET', `${AUDIT}/export?order=up`], gets: { status: 400, field: 'order' } },
      {
        it: 'refuses filters that the list refuses',
        send: ['GET', `${AUDIT}/export?action=x`],
        gets: { status: 400, field: 'action' },
      },
    ]);

    it('says of what was altered that it was, and shows the rest', async () => {
      const { app, takeFailures } = registry();
      const { items } = await app.reporting.find(auditTrail, { where: { repository: REPOSITORY }, limit: 2 });
      const checkpoint = await app.reporting.checkpoint();
      const documents = items.map(({ value }, n) => {
        const key = `2025-01-01T00:00:00.00${n}Z/${checkpoint}`;
        const ip = n === 0 ? value.ip?.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A')) : value.ip;
        return { key, position: checkpoint, value: { ...value, at: key.slice(0, 24), ip } };
      });
      await app.reporting.commit({ totals: {}, documents: [{ view: auditTrail.view, documents }], cursors: {}, checkpoint });
      expect((await logs('to=2025-01-02T00:00:00Z')).map(({ ip_address }) => ip_address)).to.deep.equal(['127.0.0.1', 'altered']);
      expect(takeFailures().filter((line) => line.includes('An entry of the audit was altered.'))).to.have.length(1);
    });

    describe('of more than a page', () => {
      const MANY = 1200;

      before(async function () {
        this.timeout(20_000);
        const { app } = registry();
        await app.access.commit(await manyAccesses(app.access, MANY));
      });

      const query = 'user=user:4711';

      it('has them all, in either order', async () => {
        const ids = linesIn((await exported(query)).text).map(({ id }) => id);
        expect(ids).to.have.length(MANY);
        expect(new Set(ids).size).to.equal(MANY);
        expect(ids).to.deep.equal([...ids].sort((a, b) => b - a));
        expect(linesIn((await exported(`${query}&order=asc`)).text).map(({ id }) => id)).to.deep.equal([...ids].reverse());
        expect(await audit(query)).to.include({ total: MANY });
      });

      it('waits for a client that does not read, and goes no further when it leaves', async () => {
        const message = await registry().admin.open('GET', `${AUDIT}/export?${query}`);
        message.once('error', () => undefined);
        await once(message, 'readable');
        message.destroy();
        expect((await audit(query)).logs).to.have.length(50);
      });
    });
  });
});

/** RFC 4180, as strictly as it is written. */
const csvIn = (text: string): readonly (readonly string[])[] => {
  expect(text.endsWith('\r\n')).to.equal(true);
  const rows: string[][] = [[]];
  const cell = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/gy;
  for (let at = 0; at < text.length; at = cell.lastIndex) {
    const found = cell.exec(text);
    if (found === null) throw new Error(`No CSV at ${at}: ${text.slice(at, at + 80)}`);
    rows.at(-1)?.push(found[1]?.replaceAll('""', '"') ?? found[2] ?? '');
    if (found[3] === '\r\n') rows.push([]);
  }
  return rows.slice(0, -1);
};

/** Accesses of somebody whom nobody knows, a millisecond from one to the next. */
const manyAccesses = async (views: Views, count: number) => {
  const checkpoint = await views.checkpoint();
  const documents = Array.from({ length: count }, (_, n) => {
    const at = new Date(Date.UTC(2026, 0, 1) + n).toISOString();
    const value = {
      at,
      actor: 'user:4711',
      who: 'user:4711',
      method: 'bearer',
      ip: '203.0.113.5',
      action: 'manifest.pull',
      resource: 'many/app:latest',
      repository: 'many/app',
      decision: 'allowed',
      status: 200,
      requestId: `request-${n}`,
      until: at,
      count: 1,
    };
    return { key: `${at}/${checkpoint}/${String(n).padStart(3, '0')}`, position: checkpoint, value };
  });
  return { totals: {}, documents: [{ view: accessTrail.view, documents }], cursors: {}, checkpoint };
};
