import { inventory, inventoryBlobKey } from '../../src/projections/inventory.ts';
import {
  as,
  at,
  config,
  content,
  created,
  ended,
  heldAgain,
  image,
  imageOf,
  index,
  LIFE,
  layer,
  linked,
  otherImage,
  otherLayer,
  pushed,
  released,
  removed,
  tagged,
  unlinked,
  untagged,
  withImage,
} from '../support/facts.ts';
import { projecting, type Told } from '../support/projecting.ts';

const blob = ({ digest, size }: { digest: typeof layer.digest; size: number }, links: number, references: number, n: number) => ({
  [inventoryBlobKey(digest)]: { size, links, references, createdAt: at(n), linked: true },
});
const gone = ({ digest, size }: { digest: typeof layer.digest; size: number }, named: number) => ({
  [inventoryBlobKey(digest)]: { named, size },
});
const recoverable = (...all: readonly { size: number }[]) => ({
  recoverableBlobs: all.length,
  recoverableBytes: all.reduce((sum, { size }) => sum + size, 0),
});
const manifest = ({ digest }: typeof image, document: object) => ({ [`manifest/${LIFE}/${digest}`]: document });
const repository = (manifests: number) => ({ [`repository/${LIFE}`]: { manifests } });
const pushes = (count: number) => ({ pushes: { pushes: count } });

/** The same in another repository, or in the next life of the same one. */
const elsewhere = <T extends Told>(told: T): T => ({ ...told, data: { ...(told.data as object), repositoryId: 'life-2' } });

const documents = (...parts: readonly Readonly<Record<string, object>>[]) => Object.assign({}, ...parts) as Record<string, never>;

const one = { blobs: 2, links: 2, uniqueBytes: 15, logicalBytes: 15 };
const bytes = config.size + layer.size;
const counted = { ...one, uniqueBytes: bytes, logicalBytes: bytes };
const withManifest = { ...counted, references: 2, manifests: 1, untagged: 1, repositories: 1, pushes: 1 };

describe('the inventory', () => {
  it('has a blob from its first link on, with its size and when that was', () =>
    projecting(inventory)(created, linked(layer)).yields(documents(blob(layer, 1, 0, 1))));

  it('has a document for each manifest and for each life that holds one, and counts what was ever stored', () =>
    projecting(inventory)(...withImage).yields(
      documents(blob(config, 1, 1, 1), blob(layer, 1, 1, 2), manifest(image, { tags: 0 }), repository(1), pushes(1)),
    ));

  it('counts a blob once, and each repository that links it', () => {
    const twice = projecting(inventory)(created, linked(layer), elsewhere(created), elsewhere(linked(layer)));
    twice.yields(documents(blob(layer, 2, 0, 1)));
    const { size } = layer;
    const unreferenced = { unreferencedBlobs: 1, unreferencedBytes: size };
    twice.addsUpTo({ blobs: 1, links: 2, uniqueBytes: size, logicalBytes: 2 * size, ...unreferenced });
  });

  it('has no blob any more with its last link, and takes one that comes back for a new one', () => {
    projecting(inventory)(created, linked(layer), elsewhere(linked(layer)), unlinked(layer)).yields(
      documents(blob(layer, 1, 0, 1)),
    );
    projecting(inventory)(created, linked(layer), unlinked(layer), linked(layer)).yields(documents(blob(layer, 1, 0, 3)));
  });

  it('knows of a blob without a link that its bytes are still there, whoever names it', () => {
    const deleted = projecting(inventory)(created, linked(layer), unlinked(layer));
    deleted.yields(documents(gone(layer, 0)));
    deleted.addsUpTo(recoverable(layer));
    const named = projecting(inventory)(...withImage, unlinked(layer, 'collected'), unlinked(config, 'repositoryDeleted'));
    named.addsUpTo({
      ...{ manifests: 1, untagged: 1, repositories: 1, pushes: 1 },
      ...recoverable(layer, config),
    });
    projecting(inventory)(...withImage, unlinked(layer), removed(image), unlinked(config)).yields(
      documents(gone(layer, 0), gone(config, 0), pushes(1)),
    );
    projecting(inventory)(created, linked(layer), unlinked(layer), pushed(image)).yields(
      documents(
        ...[gone(layer, 1), { [inventoryBlobKey(config.digest)]: { named: 1 } }],
        ...[manifest(image, { tags: 0 }), repository(1), pushes(1)],
      ),
    );
  });

  it('forgets what it knew of a blob that is linked again, and has nothing of one whose bytes were missing', () => {
    const size = layer.size;
    projecting(inventory)(created, linked(layer), unlinked(layer), linked(layer)).addsUpTo({
      ...{ blobs: 1, links: 1, uniqueBytes: size, logicalBytes: size, unreferencedBlobs: 1, unreferencedBytes: size },
    });
    projecting(inventory)(created, linked(layer), unlinked(layer, 'missing')).yields({});
    projecting(inventory)(created, linked(layer), unlinked(layer, 'missing')).addsUpTo({});
    projecting(inventory)(created, linked(layer), unlinked(layer), linked(layer), unlinked(layer, 'missing')).addsUpTo({});
  });

  it('counts a blob once for each manifest that names it, however often that does', () => {
    const twice = imageOf(
      'with a layer twice',
      as('config', config),
      as('layer', config),
      as('layer', layer),
      as('layer', layer),
    );
    projecting(inventory)(created, linked(config), linked(layer), pushed(twice)).addsUpTo(withManifest);
  });

  it('counts what a manifest names only where some repository links it', () => {
    const sparse = projecting(inventory)(created, linked(config), pushed(image));
    sparse.addsUpTo({
      ...{ blobs: 1, links: 1, uniqueBytes: config.size, logicalBytes: config.size, references: 1 },
      ...{ manifests: 1, untagged: 1, repositories: 1, pushes: 1 },
    });
    projecting(inventory)(created, linked(config), pushed(image), linked(layer)).addsUpTo(withManifest);
    projecting(inventory)(...withImage, unlinked(layer, 'missing'), linked(layer)).addsUpTo(withManifest);
  });

  it('takes a blob that an index lists for one that is named: so build tools keep their caches', () => {
    const cache = { ...imageOf('a cache'), references: [as('manifest', layer)] };
    projecting(inventory)(created, linked(layer), pushed(cache)).addsUpTo({
      ...{ blobs: 1, links: 1, uniqueBytes: layer.size, logicalBytes: layer.size, references: 1 },
      ...{ manifests: 1, untagged: 1, repositories: 1, pushes: 1 },
    });
  });

  it('takes neither a manifest that an index lists nor a subject for a blob', () => {
    const { blobs, references } = { blobs: 3, references: 4 };
    const { size } = otherLayer;
    projecting(inventory)(...withImage, linked(otherLayer), pushed(otherImage), pushed(index)).addsUpTo({
      ...{ blobs, links: 3, uniqueBytes: bytes + size, logicalBytes: bytes + size, references },
      ...{ manifests: 3, untagged: 3, repositories: 1, pushes: 3 },
    });
  });

  it('shows the blobs of a manifest that is gone as unreferenced', () =>
    projecting(inventory)(...withImage, removed(image)).addsUpTo({
      ...{ ...counted, pushes: 1, unreferencedBlobs: 2, unreferencedBytes: bytes },
    }));

  it('counts tags, and manifests that have none', () => {
    const { untagged: _none, ...tags } = withManifest;
    projecting(inventory)(...withImage, tagged('latest', image), tagged('v1', image)).addsUpTo({ ...tags, tags: 2 });
    const deleted = [...withImage, tagged('latest', image), untagged('latest', image, at(4))] as const;
    projecting(inventory)(...deleted).addsUpTo(withManifest);
  });

  it('counts a tag that moves where it is now', () =>
    projecting(inventory)(
      ...withImage,
      linked(otherLayer),
      pushed(otherImage),
      tagged('latest', image),
      tagged('latest', otherImage, { digest: image.digest, since: at(6) }),
    ).yields(
      documents(
        ...[blob(config, 1, 2, 1), blob(layer, 1, 1, 2), blob(otherLayer, 1, 1, 4), repository(2), pushes(2)],
        ...[manifest(image, { tags: 0 }), manifest(otherImage, { tags: 1 })],
      ),
    ));

  it('knows of a manifest that a tag has moved away from when that was, and of others only that nothing holds them', () => {
    const moved = [...withImage, released(image, 'tagMoved')] as const;
    projecting(inventory)(...moved).yields(
      documents(
        ...[blob(config, 1, 1, 1), blob(layer, 1, 1, 2), repository(1), pushes(1)],
        manifest(image, { tags: 0, movedAwayAt: at(4) }),
      ),
    );
    projecting(inventory)(...moved).addsUpTo({ ...withManifest, 'movedAwayOn2026-01-01': 1 });
    for (const cause of ['tagDeleted', 'parentDeleted', 'subjectDeleted'] as const)
      projecting(inventory)(...withImage, released(image, cause)).addsUpTo({ ...withManifest, released: 1 });
  });

  it('forgets that when something holds the manifest again', () => {
    for (const cause of ['tagMoved', 'tagDeleted'] as const)
      projecting(inventory)(...withImage, released(image, cause), heldAgain(image, 'tag')).addsUpTo(withManifest);
    projecting(inventory)(
      ...withImage,
      released(image, 'tagMoved'),
      heldAgain(image, 'tag'),
      released(image, 'tagDeleted'),
    ).addsUpTo({ ...withManifest, released: 1 });
  });

  it('has no repository any more the moment that it is deleted, and the rest until that is on record', () => {
    const { repositories: _one, ...rest } = withManifest;
    projecting(inventory)(...withImage, ended(1, 0)).addsUpTo(rest);
    const rests = [
      removed(image, 'repositoryDeleted'),
      unlinked(config, 'repositoryDeleted'),
      unlinked(layer, 'repositoryDeleted'),
    ];
    projecting(inventory)(...withImage, ended(1, 0), ...rests).addsUpTo({ pushes: 1, ...recoverable(config, layer) });
  });

  it('takes nothing of the next life for something of the one that is being cleared', () => {
    const next = [created, linked(config), linked(layer), pushed(image), tagged('latest', image)].map(elsewhere);
    const last = [ended(1, 1), untagged('latest', image, at(4), 'repositoryDeleted'), removed(image, 'repositoryDeleted')];
    const cleared = [unlinked(config, 'repositoryDeleted'), unlinked(layer, 'repositoryDeleted')];
    const { untagged: _none, ...tags } = withManifest;
    projecting(inventory)(...withImage, tagged('latest', image), last[0] as Told, ...next, ...last.slice(1), ...cleared).addsUpTo(
      {
        ...{ ...tags, tags: 1, pushes: 2 },
      },
    );
  });

  it('keeps a document slim, however large the manifests are', () => {
    const layers = Array.from({ length: 4000 }, (_, n) => content(`layer ${n}`));
    const large = imageOf('a large image', ...layers.map((one) => as('layer', one)));
    projecting(inventory)(created, pushed(large), tagged('latest', large)).yields(
      documents(
        ...layers.map(({ digest }) => ({ [inventoryBlobKey(digest)]: { named: 1 } })),
        ...[manifest(large, { tags: 1 }), repository(1), pushes(1)],
      ),
    );
  });
});
