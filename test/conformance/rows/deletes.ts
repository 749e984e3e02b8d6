import { absent, blob, descriptor, image, index, manifest } from '../content.ts';
import { DELETES_OFF, isList, NO_TAG_DELETES, pushBlob, pushed, put, remove, removeTag } from '../pushing.ts';
import { type Exchange, gets, type Row, refused, row, send } from '../row.ts';

const IMAGE = image('deleted');
const MANIFEST = `/v2/{repo}/manifests/${IMAGE.manifest.digest}`;
const LAYER = IMAGE.blobs[1]?.digest ?? '';
/** Another manifest of the same blobs. */
const SAME_LAYERS = manifest({ ...JSON.parse(IMAGE.manifest.bytes.toString()), annotations: { another: 'one' } });
const UNKNOWN = refused(404, 'MANIFEST_UNKNOWN');

const there = (path: string): Exchange => send(`GET ${path}`, gets(200));
const gone = (path: string, code = 'MANIFEST_UNKNOWN'): readonly Exchange[] => [
  send(`GET ${path}`, refused(404, [code, 'NAME_UNKNOWN'])),
  send(`HEAD ${path}`, gets(404)),
];
const tagsAre = (...tags: readonly string[]): Exchange =>
  send('GET /v2/{repo}/tags/list', gets(200, {}, { json: ({ tags: found }) => isList(found ?? [], tags) }));

const FREE = blob('free', 70);
const FREE_PATH = `/v2/{repo}/blobs/${FREE.digest}`;
const REFERENCED = 'Delete: blob that a manifest references → 405 UNSUPPORTED';
const KEPT = refused(405, 'UNSUPPORTED', { allow: /GET/ });
const WHOLE = { 202: 'it deletes blobs that images need' };
const keeps = (digest: string): Exchange => send(`DELETE /v2/{repo}/blobs/${digest}`, KEPT, {}, { unless: WHOLE });

export const DELETES: readonly Row[] = [
  row('Delete: tag → the tag only', '1.1', 'the manifest and its other tags stay', [
    pushed(IMAGE, 'v1'),
    put(IMAGE.manifest, gets(201), { reference: 'v2' }),
    removeTag('v1'),
    gone('/v2/{repo}/manifests/v1'),
    there('/v2/{repo}/manifests/v2'),
    there(MANIFEST),
    tagsAre('v2'),
  ]),
  row('Delete: tag → the tag only', '1.1', 'it can be set again', [
    pushed(IMAGE, 'v1'),
    removeTag('v1'),
    put(IMAGE.manifest, gets(201), { reference: 'v1' }),
    there('/v2/{repo}/manifests/v1'),
  ]),
  row('Delete: manifest by digest → with every tag that points at it', '1.1', 'and no other', [
    pushed(IMAGE, 'v1'),
    put(IMAGE.manifest, gets(201), { reference: 'v2' }),
    pushed(image('stays'), 'v3'),
    remove(MANIFEST),
    gone(MANIFEST),
    gone('/v2/{repo}/manifests/v1'),
    gone('/v2/{repo}/manifests/v2'),
    there('/v2/{repo}/manifests/v3'),
    tagsAre('v3'),
  ]),
  row('Delete: manifest by digest → with every tag that points at it', '1.1', 'of sha512', [
    pushed(image('deleted 512', { algorithm: 'sha512' })),
    remove(`/v2/{repo}/manifests/${image('deleted 512', { algorithm: 'sha512' }).manifest.digest}`),
    gone(`/v2/{repo}/manifests/${image('deleted 512', { algorithm: 'sha512' }).manifest.digest}`),
  ]),
  row('Delete: manifest by digest → with every tag that points at it', '1.1', 'it can be pushed again, its blobs are there', [
    pushed(IMAGE, 'v1'),
    remove(MANIFEST),
    IMAGE.blobs.map(({ digest }) => there(`/v2/{repo}/blobs/${digest}`)),
    put(IMAGE.manifest, gets(201), { reference: 'v1' }),
    there('/v2/{repo}/manifests/v1'),
  ]),
  row('Delete: blob → out of this repository only', '1.1', 'another repository keeps it', [
    pushBlob(FREE),
    pushBlob(FREE, '{other}'),
    remove(FREE_PATH),
    gone(FREE_PATH, 'BLOB_UNKNOWN'),
    there(`/v2/{other}/blobs/${FREE.digest}`),
  ]),
  row('Delete: blob → out of this repository only', '1.1', 'it can be pushed again', [
    pushBlob(FREE),
    remove(FREE_PATH),
    pushBlob(FREE),
    send(`GET ${FREE_PATH}`, gets(200, {}, { body: FREE.bytes })),
  ]),
  row('Delete: blob that the repository does not have → 404', '1.1', 'one that is nowhere, and one of another repository', [
    pushBlob(blob('its own', 30)),
    pushBlob(FREE, '{other}'),
    [absent('deleted'), FREE.digest].map((digest) =>
      send(`DELETE /v2/{repo}/blobs/${digest}`, refused(404, 'BLOB_UNKNOWN'), {}, { unless: DELETES_OFF }),
    ),
  ]),
  row(REFERENCED, 'clients', 'config and layer of an image', [
    pushed(IMAGE, 'v1'),
    IMAGE.blobs.map(({ digest }) => keeps(digest)),
    IMAGE.blobs.map(({ digest }) => there(`/v2/{repo}/blobs/${digest}`)),
  ]),
  row(REFERENCED, 'clients', 'after its manifest it goes', [
    pushed(IMAGE, 'v1'),
    remove(MANIFEST),
    remove(`/v2/{repo}/blobs/${LAYER}`),
    gone(`/v2/{repo}/blobs/${LAYER}`, 'BLOB_UNKNOWN'),
  ]),
  row(REFERENCED, 'clients', 'of two manifests, after both', [
    pushed(IMAGE, 'v1'),
    put(SAME_LAYERS),
    remove(MANIFEST),
    keeps(LAYER),
    remove(`/v2/{repo}/manifests/${SAME_LAYERS.digest}`),
    remove(`/v2/{repo}/blobs/${LAYER}`),
  ]),
  row('Delete: gone at once', '1.1', 'tag, manifest and blob, for the very next request, many times', [
    pushed(IMAGE),
    Array.from({ length: 5 }, (_, turn) => [
      put(IMAGE.manifest, gets(201), { reference: `v${turn}` }),
      there(`/v2/{repo}/manifests/v${turn}`),
      removeTag(`v${turn}`),
      gone(`/v2/{repo}/manifests/v${turn}`),
      tagsAre(),
    ]).flat(2),
    remove(MANIFEST),
    gone(MANIFEST),
    IMAGE.blobs.flatMap(({ digest }) => [
      remove(`/v2/{repo}/blobs/${digest}`),
      ...gone(`/v2/{repo}/blobs/${digest}`, 'BLOB_UNKNOWN'),
    ]),
  ]),
  row('Delete: a second delete → 404', '1.1', 'of a tag', [
    pushed(IMAGE, 'v1'),
    removeTag('v1'),
    send('DELETE /v2/{repo}/manifests/v1', UNKNOWN),
  ]),
  row('Delete: a second delete → 404', '1.1', 'of a manifest', [
    pushed(IMAGE, 'v1'),
    remove(MANIFEST),
    send(`DELETE ${MANIFEST}`, UNKNOWN),
  ]),
  row('Delete: a second delete → 404', '1.1', 'of a blob', [
    pushBlob(FREE),
    remove(FREE_PATH),
    send(`DELETE ${FREE_PATH}`, refused(404, 'BLOB_UNKNOWN')),
  ]),
  row('Delete: a second delete → 404', '1.1', 'of what never was', [
    pushed(IMAGE, 'v1'),
    send('DELETE /v2/{repo}/manifests/never', UNKNOWN, {}, { unless: NO_TAG_DELETES }),
    send(`DELETE /v2/{repo}/manifests/${absent('never')}`, UNKNOWN, {}, { unless: DELETES_OFF }),
  ]),
  row('Delete: switched off → 405', '1.1', 'with UNSUPPORTED and Allow, of tag, manifest and blob', [
    pushed(IMAGE, 'v1'),
    pushBlob(FREE),
    [MANIFEST, FREE_PATH].map((path) =>
      send(`DELETE ${path}`, refused(405, 'UNSUPPORTED', { allow: /GET/ }), {}, { unless: { 202: 'it deletes' } }),
    ),
    there('/v2/{repo}/manifests/v1'),
  ]),
  row('Delete: manifest by digest → with every tag that points at it', '1.1', 'an index goes, its children stay', [
    pushed(IMAGE),
    put(index('deleted', [descriptor(IMAGE.manifest)]), gets(201), { reference: 'v1' }),
    remove(`/v2/{repo}/manifests/${index('deleted', [descriptor(IMAGE.manifest)]).digest}`),
    gone('/v2/{repo}/manifests/v1'),
    there(MANIFEST),
  ]),
];
