import { expect } from 'chai';
import { registryFor } from '../support/app.ts';
import { pushImage, pushManifest } from '../support/http.ts';
import { digestOf, type Manifest, OCI_INDEX, OCI_MANIFEST } from '../support/images.ts';
import { exchange, exchanges, jsonOf } from './exchanges.ts';
import { CONFIG, IMAGE, imageManifest, LAYERS, manifestOf, put } from './manifestSamples.ts';
import { pageOf } from './pages.ts';

const NAME = 'm/app';
const SBOM = 'application/vnd.example.sbom';
const SIGNATURE = 'application/vnd.example.signature';

const subjectOf = ({ digest, bytes, mediaType }: Manifest): object => ({ mediaType, digest, size: bytes.length });
const SUBJECT = subjectOf(IMAGE.manifest);

type Descriptor = Readonly<{
  digest: string;
  size: number;
  mediaType: string;
  artifactType?: string;
  annotations?: Readonly<Record<string, string>>;
}>;

/** What the list has of a manifest. */
const listed = (
  { digest, bytes, mediaType }: Manifest,
  artifactType?: string,
  annotations?: Readonly<Record<string, string>>,
): Descriptor => ({
  digest,
  mediaType,
  size: bytes.length,
  ...(artifactType !== undefined && { artifactType }),
  ...(annotations !== undefined && { annotations }),
});

const inOrder = (descriptors: readonly Descriptor[]): readonly Descriptor[] =>
  [...descriptors].sort((a, b) => Buffer.compare(Buffer.from(a.digest), Buffer.from(b.digest)));

const answered = (...descriptors: readonly Descriptor[]): object => ({
  schemaVersion: 2,
  mediaType: OCI_INDEX,
  manifests: inOrder(descriptors),
});

const sbom = manifestOf(imageManifest({ artifactType: SBOM, subject: SUBJECT, annotations: { made: 'today', 'a.b': 'ä' } }));
const signature = manifestOf(imageManifest({ artifactType: SIGNATURE, subject: SUBJECT }));
const byConfig = manifestOf(imageManifest({ subject: SUBJECT, annotations: {} }));
const index = manifestOf({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: [], subject: SUBJECT }, OCI_INDEX);
const typedIndex = manifestOf(
  { schemaVersion: 2, mediaType: OCI_INDEX, manifests: [], artifactType: SBOM, subject: SUBJECT },
  OCI_INDEX,
);

describe('GET of referrers', () => {
  const registry = registryFor();
  const path = `/v2/${NAME}/referrers/${IMAGE.manifest.digest}`;
  const all = [
    listed(sbom, SBOM, { made: 'today', 'a.b': 'ä' }),
    listed(signature, SIGNATURE),
    listed(byConfig, (CONFIG as { mediaType: string }).mediaType, {}),
    listed(index),
    listed(typedIndex, SBOM),
  ];

  before(async () => {
    const { admin } = registry();
    await pushImage(admin, NAME, 'latest', IMAGE);
    for (const manifest of [sbom, signature, byConfig, index, typedIndex])
      await pushManifest(admin, NAME, manifest.digest, manifest);
  });

  exchanges(registry, [
    {
      it: 'lists them as an image index, each with its type, its artifact type and all its annotations',
      send: ['GET', path],
      gets: {
        status: 200,
        headers: { 'content-type': OCI_INDEX, link: undefined, 'oci-filters-applied': undefined },
        json: answered(...all),
      },
    },
    { it: 'answers HEAD', send: ['HEAD', path], gets: { status: 200, headers: { 'content-type': OCI_INDEX } } },
    {
      it: 'lists those of one type when asked, and says that it did',
      send: ['GET', `${path}?artifactType=${SBOM}`],
      gets: {
        status: 200,
        headers: { 'oci-filters-applied': 'artifactType', link: undefined },
        json: answered(...all.filter(({ artifactType }) => artifactType === SBOM)),
      },
    },
    {
      it: 'finds those whose type is that of their config',
      send: ['GET', `${path}?artifactType=${encodeURIComponent((CONFIG as { mediaType: string }).mediaType)}`],
      gets: { status: 200, json: answered(...all.slice(2, 3)) },
    },
    {
      it: 'finds none of a type that there is none of',
      send: ['GET', `${path}?artifactType=x/y`],
      gets: { status: 200, headers: { 'oci-filters-applied': 'artifactType' }, json: answered() },
    },
    {
      it: 'does not filter by an empty type',
      send: ['GET', `${path}?artifactType=`],
      gets: { status: 200, headers: { 'oci-filters-applied': undefined }, json: answered(...all) },
    },
    {
      it: 'is empty for a manifest that nothing refers to, and for one that is not there',
      send: ['GET', `/v2/${NAME}/referrers/${digestOf('nothing')}`],
      gets: { status: 200, json: answered() },
    },
    {
      it: 'takes a sha512 digest',
      send: ['GET', `/v2/${NAME}/referrers/${digestOf('nothing', 'sha512')}`],
      gets: { status: 200, json: answered() },
    },
    {
      it: 'refuses a digest that is none',
      send: ['GET', `/v2/${NAME}/referrers/latest`],
      gets: { status: 400, code: 'DIGEST_INVALID' },
    },
    {
      it: 'refuses a digest of another algorithm',
      send: ['GET', `/v2/${NAME}/referrers/md5:0`],
      gets: { status: 400, code: 'DIGEST_INVALID' },
    },
    {
      // A 404 would tell clients that there is no such API (OCI distribution spec, *Listing referrers*).
      it: 'has an empty list for a repository that nobody pushed to',
      send: ['GET', `/v2/m/none/referrers/${digestOf('x')}`],
      gets: { status: 200, json: { schemaVersion: 2, mediaType: OCI_INDEX, manifests: [] } },
    },
    { it: 'takes no other method', send: ['POST', path], gets: { status: 405, headers: { allow: 'GET, HEAD' } } },
    { it: 'refuses a page of a size that is no number', send: ['GET', `${path}?n=x`], gets: { status: 400 } },
    {
      it: 'gives none for n=0',
      send: ['GET', `${path}?n=0`],
      gets: { status: 200, headers: { link: undefined }, json: answered() },
    },
    {
      it: 'asks who cannot read the repository to log in',
      by: ({ anonymous }) => anonymous,
      send: ['GET', path],
      gets: { status: 401, code: 'UNAUTHORIZED' },
    },
  ]);

  it('gives each once to those who follow the links, filtered or not, whatever the size of a page', async () => {
    const { admin } = registry();
    for (const [query, expected] of [
      ['', all],
      [`&artifactType=${SBOM}`, all.filter(({ artifactType }) => artifactType === SBOM)],
    ] as const)
      for (const size of [1, 2, 4]) {
        const found: Descriptor[] = [];
        for (let next: string | undefined = `${path}?n=${size}${query}`; next !== undefined; ) {
          const page = await pageOf(admin, next);
          found.push(...(page.json.manifests as readonly Descriptor[]));
          next = page.next;
        }
        expect(found).to.deep.equal(inOrder(expected));
      }
  });

  it('lists those that came before their subject, which the push confirms, and none that was deleted', async () => {
    const { admin } = registry();
    const late = manifestOf(imageManifest({ layers: LAYERS.slice(0, 1) }));
    const early = manifestOf(imageManifest({ artifactType: SIGNATURE, subject: subjectOf(late) }));
    await exchange(admin, put(NAME, 'early', early), { status: 201, headers: { 'oci-subject': late.digest } });
    const ofLate = `/v2/${NAME}/referrers/${late.digest}`;
    await exchange(admin, ['GET', ofLate], { status: 200, json: answered(listed(early, SIGNATURE)) });
    await exchange(admin, put(NAME, 'late', late), { status: 201 });
    await exchange(admin, ['GET', ofLate], { status: 200, json: answered(listed(early, SIGNATURE)) });
    await exchange(admin, ['DELETE', `/v2/${NAME}/manifests/${early.digest}`], { status: 202 });
    await exchange(admin, ['GET', ofLate], { status: 200, json: answered() });
  });

  it('lists what refers to a referrer, what refers to an index, and an index with images and a subject', async () => {
    const { admin } = registry();
    const pushed = async (value: object, mediaType = OCI_MANIFEST): Promise<Manifest> => {
      const manifest = manifestOf(value, mediaType);
      await exchange(admin, put(NAME, manifest.digest, manifest), { status: 201 });
      return manifest;
    };
    const indexed = { schemaVersion: 2, mediaType: OCI_INDEX };
    const child = await pushed(imageManifest({ annotations: { n: 'child' } }));
    const nested = await pushed({ ...indexed, manifests: [subjectOf(child)] }, OCI_INDEX);
    const root = await pushed({ ...indexed, manifests: [subjectOf(nested), subjectOf(child)] }, OCI_INDEX);
    const first = await pushed(imageManifest({ artifactType: SIGNATURE, subject: subjectOf(nested) }));
    const second = await pushed(imageManifest({ artifactType: SIGNATURE, subject: subjectOf(first) }));
    const list = await pushed(
      { ...indexed, manifests: [subjectOf(child)], artifactType: SBOM, subject: subjectOf(root) },
      OCI_INDEX,
    );
    for (const [subject, ...expected] of [
      [nested, listed(first, SIGNATURE)],
      [first, listed(second, SIGNATURE)],
      [root, listed(list, SBOM)],
      [child],
      [second],
    ] as const)
      await exchange(admin, ['GET', `/v2/${NAME}/referrers/${subject.digest}`], { status: 200, json: answered(...expected) });
    // A tag that goes takes nothing with it.
    await exchange(admin, put(NAME, 'signed', first), { status: 201 });
    await exchange(admin, ['DELETE', `/v2/${NAME}/manifests/signed`], { status: 202 });
    await exchange(admin, ['GET', `/v2/${NAME}/referrers/${nested.digest}`], {
      status: 200,
      json: answered(listed(first, SIGNATURE)),
    });
  });

  it('lists by sha512 what names its subject so, and keeps the algorithms apart', async () => {
    const { admin } = registry();
    const bytes = Buffer.from(JSON.stringify(imageManifest({ annotations: { n: 'sha512' } })));
    const byLong = { mediaType: OCI_MANIFEST, digest: digestOf(bytes, 'sha512'), size: bytes.length };
    const referrer = manifestOf(imageManifest({ artifactType: SBOM, subject: byLong }));
    const digest = digestOf(referrer.bytes, 'sha512');
    await exchange(admin, put(NAME, digest, referrer), { status: 201, headers: { 'oci-subject': byLong.digest } });
    await exchange(admin, ['GET', `/v2/${NAME}/referrers/${byLong.digest}`], {
      status: 200,
      json: answered(listed({ ...referrer, digest }, SBOM)),
    });
    await exchange(admin, ['GET', `/v2/${NAME}/referrers/${digestOf(bytes)}`], { status: 200, json: answered() });
  });

  it('lists one of a type that nobody here knows by its subject, and not by what is none', async () => {
    const { admin } = registry();
    const type = 'application/vnd.example.certificate+json';
    const subject = subjectOf(manifestOf({ another: 'subject' }));
    const known = manifestOf({ schemaVersion: 2, subject, artifactType: SBOM }, type);
    const letter = manifestOf({ schemaVersion: 2, subject: 'Dear all', artifactType: [1] }, type);
    await exchange(admin, put(NAME, 'known', known), { status: 201, headers: { 'oci-subject': (subject as Descriptor).digest } });
    await exchange(admin, put(NAME, 'letter', letter), { status: 201, headers: { 'oci-subject': undefined } });
    await exchange(admin, ['GET', `/v2/${NAME}/referrers/${(subject as Descriptor).digest}`], {
      status: 200,
      json: answered(listed(known, SBOM)),
    });
  });

  it('keeps what refers to a subject that was deleted', async () => {
    const { admin } = registry();
    const subject = manifestOf(imageManifest({ layers: LAYERS.slice(0, 2) }));
    const referrer = manifestOf(imageManifest({ artifactType: SIGNATURE, subject: subjectOf(subject) }));
    await pushManifest(admin, NAME, subject.digest, subject);
    await pushManifest(admin, NAME, referrer.digest, referrer);
    await exchange(admin, ['DELETE', `/v2/${NAME}/manifests/${subject.digest}`], { status: 202 });
    await exchange(admin, ['GET', `/v2/${NAME}/referrers/${subject.digest}`], {
      status: 200,
      json: answered(listed(referrer, SIGNATURE)),
    });
  });

  it('gives large annotations in full, on as many pages as that takes', async () => {
    const { admin } = registry();
    const subject = subjectOf(manifestOf({ some: 'subject' }));
    const large = ['a', 'b', 'c'].map((letter) =>
      manifestOf(imageManifest({ artifactType: SBOM, subject, annotations: { text: letter.repeat(3_000_000) } }), OCI_MANIFEST),
    );
    for (const manifest of large) await pushManifest(admin, NAME, manifest.digest, manifest);
    const found: Descriptor[] = [];
    let pages = 0;
    for (let next: string | undefined = `/v2/${NAME}/referrers/${(subject as Descriptor).digest}`; next !== undefined; pages++) {
      const answer = await admin.send('GET', next);
      expect(answer.body.length).to.be.lessThan(5_000_000);
      found.push(...(jsonOf(answer).manifests as readonly Descriptor[]));
      next = /<([^>]+)>/.exec(String(answer.headers.link ?? ''))?.[1];
    }
    expect(found.map(({ annotations }) => annotations?.text?.length)).to.deep.equal([3_000_000, 3_000_000, 3_000_000]);
    expect(found.map(({ digest }) => digest)).to.deep.equal(inOrder(large.map((one) => listed(one))).map(({ digest }) => digest));
    expect(pages).to.equal(3);
  });
});
