import { blob, image } from '../content.ts';
import { begin, finish, pushBlob, pushed, put } from '../pushing.ts';
import { type Exchange, gets, type Row, refused, row, send } from '../row.ts';

// What clients use, and neither version asks for.

const FIRST = image('first');
const SECOND = image('second');
const STANDS = (one = FIRST): Exchange => send('GET /v2/{repo}/manifests/v1', gets(200, {}, { body: one.manifest.bytes }));
const NO_CONDITIONS = { 201: 'it heeds no conditions on a push' };
const conditional = (
  headers: Readonly<Record<string, string>>,
  expected: Exchange['expected'][number],
  unless = {},
): Exchange => ({
  ...put(SECOND.manifest, expected, { reference: 'v1', headers }),
  unless,
});

const SWAP = 'beyond: compare-and-swap of a tag';
const swaps: readonly Row[] = [
  row(SWAP, 'clients', 'If-Match with what the tag points at: 201', [
    pushed(FIRST, 'v1'),
    SECOND.blobs.flatMap((one) => pushBlob(one)),
    conditional({ 'if-match': `"${FIRST.manifest.digest}"` }, gets(201)),
    STANDS(SECOND),
  ]),
  row(SWAP, 'clients', 'If-Match with another: 412, and the tag stays', [
    pushed(FIRST, 'v1'),
    SECOND.blobs.flatMap((one) => pushBlob(one)),
    conditional({ 'if-match': `"${SECOND.manifest.digest}"` }, { status: 412 }, NO_CONDITIONS),
    STANDS(),
  ]),
  row(SWAP, 'clients', 'If-None-Match: * on a tag that is there: 412, and the tag stays', [
    pushed(FIRST, 'v1'),
    SECOND.blobs.flatMap((one) => pushBlob(one)),
    conditional({ 'if-none-match': '*' }, { status: 412 }, NO_CONDITIONS),
    STANDS(),
  ]),
  row(SWAP, 'clients', 'If-None-Match: * on a tag that is not there: 201', [
    SECOND.blobs.flatMap((one) => pushBlob(one)),
    conditional({ 'if-none-match': '*' }, gets(201)),
    STANDS(SECOND),
  ]),
];

const NO_SUCH = { 404: 'it does not delete repositories', 405: 'it does not delete repositories' };
const REPOSITORY = 'beyond: DELETE /v2/<name>';
const repositories: readonly Row[] = [
  row(REPOSITORY, 'clients', 'takes the repository with its tags, manifests and blobs, and leaves others', [
    pushed(FIRST, 'v1'),
    pushed(FIRST, 'v1', '{repo}/a'),
    send('DELETE /v2/{repo}', gets(202), {}, { unless: NO_SUCH }),
    send('GET /v2/{repo}/tags/list', refused(404, 'NAME_UNKNOWN')),
    send('GET /v2/{repo}/manifests/v1', refused(404, ['NAME_UNKNOWN', 'MANIFEST_UNKNOWN'])),
    send(`GET /v2/{repo}/blobs/${FIRST.blobs[0]?.digest}`, refused(404, ['NAME_UNKNOWN', 'BLOB_UNKNOWN'])),
    send('GET /v2/{repo}/a/manifests/v1', gets(200)),
  ]),
  row(REPOSITORY, 'clients', 'a second time: 404; pushed again, it is a new one', [
    pushed(FIRST, 'v1'),
    send('DELETE /v2/{repo}', gets(202), {}, { unless: NO_SUCH }),
    send('DELETE /v2/{repo}', refused(404, 'NAME_UNKNOWN')),
    pushed(SECOND, 'v2'),
    send('GET /v2/{repo}/tags/list', gets(200, {}, { json: ({ tags }) => String(tags) !== 'v2' && `the tags are ${tags}` })),
  ]),
];

const connections: readonly Row[] = [
  row('beyond: Expect: 100-continue', 'clients', 'a PUT that waits for it', [
    begin(),
    {
      raw: 'PUT {location}',
      query: { digest: blob('expected', 50).digest },
      head: ['Expect: 100-continue', 'Content-Length: 50', 'Content-Type: application/octet-stream', 'Connection: close'],
      body: blob('expected', 50).bytes,
      expected: [gets(201)],
    },
    send(`GET /v2/{repo}/blobs/${blob('expected', 50).digest}`, gets(200, {}, { body: blob('expected', 50).bytes })),
  ]),
  row('beyond: keep-alive', 'clients', 'after a refusal, the next request of the connection is answered', [
    begin(),
    finish('sha256:none', { body: 'x'.repeat(100_000) }, refused(400, 'DIGEST_INVALID')),
    send('GET {location}', gets(204)),
  ]),
];

export const BEYOND: readonly Row[] = [...swaps, ...repositories, ...connections];
