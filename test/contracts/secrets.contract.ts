import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import type { Secrets } from '../../src/secrets/secrets.ts';

/** `open` gives another handle on the same store each time, as another process would have one; handles are closed by the suite. */
export type SecretsFixture = Readonly<{ open: () => Secrets | Promise<Secrets>; dispose: () => void | Promise<void> }>;

const text = (secret: Uint8Array | undefined): string | undefined => secret && Buffer.from(secret).toString();

/** What every adapter of `Secrets` owes. */
export const secretsContract = (prepare: () => SecretsFixture | Promise<SecretsFixture>): void => {
  let fixture: SecretsFixture;
  let secrets: Secrets;
  let opened: Secrets[];

  const another = async (): Promise<Secrets> => {
    const handle = await fixture.open();
    opened.push(handle);
    return handle;
  };

  beforeEach(async () => {
    fixture = await prepare();
    opened = [];
    secrets = await another();
  });

  afterEach(async () => {
    for (const handle of opened) await handle.close();
    await fixture.dispose();
  });

  it('gives back what was put', async () => {
    const secret = randomBytes(32);
    await secrets.putIfAbsent('signing:a', secret);
    expect(Buffer.from((await secrets.get('signing:a')) ?? []).equals(secret)).to.equal(true);
  });

  it('keeps an empty secret apart from none', async () => {
    await secrets.putIfAbsent('empty', Buffer.alloc(0));
    expect(text(await secrets.get('empty'))).to.equal('');
    expect(await secrets.get('none')).to.equal(undefined);
  });

  it('keeps the first of two secrets put under an id, and tells the second creator', async () => {
    expect(text(await secrets.putIfAbsent('key', Buffer.from('first')))).to.equal('first');
    expect(text(await (await another()).putIfAbsent('key', Buffer.from('second')))).to.equal('first');
    expect(text(await secrets.get('key'))).to.equal('first');
  });

  it('makes creators agree who put at once, through one handle or several', async () => {
    const handles = [secrets, secrets, await another(), await another()];
    const got = await Promise.all(handles.map((handle, index) => handle.putIfAbsent('key', Buffer.from(`by ${index}`))));
    expect(new Set(got.map(text)).size).to.equal(1);
    expect(text(await secrets.get('key'))).to.equal(text(got[0]));
  });

  it('gives many in the order asked for, with gaps and repetitions', async () => {
    await secrets.putIfAbsent('a', Buffer.from('1'));
    await secrets.putIfAbsent('b', Buffer.from('2'));
    expect((await secrets.getMany(['b', 'missing', 'a', 'b'])).map(text)).to.deep.equal(['2', undefined, '1', '2']);
    expect(await secrets.getMany([])).to.deep.equal([]);
  });

  it('deletes for every handle, once and again, and lets the id be used anew', async () => {
    await secrets.putIfAbsent('key', Buffer.from('old'));
    await (await another()).delete('key');
    await secrets.delete('key');
    expect(await secrets.get('key')).to.equal(undefined);
    expect(text(await secrets.putIfAbsent('key', Buffer.from('new')))).to.equal('new');
  });

  it('lists the ids with a prefix, in byte order, and no others', async () => {
    for (const id of ['subject:user-2', 'signing:b', 'signing:A', 'signing', 'signinh:x', 'signing:~', 'signing:a']) {
      await secrets.putIfAbsent(id, Buffer.from('x'));
    }
    expect(await secrets.list('signing:')).to.deep.equal(['signing:A', 'signing:a', 'signing:b', 'signing:~']);
    expect(await secrets.list('')).to.have.length(7);
    expect(await secrets.list('none')).to.deep.equal([]);
  });

  it('takes no % or _ in a prefix for a pattern', async () => {
    await secrets.putIfAbsent('a%', Buffer.from('x'));
    await secrets.putIfAbsent('ab', Buffer.from('x'));
    expect(await secrets.list('a%')).to.deep.equal(['a%']);
    expect(await secrets.list('_')).to.deep.equal([]);
  });

  for (const id of ['', 'a b', 'ä', 'x'.repeat(201), 'line\nbreak']) {
    it(`refuses ${JSON.stringify(id.slice(0, 12))} as an id`, async () => {
      const error = await secrets.putIfAbsent(id, Buffer.from('x')).catch((reason: unknown) => reason);
      expect(error).to.be.instanceOf(TypeError);
    });
  }
};
