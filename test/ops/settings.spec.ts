import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { SETTINGS } from '../../src/settings.ts';
import { filesIn, IMAGE, RELEASE, ROOT, textOf } from './files.ts';

const FILES = [...filesIn('ops'), ...filesIn('docs'), 'README.md'].filter((path) => !path.endsWith('/.env'));

/** Names of whole families, as prose says them: `GHOSTDOCK_TEST_*`. */
const isFamily = (name: string): boolean => name.endsWith('_');

/** What the test suites and the conformance command go by, and the registry does not. */
const isOfTools = (name: string): boolean => /^GHOSTDOCK_(?:TEST|CONFORMANCE)_/.test(name);

const mentions = (path: string, pattern: RegExp): readonly string[] => [...new Set(textOf(path).match(pattern) ?? [])];

describe('What operators read and run', () => {
  it('names no setting that the registry does not have', () => {
    const unknown = FILES.flatMap((path) =>
      mentions(path, /GHOSTDOCK_[A-Z_]+/g)
        .filter((name) => !(name in SETTINGS) && !isOfTools(name) && !isFamily(name))
        .map((name) => `${path}: ${name}`),
    );
    expect(unknown).to.deep.equal([]);
  });

  it('names every setting on the page of the configuration', () => {
    const named = mentions('docs/configuration.md', /GHOSTDOCK_[A-Z_]+/g);
    expect(Object.keys(SETTINGS).filter((name) => !named.includes(name))).to.deep.equal([]);
  });

  it('names one image, that of this release', () => {
    const images = FILES.flatMap((path) => mentions(path, /ghostdock-registry:[\w.-]+\w/g).map((image) => `${path} ${image}`));
    expect(images.length).to.be.greaterThan(4);
    expect(images.filter((image) => !image.endsWith(` ${IMAGE}`))).to.deep.equal([]);
    const versions = filesIn('ops/kubernetes').flatMap((path) =>
      [...textOf(path).matchAll(/(?:version|newTag): (\S+)/g)].map(([, version]) => `${path} ${version}`),
    );
    expect(versions.filter((version) => !version.endsWith(` ${RELEASE}`))).to.deep.equal([]);
  });

  it('links to pages that are there', () => {
    const pages = filesIn('docs').filter((path) => path.endsWith('.md'));
    const broken = pages.flatMap((page) =>
      [...textOf(page).matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)]
        .map(([, target = '']) => new URL(target, new URL(page, 'file:///')).pathname.slice(1))
        .filter((target) => !existsSync(join(ROOT, target)))
        .map((target) => `${page} → ${target}`),
    );
    expect(broken).to.deep.equal([]);
  });
});
