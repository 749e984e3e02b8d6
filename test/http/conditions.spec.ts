import { expect } from 'chai';
import { registryFor } from '../support/app.ts';
import { pushImage } from '../support/http.ts';
import { digestOf, type Manifest } from '../support/images.ts';
import { type Exchange, exchange, exchanges } from './exchanges.ts';
import { IMAGE, imageManifest, manifestOf } from './manifestSamples.ts';

const NAME = 'm/app';
const FIRST = IMAGE.manifest;
const next = manifestOf(imageManifest({ annotations: { version: '2' } }));
const etagOf = ({ digest }: Manifest): string => `"${digest}"`;

const putIf = (
  reference: string,
  { bytes, mediaType }: Manifest,
  headers: Readonly<Record<string, string>>,
): Exchange['send'] => [
  'PUT',
  `/v2/${NAME}/manifests/${reference}`,
  { body: bytes, headers: { 'content-type': mediaType, ...headers } },
];
const refused = { status: 412, code: 'DENIED', detail: { tag: 'latest', digest: FIRST.digest } } as const;

describe('a push on a condition', () => {
  const registry = registryFor();

  before(() => pushImage(registry().admin, NAME, 'latest', IMAGE));

  exchanges(registry, [
    { it: 'is refused where the tag is elsewhere', send: putIf('latest', next, { 'if-match': etagOf(next) }), gets: refused },
    { it: 'is refused where a tag may not be, and is', send: putIf('latest', next, { 'if-none-match': '*' }), gets: refused },
    {
      it: 'is refused by a weak etag, which is no proof',
      send: putIf('latest', next, { 'if-match': `W/${etagOf(FIRST)}` }),
      gets: refused,
    },
    { it: 'is refused by what is no etag', send: putIf('latest', next, { 'if-match': FIRST.digest }), gets: refused },
    {
      it: 'is refused where the tag may not be there, also weakly',
      send: putIf('latest', next, { 'if-none-match': `"other", W/${etagOf(FIRST)}` }),
      gets: refused,
    },
    {
      it: 'is refused where there is no tag to match',
      send: putIf('none', next, { 'if-match': '*' }),
      gets: { status: 412, detail: { tag: 'none', digest: null } },
    },
    { it: 'has moved nothing by then', send: ['GET', `/v2/${NAME}/manifests/latest`], gets: { status: 200, bytes: FIRST.bytes } },
    {
      it: 'happens where the tag is new and has to be',
      send: putIf('new', next, { 'if-none-match': '*' }),
      gets: { status: 201, headers: { etag: etagOf(next) } },
    },
    {
      it: 'happens where the tag is what the client has read',
      send: putIf('latest', next, { 'if-match': `"x", ${etagOf(FIRST)}` }),
      gets: { status: 201 },
    },
    {
      it: 'happens once: the tag is elsewhere now',
      send: putIf('latest', next, { 'if-match': etagOf(FIRST) }),
      gets: { status: 412 },
    },
  ]);

  it('by digest is about the manifest itself', async () => {
    const { admin } = registry();
    const own = manifestOf(imageManifest({ annotations: { by: 'digest' } }));
    const send = (headers: Readonly<Record<string, string>>) => putIf(own.digest, own, headers);
    await exchange(admin, send({ 'if-match': etagOf(own) }), { status: 412, detail: { tag: null, digest: null } });
    await exchange(admin, send({ 'if-none-match': '*' }), { status: 201 });
    await exchange(admin, send({ 'if-none-match': '*' }), { status: 412, detail: { tag: null, digest: own.digest } });
    await exchange(admin, send({ 'if-none-match': `"x", "${own.digest}"` }), { status: 412 });
    for (const etags of ['*', `"x" , ${etagOf(own)}`]) await exchange(admin, send({ 'if-match': etags }), { status: 201 });
    await exchange(admin, send({ 'if-match': '*', 'if-none-match': '"x"' }), { status: 201 });
  });

  it('lets one of many swap a tag', async () => {
    const { admin } = registry();
    const rivals = Array.from({ length: 12 }, (_, n) => manifestOf(imageManifest({ annotations: { rival: String(n) } })));
    const answers = await Promise.all(
      rivals.map((rival) => {
        const [method, path, sending] = putIf('latest', rival, { 'if-match': etagOf(next) });
        return admin.send(method, path, sending);
      }),
    );
    expect(answers.map(({ status }) => status).filter((status) => status === 201)).to.have.lengthOf(1);
    expect(answers.filter(({ status }) => status === 412)).to.have.lengthOf(rivals.length - 1);
    const winner = rivals[answers.findIndex(({ status }) => status === 201)];
    await exchange(admin, ['GET', `/v2/${NAME}/manifests/latest`], { status: 200, bytes: winner?.bytes ?? Buffer.alloc(0) });
  });

  it('by a digest and tags in the query tells each tag in a header of its own', async () => {
    const { admin } = registry();
    const manifest = manifestOf(imageManifest({ annotations: { many: 'tags' } }));
    const path = `/v2/${NAME}/manifests/one?tag=two&tag=three`;
    const message = await admin.open('PUT', path, { body: manifest.bytes, headers: { 'content-type': manifest.mediaType } });
    message.resume();
    const names = message.rawHeaders.filter((_text, n) => n % 2 === 0 && message.rawHeaders[n]?.toLowerCase() === 'oci-tag');
    expect(names).to.have.lengthOf(3);
    expect(String(message.headers['oci-tag'])).to.equal('one, two, three');
    expect(message.headers['docker-content-digest']).to.equal(digestOf(manifest.bytes));
  });
});
