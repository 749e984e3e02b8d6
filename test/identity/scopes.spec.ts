import { createSecretKey, randomBytes, randomUUID } from 'node:crypto';
import { expect } from 'chai';
import fc from 'fast-check';
import type { Caller } from '../../src/identity/caller.ts';
import { LONGEST_AUTHORIZATION } from '../../src/identity/credentials.ts';
import { grantedScopes, repositoriesIn } from '../../src/identity/grant.ts';
import {
  basicChallengeOf,
  challengeOf,
  formatScope,
  LONGEST_SCOPES,
  MOST_SCOPES,
  parseScopes,
} from '../../src/identity/scopes.ts';
import { ensureSigningKey, signingKeys } from '../../src/identity/signingKeys.ts';
import { tokens } from '../../src/identity/tokens.ts';
import { sqliteSecrets } from '../../src/secrets/sqlite.ts';
import { refusalOf } from './refusals.ts';

const scope = (name: string, ...actions: string[]) => ({ type: 'repository', name, actions });

describe('scopes', () => {
  describe('are read', () => {
    const cases: Readonly<Record<string, readonly unknown[]>> = {
      'repository:ann/web:pull,push': [scope('ann/web', 'pull', 'push')],
      'repository:ann/web:*': [scope('ann/web', '*')],
      'registry:catalog:*': [{ type: 'registry', name: 'catalog', actions: ['*'] }],
      'repository(plugin):ann/plugin:pull': [scope('ann/plugin', 'pull')],
      'repository:registry.example.org:5000/ann/web:pull': [scope('registry.example.org:5000/ann/web', 'pull')],
      'repository:ann/web:pull,,push,': [scope('ann/web', 'pull', 'push')],
      'repository:ann/web:': [scope('ann/web')],
      ' repository:a:pull  repository:b:pull ': [scope('a', 'pull'), scope('b', 'pull')],
      'repository:a:pull repository:a:push,pull': [scope('a', 'pull', 'push')],
      '': [],
    };
    for (const [text, expected] of Object.entries(cases)) {
      it(`from ${JSON.stringify(text)}`, () => {
        expect(parseScopes([text])).to.deep.equal(expected);
      });
    }

    it('from several parameters, one scope a resource', () => {
      const values = ['repository:a:pull', 'repository:b:pull repository:a:push', 'registry:a:pull'];
      expect(parseScopes(values)).to.deep.equal([
        scope('a', 'pull', 'push'),
        scope('b', 'pull'),
        { type: 'registry', name: 'a', actions: ['pull'] },
      ]);
    });

    for (const text of [
      'pull',
      'repository:ann/web',
      ':ann/web:pull',
      'repository::pull',
      'Repository:ann/web:pull',
      'repository:ann/web:Pull',
      'repository:ann/web:pull;push',
      'repository:-a:pull',
      'repository:"a":pull',
      'repository:a\nb:pull',
      'repository:ä:pull',
      'repository(:a:pull',
    ]) {
      it(`without ${JSON.stringify(text)}, which is outside the grammar`, () => {
        expect(parseScopes([text, 'repository:b:pull'])).to.deep.equal([scope('b', 'pull')]);
      });
    }

    it('and refused when they are too many or too long', async () => {
      const many = Array.from({ length: MOST_SCOPES }, (_, index) => `repository:r${index}:pull`);
      expect(parseScopes([many.join(' ')])).to.have.length(MOST_SCOPES);
      for (const values of [
        [...many, 'repository:one:pull'],
        ['x'.repeat(LONGEST_SCOPES + 1)],
        [' '.repeat(LONGEST_SCOPES + 1)],
      ]) {
        const error = await refusalOf(() => parseScopes(values));
        expect(error).to.include({ code: 'REQUEST_INVALID' });
        expect(error.detail).to.deep.equal({ field: 'scope' });
      }
    });

    it('back from what was written', () => {
      const names = fc.stringMatching(/^[a-z0-9]{1,20}(\/[a-z0-9]{1,20}){0,3}$/);
      const actions = fc.uniqueArray(fc.constantFrom('pull', 'push', 'delete', '*'), { minLength: 1 });
      const scopes = fc.uniqueArray(fc.record({ type: fc.constantFrom('repository', 'registry'), name: names, actions }), {
        maxLength: 10,
        selector: ({ type, name }) => `${type}:${name}`,
      });
      fc.assert(
        fc.property(scopes, (all) => {
          expect(parseScopes(all.map(formatScope))).to.deep.equal(all);
        }),
      );
    });

    it('from any text without a failure', () => {
      const texts = fc.oneof(fc.string({ unit: 'binary' }), fc.stringMatching(/^[a-z():,*/ ]{0,60}$/));
      fc.assert(
        fc.property(fc.array(texts, { maxLength: 5 }), (values) => {
          for (const { type, actions } of parseScopes(values)) {
            expect(type).to.match(/^[a-z0-9]+$/);
            for (const action of actions) expect(action).to.match(/^([a-z]+|\*)$/);
          }
        }),
      );
    });
  });

  describe('in a challenge', () => {
    const realm = 'https://registry.example.org/auth';

    it('send the client to the token service', () => {
      expect(challengeOf({ realm, service: 'registry.example.org', scope: 'repository:a/b:pull,push' })).to.equal(
        'Bearer realm="https://registry.example.org/auth",service="registry.example.org",scope="repository:a/b:pull,push"',
      );
    });

    it('may be absent, and an error be named', () => {
      expect(challengeOf({ realm, service: 's' })).to.equal(`Bearer realm="${realm}",service="s"`);
      expect(challengeOf({ realm, service: 's', error: 'invalid_token' })).to.equal(
        `Bearer realm="${realm}",service="s",error="invalid_token"`,
      );
    });

    it('cannot break out of their quotes or their header', () => {
      fc.assert(
        fc.property(fc.string({ unit: 'binary' }), fc.string(), (service, text) => {
          const header = challengeOf({ realm, service, scope: text });
          expect(header).to.match(/^Bearer realm="[^"]*",service="(?:[^"\\]|\\.)*",scope="(?:[^"\\]|\\.)*"$/);
          expect(header).to.match(/^[\t -~]*$/);
        }),
      );
      expect(challengeOf({ realm, service: 'a"b\\c\r\nd' })).to.equal(`Bearer realm="${realm}",service="a\\"b\\\\c??d"`);
    });

    it('are left out where a password is asked for', () => {
      expect(basicChallengeOf('GhostDock')).to.equal('Basic realm="GhostDock",charset="UTF-8"');
    });
  });

  describe('are granted', () => {
    const user: Caller = { kind: 'user', userId: 7, username: 'ann', role: 'user', securityVersion: 1 };
    const admin: Caller = { ...user, role: 'admin' };
    const known: Readonly<Record<string, { ownerId: number; visibility: 'public' | 'private' }>> = {
      'team/base': { ownerId: 8, visibility: 'public' },
      'team/secret': { ownerId: 8, visibility: 'private' },
    };
    const granted = (caller: Caller, ...texts: string[]): string[] =>
      grantedScopes(caller, parseScopes(texts), (name) => ({ type: 'repository', name, repository: known[name] })).map(
        formatScope,
      );

    it('as far as the caller may go, and the rest is left out', () => {
      const asked = ['repository:ann/web:pull,push', 'repository:team/base:push,pull', 'repository:team/secret:pull'];
      expect(granted(user, ...asked)).to.deep.equal(['repository:ann/web:pull,push', 'repository:team/base:pull']);
    });

    it('one by one where all actions are asked for, and never an action that there is not', () => {
      expect(granted(admin, 'repository:team/secret:*')).to.deep.equal(['repository:team/secret:pull,push,delete']);
      expect(granted(user, 'repository:team/base:*')).to.deep.equal(['repository:team/base:pull']);
      expect(granted(admin, 'repository:team/base:admin,catalog,version')).to.deep.equal([]);
    });

    it('for the catalog', () => {
      expect(granted(user, 'registry:catalog:*')).to.deep.equal(['registry:catalog:*']);
      expect(granted({ kind: 'anonymous', pullsPublic: true }, 'registry:catalog:*')).to.deep.equal(['registry:catalog:*']);
      expect(granted({ kind: 'anonymous' }, 'registry:catalog:*')).to.deep.equal([]);
      expect(granted(admin, 'registry:catalog:pull', 'registry:other:*', 'other:catalog:*')).to.deep.equal([]);
    });

    it('to nobody for what is no repository’s name here', () => {
      const asked = ['repository:Upper/case:pull', 'repository:host:5000/a:pull', 'repository:a//b:pull'];
      expect(granted(admin, ...asked)).to.deep.equal([]);
      expect(repositoriesIn(parseScopes([...asked, 'repository:a/b:pull', 'registry:catalog:*']))).to.deep.equal(['a/b']);
    });

    it('to anonymous callers for pulling what is public', () => {
      const asked = ['repository:team/base:pull,push', 'repository:team/secret:pull', 'repository:team/missing:pull'];
      expect(granted({ kind: 'anonymous', pullsPublic: true }, ...asked)).to.deep.equal(['repository:team/base:pull']);
      expect(granted({ kind: 'anonymous' }, ...asked)).to.deep.equal([]);
    });

    it('to the holder of a scoped token no further than the token', () => {
      const holder: Caller = { ...user, access: [{ type: 'repository', name: 'ann/web', actions: ['pull'] }] };
      expect(granted(holder, 'repository:ann/web:pull,push', 'repository:ann/other:pull')).to.deep.equal([
        'repository:ann/web:pull',
      ]);
    });

    it('in a token that still fits into a header, however many and long they are', async () => {
      const secrets = sqliteSecrets(':memory:', createSecretKey(randomBytes(32)));
      await ensureSigningKey(secrets, randomUUID());
      const issuer = tokens({
        keys: await signingKeys(secrets),
        issuer: 'https://registry.example.org',
        service: 'registry.example.org',
        newId: randomUUID,
      });
      const length = Math.floor((LONGEST_SCOPES + 1) / MOST_SCOPES) - 1;
      const asked = Array.from({ length: MOST_SCOPES }, (_, index) => `repository:${`r${index}`.padEnd(length - 13, 'x')}:*`);
      expect(asked.join(' ').length).to.be.within(LONGEST_SCOPES - MOST_SCOPES - 1, LONGEST_SCOPES);
      const access = grantedScopes(admin, parseScopes([asked.join(' ')]), () => undefined);
      expect(access).to.have.length(MOST_SCOPES);
      const { token } = await issuer.issue({
        use: 'registry',
        userId: Number.MAX_SAFE_INTEGER,
        securityVersion: 1_000_000,
        access,
      });
      expect(`Bearer ${token}`.length).to.be.at.most(LONGEST_AUTHORIZATION);
      expect(await issuer.verify(token))
        .to.have.property('access')
        .with.length(MOST_SCOPES);
      await secrets.close();
    });
  });
});
