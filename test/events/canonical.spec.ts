import { createHash } from 'node:crypto';
import { expect } from 'chai';
import fc from 'fast-check';
import { canonicalJson, leafOf, mustBeJson, NotJson } from '../../src/events/canonical.ts';
import type { Recorded } from '../../src/events/event.ts';

const double = (hex: string): number => Buffer.from(hex, 'hex').readDoubleBE();

describe('Canonical JSON (RFC 8785)', () => {
  it('writes literals, numbers and strings as the example of section 3.2.2', () => {
    const value = {
      // biome-ignore lint/correctness/noPrecisionLoss: the RFC's own example
      numbers: [333333333.33333329, 1e30, 4.5, 2e-3, 0.000000000000000000000000001],
      string: '\u20ac$\u000F\u000aA\'\u0042\u0022\u005c\\"/',
      literals: [null, true, false],
    };
    expect(canonicalJson(value)).to.equal(
      '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}',
    );
  });

  it('sorts keys by UTF-16 code units, as the example of section 3.2.3', () => {
    const value = {
      '\u20ac': 'Euro Sign',
      '\r': 'Carriage Return',
      '\ufb33': 'Hebrew Letter Dalet With Dagesh',
      '1': 'One',
      '\ud83d\ude00': 'Emoji: Grinning Face',
      '\u0080': 'Control',
      '\u00f6': 'Latin Small Letter O With Diaeresis',
    };
    expect(Object.values(JSON.parse(canonicalJson(value)))).to.deep.equal([
      'One',
      'Carriage Return',
      'Control',
      'Latin Small Letter O With Diaeresis',
      'Euro Sign',
      'Emoji: Grinning Face',
      'Hebrew Letter Dalet With Dagesh',
    ]);
    expect(canonicalJson(value)).to.match(/^\{"\\r":"Carriage Return","1":"One",/);
  });

  it('sorts the keys of every object inside, and leaves the order of lists', () => {
    expect(canonicalJson({ b: [{ d: 1, c: [3, 1, 2] }], a: {} })).to.equal('{"a":{},"b":[{"c":[3,1,2],"d":1}]}');
  });

  for (const [hex, text] of [
    ['0000000000000000', '0'],
    ['8000000000000000', '0'],
    ['0000000000000001', '5e-324'],
    ['8000000000000001', '-5e-324'],
    ['7fefffffffffffff', '1.7976931348623157e+308'],
    ['ffefffffffffffff', '-1.7976931348623157e+308'],
    ['4340000000000000', '9007199254740992'],
    ['c340000000000000', '-9007199254740992'],
    ['4430000000000000', '295147905179352830000'],
    ['44b52d02c7e14af5', '9.999999999999997e+22'],
    ['44b52d02c7e14af6', '1e+23'],
    ['44b52d02c7e14af7', '1.0000000000000001e+23'],
    ['444b1ae4d6e2ef4e', '999999999999999700000'],
    ['444b1ae4d6e2ef4f', '999999999999999900000'],
    ['444b1ae4d6e2ef50', '1e+21'],
    ['3eb0c6f7a0b5ed8c', '9.999999999999997e-7'],
    ['3eb0c6f7a0b5ed8d', '0.000001'],
    ['41b3de4355555553', '333333333.3333332'],
    ['41b3de4355555554', '333333333.33333325'],
    ['41b3de4355555555', '333333333.3333333'],
    ['41b3de4355555556', '333333333.3333334'],
    ['41b3de4355555557', '333333333.33333343'],
    ['becbf647612f3696', '-0.0000033333333333333333'],
    ['43143ff3c1cb0959', '1424953923781206.2'],
  ] as const)
    it(`writes the double ${hex} as ${text} (appendix B)`, () => {
      expect(canonicalJson(double(hex))).to.equal(text);
    });

  it('escapes of characters only what JSON has to', () => {
    expect(canonicalJson('\b\t\n\f\r"\\/\u0000\u001f\u007f\u2028é€😀')).to.equal(
      '"\\b\\t\\n\\f\\r\\"\\\\/\\u0000\\u001f\u007f\u2028é€😀"',
    );
  });

  describe('over any JSON value', () => {
    const json = fc.jsonValue({ stringUnit: 'grapheme' }).map((value) => JSON.parse(JSON.stringify(value)) as unknown);
    const shuffled = (value: unknown): unknown => {
      if (Array.isArray(value)) return value.map(shuffled);
      if (typeof value !== 'object' || value === null) return value;
      return Object.fromEntries(
        Object.entries(value)
          .reverse()
          .map(([key, inner]) => [key, shuffled(inner)]),
      );
    };

    it('says the same value', () => {
      fc.assert(
        fc.property(json, (value) => {
          expect(JSON.parse(canonicalJson(value))).to.deep.equal(value);
        }),
      );
    });

    it('is one text, whatever the order of keys', () => {
      fc.assert(
        fc.property(json, (value) => {
          expect(canonicalJson(shuffled(value))).to.equal(canonicalJson(value));
        }),
      );
    });

    it('has no blanks and no second form', () => {
      fc.assert(
        fc.property(json, (value) => {
          const text = canonicalJson(value);
          expect(canonicalJson(JSON.parse(text))).to.equal(text);
          expect(text.length).to.equal(JSON.stringify(value).length);
        }),
      );
    });
  });

  class Custom {
    readonly size = 1;
  }

  for (const [what, value, message] of [
    ['NaN', { references: [{ size: 1 }, { size: Number.NaN }] }, '$.references[1].size is NaN'],
    ['an infinity', [Number.NEGATIVE_INFINITY], '$[0] is -Infinity'],
    ['undefined', { previous: undefined }, '$.previous is undefined'],
    ['undefined itself', undefined, '$ is undefined'],
    ['a hole in a list', Object.assign([1], { length: 2 }), '$[1] is undefined'],
    ['a bigint', { size: 12n }, '$.size is a bigint'],
    ['a function', { toJSON: () => 'something else' }, '$.toJSON is a function'],
    ['a symbol', [Symbol('tag')], '$[0] is a symbol'],
    ['a lone high surrogate', { tag: 'a\ud800' }, '$.tag has a lone surrogate'],
    ['a lone low surrogate', { tag: '\udc00a' }, '$.tag has a lone surrogate'],
    ['a key with a lone surrogate', { a: { '\ud800': 1 } }, '$.a.\ufffd is a key with a lone surrogate'],
    ['a date', { at: new Date(0) }, '$.at is a Date, not a plain object'],
    ['a map', new Map([['a', 1]]), '$ is a Map, not a plain object'],
    ['bytes', { bytes: Buffer.from('a') }, '$.bytes is a Buffer, not a plain object'],
    ['an object of a class', { custom: new Custom() }, '$.custom is a Custom, not a plain object'],
  ] as const)
    it(`refuses ${what}, and names the place`, () => {
      expect(() => canonicalJson(value)).to.throw(NotJson, `${message}, which JSON cannot hold.`);
    });

  it('names the place from the root that it is told', () => {
    expect(() => mustBeJson({ tag: Number.NaN }, 'TagMoved: data')).to.throw(NotJson, 'TagMoved: data.tag is NaN');
    expect(mustBeJson({ tag: 'latest', list: [null, 1, { a: Object.create(null) }] }, 'data')).to.equal(undefined);
  });
});

describe('The leaf of a recorded event', () => {
  const event: Recorded = {
    id: '11111111-2222-5333-a444-555555555555',
    type: 'TagMoved',
    data: { tag: 'latest', repository: 'library/alpine' },
    metadata: {
      version: 1,
      at: '2026-01-01T00:00:00.000Z',
      requestId: 'r',
      correlationId: 'c',
      actor: { kind: 'user', id: '1' },
    },
    stream: 'ghostdock.repository-library/alpine',
    revision: 7,
    position: '0000000000000042',
  };

  it('is SHA-256 over the canonical JSON of id, type, stream, revision, data and metadata', () => {
    const text =
      '{"data":{"repository":"library/alpine","tag":"latest"},"id":"11111111-2222-5333-a444-555555555555",' +
      '"metadata":{"actor":{"id":"1","kind":"user"},"at":"2026-01-01T00:00:00.000Z","correlationId":"c","requestId":"r","version":1},' +
      '"revision":7,"stream":"ghostdock.repository-library/alpine","type":"TagMoved"}';
    expect(leafOf(event).toString('hex')).to.equal(createHash('sha256').update(text).digest('hex'));
    expect(leafOf(event)).to.have.length(32);
  });

  it('is the same wherever the event stands in a log', () => {
    expect(leafOf({ ...event, position: '0000000000000001' })).to.deep.equal(leafOf(event));
  });

  for (const [what, changed] of [
    ['id', { id: '11111111-2222-5333-a444-555555555556' }],
    ['type', { type: 'TagDeleted' }],
    ['stream', { stream: 'ghostdock.repository-library/other' }],
    ['revision', { revision: 8 }],
    ['data', { data: { tag: 'v1', repository: 'library/alpine' } }],
    ['metadata', { metadata: { ...event.metadata, at: '2026-01-01T00:00:00.001Z' } }],
  ] as const)
    it(`changes with the ${what}`, () => {
      expect(leafOf({ ...event, ...changed })).not.to.deep.equal(leafOf(event));
    });
});
