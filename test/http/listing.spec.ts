import { expect } from 'chai';
import fc from 'fast-check';
import { registryFor } from '../support/app.ts';
import type { HttpClient } from '../support/http.ts';
import { digestOf, type Manifest, OCI_INDEX } from '../support/images.ts';
import { anyName, anyTag } from './arbitraries.ts';
import { exchange } from './exchanges.ts';
import { manifestOf, put } from './manifestSamples.ts';
import { pageOf } from './pages.ts';

// An index of nothing needs no blobs: a repository, a tag or a referrer takes one request.
const EMPTY = manifestOf({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: [] }, OCI_INDEX);
const SUBJECT = { mediaType: OCI_INDEX, digest: digestOf('subject'), size: 1 };
const referrer = (name: string): Manifest =>
  manifestOf(
    { schemaVersion: 2, mediaType: OCI_INDEX, manifests: [], subject: SUBJECT, annotations: { name: name.toLowerCase() } },
    OCI_INDEX,
  );

const bytewise = (names: Iterable<string>): readonly string[] =>
  [...names].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));

/** A list that names can be added to and removed from. */
type List = Readonly<{
  path: string;
  /** Of what a client adds as `name`, what the list shows. */
  shown: (name: string) => string;
  add: (client: HttpClient, name: string) => Promise<unknown>;
  remove: (client: HttpClient, name: string) => Promise<unknown>;
}>;

const tagsIn = (repository: string): List => ({
  path: `/v2/${repository}/tags/list`,
  shown: (name) => name,
  add: (client, name) => exchange(client, put(repository, name, EMPTY), { status: 201 }),
  remove: (client, name) => exchange(client, ['DELETE', `/v2/${repository}/manifests/${name}`], { status: 202 }),
});

const repositoriesUnder = (prefix: string): List => ({
  path: '/v2/_catalog',
  shown: (name) => `${prefix}/${name.toLowerCase()}`,
  add: (client, name) => exchange(client, put(`${prefix}/${name.toLowerCase()}`, 'x', EMPTY), { status: 201 }),
  remove: (client, name) =>
    exchange(client, ['DELETE', `/v2/${prefix}/${name.toLowerCase()}/manifests/${EMPTY.digest}`], { status: 202 }),
});

const referrersIn = (repository: string): List => {
  return {
    path: `/v2/${repository}/referrers/${SUBJECT.digest}`,
    shown: (name) => referrer(name).digest,
    add: (client, name) => exchange(client, put(repository, referrer(name).digest, referrer(name)), { status: 201 }),
    remove: (client, name) =>
      exchange(client, ['DELETE', `/v2/${repository}/manifests/${referrer(name).digest}`], { status: 202 }),
  };
};

const namesOn = ({ names, json }: Awaited<ReturnType<typeof pageOf>>): readonly string[] =>
  (json.manifests as readonly { digest: string }[] | undefined)?.map(({ digest }) => digest) ?? names;

/** Everything behind the links. `between` happens between two pages. */
const follow = async (client: HttpClient, path: string, between: () => Promise<unknown>): Promise<readonly string[]> => {
  const found: string[] = [];
  for (let next: string | undefined = path; next !== undefined; ) {
    const page = await pageOf(client, next);
    found.push(...namesOn(page));
    next = page.next;
    if (next !== undefined) await between();
  }
  return found;
};

/** Short names out of few characters, so that they stand close together. Valid as a tag, in lower case as a part of a repository's name. */
const anyShortName = fc.stringMatching(/^[aAbB0][abAB0]{0,2}$/);

describe('following the links of a list', () => {
  const registry = registryFor();
  let round = 0;

  const lists: readonly (readonly [what: string, make: (id: string) => List])[] = [
    ['tags', (id) => tagsIn(`listing/${id}`)],
    ['repositories', (id) => repositoriesUnder(`listing-${id}`)],
    ['referrers', (id) => referrersIn(`listing/${id}`)],
  ];

  for (const [what, make] of lists)
    it(`gives ${what} in byte order, each once, and all that stay, while others come and go`, async () => {
      const { admin } = registry();
      await fc.assert(
        fc.asyncProperty(
          fc.uniqueArray(anyShortName, { minLength: 1, maxLength: 12, selector: (name) => name.toLowerCase() }),
          fc.array(anyShortName, { maxLength: 12 }),
          fc.integer({ min: 1, max: 4 }),
          async (stay, others, size) => {
            const list = make(`run-${round++}`);
            const taken = new Set(stay.map((name) => name.toLowerCase()));
            const churn = others.filter((name) => !taken.has(name.toLowerCase()));
            const there = new Set<string>();
            for (const name of stay) await list.add(admin, name);
            const between = async (): Promise<void> => {
              const name = churn.shift();
              if (name === undefined) return;
              const shown = list.shown(name);
              if (there.delete(shown)) await list.remove(admin, name);
              else {
                await list.add(admin, name);
                there.add(shown);
              }
            };
            for (let n = 0; n < 3; n += 1) await between();
            // Of the catalog only what this example has put there.
            const first = what === 'repositories' ? `&last=${list.shown('').slice(0, -1)}` : '';
            const all = await follow(admin, `${list.path}?n=${size}${first}`, between);
            const found = what === 'repositories' ? all.filter((name) => name.startsWith(list.shown(''))) : all;
            expect(found).to.deep.equal(bytewise(found));
            expect(new Set(found).size, 'each once').to.equal(found.length);
            expect(found).to.include.members(stay.map(list.shown));
          },
        ),
        { numRuns: 8 },
      );
    });

  it('gives any names in byte order, and a link exactly when there is more', async () => {
    const { admin } = registry();
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(anyTag, { minLength: 1, maxLength: 8 }), async (tags) => {
        const list = tagsIn(`listing/any-${round++}`);
        for (const tag of tags) await list.add(admin, tag);
        const sorted = bytewise(tags);
        for (const [index, last] of [undefined, ...sorted].entries())
          for (const n of [1, tags.length - index - 1, tags.length - index, tags.length - index + 1].filter((size) => size > 0)) {
            const page = await pageOf(admin, `${list.path}?n=${n}${last === undefined ? '' : `&last=${last}`}`);
            expect(page.names).to.deep.equal(sorted.slice(index, index + n));
            expect(page.next !== undefined, 'a link').to.equal(index + n < sorted.length);
          }
      }),
      { numRuns: 8 },
    );
  });

  it('gives any names of repositories in byte order', async () => {
    const { admin } = registry();
    const names = new Set([
      'z/a',
      'z/a-b',
      'z/a/b',
      'z/ab',
      'z/a_b',
      'z/a.b',
      'z/a__b',
      'z/a--b',
      'z/v2/manifests/x',
      'z/tags/list',
    ]);
    for (const name of fc.sample(anyName, { numRuns: 40, seed: 7 })) if (name.length < 250) names.add(`z/${name}`);
    await Promise.all([...names].map((name) => exchange(admin, put(name, 'x', EMPTY), { status: 201 })));
    for (const size of [1, 7, 1000]) {
      const found = await follow(admin, `/v2/_catalog?n=${size}&last=z`, async () => undefined);
      expect(found).to.deep.equal(bytewise(names));
    }
  });
});
