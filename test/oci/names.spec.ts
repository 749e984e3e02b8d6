import { expect } from 'chai';
import { RegistryError } from '../../src/errors.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { isTag, LONGEST_NAME, parseName, parseReference, parseTag } from '../../src/oci/names.ts';

const codeOf = (work: () => unknown): string => {
  try {
    work();
  } catch (error) {
    if (error instanceof RegistryError) return error.code;
    throw error;
  }
  return 'accepted';
};

const show = (text: string): string =>
  text.length > 40 ? `${JSON.stringify(text.slice(0, 30))}… (${text.length})` : JSON.stringify(text);

describe('a repository name', () => {
  const names = [
    'a',
    '0',
    'alpine',
    'library/alpine',
    'a/b/c/d/e/f/g/h',
    'a.b',
    'a_b',
    'a__b',
    'a-b',
    'a--b',
    'a-----b',
    '1.2.3',
    'a.b_c__d-e---f/0',
    'x'.repeat(LONGEST_NAME),
    `${'a/'.repeat(127)}a`,
    // Words of the registry's own paths are names like any other.
    'blobs/uploads',
    'manifests/tags/list',
    'v2/_catalog'.replace('_', ''),
  ];
  for (const name of names) it(`may be ${show(name)}`, () => expect(parseName(name)).to.equal(name));

  const refused = [
    '',
    '/',
    'a/',
    '/a',
    'a//b',
    '.',
    '..',
    '../a',
    'a/..',
    'a/../b',
    'a/./b',
    'a..b',
    '.a',
    'a.',
    '_a',
    'a_',
    '-a',
    'a-',
    'a/-b',
    'a-/b',
    'a___b',
    'a._b',
    'a-_b',
    'a.-b',
    'A',
    'Alpine',
    'library/Alpine',
    'a b',
    ' a',
    'a ',
    'a\n',
    '\na',
    'a\u0000',
    'a%2fb',
    'a\\b',
    'a:b',
    'a@b',
    'a?b',
    'a#b',
    'a*',
    '_catalog',
    'ä',
    'а', // Cyrillic
    'a/٣', // an Arabic digit
    '\ud800',
    'x'.repeat(LONGEST_NAME + 1),
    `${'a/'.repeat(127)}ab`,
  ];
  for (const name of refused)
    it(`may not be ${show(name)}`, () => expect(codeOf(() => parseName(name))).to.equal('NAME_INVALID'));

  it('is not repeated to the client any longer than a name can be', () => {
    const name = 'A'.repeat(100_000);
    expect(() => parseName(name))
      .to.throw(RegistryError)
      .with.property('detail')
      .deep.equal({ name: 'A'.repeat(LONGEST_NAME + 1) });
  });
});

describe('a tag', () => {
  const tags = ['latest', 'v1.0', '1', '_', '_x', 'A', 'a-b', 'a.b', 'a..b', 'a--', 'a.', 'V1_x-y.z', 'x'.repeat(128)];
  for (const tag of tags) it(`may be ${show(tag)}`, () => expect(parseTag(tag)).to.equal(tag));

  const refused = [
    '',
    '.',
    '..',
    '.a',
    '-a',
    'a/b',
    'a:b',
    'a@b',
    'a b',
    ' a',
    'a\n',
    '\u0000',
    'ä',
    'a+b',
    '%61',
    'x'.repeat(129),
  ];
  for (const tag of refused) {
    it(`may not be ${show(tag)}`, () => {
      expect(codeOf(() => parseTag(tag))).to.equal('TAG_INVALID');
      expect(isTag(tag)).to.equal(false);
    });
  }

  it('is not repeated to the client any longer than 200 characters', () => {
    expect(() => parseTag('!'.repeat(100_000)))
      .to.throw(RegistryError)
      .with.property('detail')
      .deep.equal({ tag: '!'.repeat(200) });
  });
});

describe('a reference', () => {
  const digest = digestOf('');
  const long = digestOf('', 'sha512');

  it('is a digest where there is a colon', () => {
    expect(parseReference(digest)).to.deep.equal({ digest });
    expect(parseReference(long)).to.deep.equal({ digest: long });
  });

  it('is else a tag, even one that looks like part of a digest', () => {
    for (const tag of ['latest', 'sha256', digest.slice(7)]) expect(parseReference(tag)).to.deep.equal({ tag });
  });

  const refused: readonly (readonly [string, string])[] = [
    ['', 'TAG_INVALID'],
    ['.hidden', 'TAG_INVALID'],
    ['a/b', 'TAG_INVALID'],
    ['x'.repeat(129), 'TAG_INVALID'],
    [':', 'DIGEST_INVALID'],
    ['latest:', 'DIGEST_INVALID'],
    ['sha256:', 'DIGEST_INVALID'],
    ['sha256:abc', 'DIGEST_INVALID'],
    ['md5:d41d8cd98f00b204e9800998ecf8427e', 'DIGEST_INVALID'],
    [digest.toUpperCase(), 'DIGEST_INVALID'],
    [`${digest}0`, 'DIGEST_INVALID'],
    [`latest@${digest}`, 'DIGEST_INVALID'],
  ];
  for (const [text, code] of refused) {
    it(`may not be ${show(text)}: ${code}`, () => expect(codeOf(() => parseReference(text))).to.equal(code));
  }
});

describe('hostile texts, however long', () => {
  // Each makes a grammar that backtracks take forever: runs that nearly match, in as many ways as there are to split them.
  const hostile = (length: number): readonly string[] =>
    ['a', 'a-', 'a--', '-', 'a__', 'a_', '_', 'a.', '.', 'a/', '/', 'a-a', '0', 'a_-'].flatMap((part) => {
      const run = part.repeat(Math.ceil(length / part.length)).slice(0, length - 1);
      return [`${run}!`, `!${run}`, `${run}\n`];
    });

  it('are refused as names, those of an allowed length too', () => {
    for (const text of [...hostile(LONGEST_NAME), ...hostile(1_000_000)])
      expect(
        codeOf(() => parseName(text)),
        show(text),
      ).to.equal('NAME_INVALID');
  });

  it('are refused as tags and references', () => {
    for (const text of [...hostile(128), ...hostile(1_000_000)]) {
      expect(
        codeOf(() => parseTag(text)),
        show(text),
      ).to.equal('TAG_INVALID');
      expect(
        codeOf(() => parseReference(`sha256:${text}`)),
        show(text),
      ).to.equal('DIGEST_INVALID');
    }
  });
});
