import { expect } from 'chai';
import { v5 as uuidv5 } from 'uuid';
import type { Outcome } from '../../src/commands/execute.ts';
import { type UserCommand, usersDecider } from '../../src/commands/users.ts';
import { RegistryError } from '../../src/errors.ts';
import { AppendTooLarge, LogFull } from '../../src/events/log/log.ts';
import { links } from '../../src/projections/links.ts';
import { refusalOf } from '../identity/refusals.ts';
import {
  appendTo,
  context,
  type Give,
  gate,
  giving,
  historyOf,
  troubled,
  USERS,
  type World,
  world,
} from '../support/executing.ts';
import {
  at,
  config,
  content,
  created,
  fingerprintOf,
  image,
  imageOf,
  LIFE,
  layer,
  link,
  linked,
  otherImage,
  otherLayer,
  push,
  pushed,
  remove,
  tagged,
  unlink,
  untag,
  withImage,
} from '../support/facts.ts';

const COMMAND = '11111111-2222-4333-8444-555555555555';

let here: World;
let give: Give;

/** Each test of the suite that calls it has a world of its own. */
const inAWorld = (): void => {
  beforeEach(async () => {
    here = await world();
    give = giving(here.node());
  });
  afterEach(() => here.close());
};

const register = (username: string): UserCommand => ({
  type: 'RegisterUser',
  username,
  fingerprint: fingerprintOf(username),
  email: null,
  role: 'user',
  passwordHash: 'hash',
});

const MADE = ['UserRegistered', 'UsernameReserved'];

/** What came of each: the types of its facts, or the code or message of its failure. */
const resultsOf = async (answers: readonly Promise<Outcome>[]): Promise<readonly unknown[]> =>
  (await Promise.allSettled(answers)).map((result) => {
    if (result.status === 'fulfilled') return result.value.facts.map(({ type }) => type);
    return result.reason instanceof RegistryError ? result.reason.code : (result.reason as Error).message;
  });

const typesOf = async (): Promise<readonly string[]> => (await historyOf(here.log)).map(({ type }) => type);

describe('executing a command', () => {
  inAWorld();

  it('records what was decided, and says where', async () => {
    const { facts, position } = await give(link(layer));

    expect(facts).to.deep.equal([created, linked(layer)]);
    const history = await historyOf(here.log);
    expect(history.map(({ type, data }) => ({ type, data }))).to.deep.equal(facts);
    expect(position).to.equal(history.at(-1)?.position);
  });

  it('shows to readers who wait for its position', async () => {
    const projector = here.project();
    const { position } = await give(link(layer));

    expect(await projector.reached(position, 5000)).to.equal(true);
    expect(await here.views.get(links, `${LIFE}/${layer.digest}`)).to.include({ digest: layer.digest });
  });

  it('records by whom, from where and when, under the version of each type', async () => {
    const surroundings = { actor: { kind: 'robot', id: '12' }, requestId: 'r1', correlationId: 'c1' } as const;
    await give(link(layer), { ...surroundings, causationId: 'e1', ip: '192.0.2.1', userAgent: 'docker/28' });

    for (const { metadata } of await historyOf(here.log)) {
      expect(metadata).to.deep.equal({
        ...surroundings,
        causationId: 'e1',
        ip: 'sealed:192.0.2.1',
        userAgent: 'sealed:docker/28',
        at: at(0),
        version: 1,
      });
    }
  });

  it('leaves out what is not known of the caller', async () => {
    await give(link(layer), { userAgent: '' });

    expect((await historyOf(here.log))[0]?.metadata).to.have.all.keys('actor', 'requestId', 'correlationId', 'at', 'version');
  });

  it('derives the ids of its events from the id of the command', async () => {
    await give(link(layer), { commandId: COMMAND });

    expect((await historyOf(here.log)).map(({ id }) => id)).to.deep.equal([uuidv5('0', COMMAND), uuidv5('1', COMMAND)]);
  });

  it('records nothing that is so already, and answers with the head of the stream', async () => {
    const { position } = await give(link(layer));
    await give({ ...link(layer), repository: 'another/app' });

    expect(await give(link(layer))).to.deep.equal({ facts: [], position });
    expect(await typesOf()).to.have.lengthOf(2);
  });

  it('records nothing of what it refuses', async () => {
    const refusal = await refusalOf(() => give(untag('latest')));

    expect(refusal.code).to.equal('REPOSITORY_UNKNOWN');
    expect(await typesOf()).to.deep.equal([]);
  });

  it('never sets the clock of a stream back', async () => {
    await appendTo(here.log, [created], { at: at(60) });
    await give(link(layer));

    expect((await historyOf(here.log)).map(({ metadata }) => metadata.at)).to.deep.equal([at(60), at(60)]);
  });

  it('never sets the clock of a stream back, even where only the views remember it', async () => {
    await appendTo(here.log, [created], { at: at(60) });
    await here.catchUp();
    await give(link(layer));

    expect((await historyOf(here.log)).at(-1)?.metadata.at).to.equal(at(60));
  });

  it('fails when it would record what is no event of this release, and the next one goes on', async () => {
    const invalid = giving(here.node(), { keysOf: () => ({}), decide: () => [{ type: 'Unheard', data: {} }] });

    expect(await invalid(link(layer)).catch((error: Error) => error.name)).to.equal('InvalidEvent');
    expect((await give(link(layer))).facts).to.have.lengthOf(2);
  });
});

describe('many commands to one stream at once', () => {
  inAWorld();

  it('are all recorded, without a gap, in two appends: the first alone, those that came meanwhile together', async () => {
    const outcomes = await Promise.all(Array.from({ length: 50 }, (_, n) => give(link(content(`layer ${n}`)))));

    const history = await historyOf(here.log);
    expect(history.map(({ revision }) => revision)).to.deep.equal(Array.from({ length: 51 }, (_, n) => n));
    expect(history.map(({ type }) => type)).to.deep.equal(['RepositoryCreated', ...Array(50).fill('BlobLinked')]);
    expect(here.log.stats().appends).to.equal(2);
    expect(new Set(outcomes.map(({ position }) => position)).size).to.equal(2);
  });

  it('are answered each with its own facts', async () => {
    const [, second, third] = await Promise.all([give(link(config)), give(link(layer)), give(link(otherLayer))]);

    expect(second.facts).to.deep.equal([linked(layer)]);
    expect(third.facts).to.deep.equal([linked(otherLayer)]);
  });

  it('see what those before them decided', async () => {
    const all = [give(link(config)), give(link(layer)), give(push(image, 'latest')), give(push(image, 'v1')), give(untag('v1'))];

    expect(await resultsOf(all)).to.deep.equal([
      ['RepositoryCreated', 'BlobLinked'],
      ['BlobLinked'],
      ['ManifestPushed', 'TagMoved'],
      ['TagMoved'],
      ['TagDeleted'],
    ]);
    expect(here.log.stats().appends).to.equal(2);
  });

  it('see what those before them need', async () => {
    await appendTo(here.log, [created, linked(config), linked(layer)]);
    const all = [give(link(otherLayer)), give(push(image)), give(unlink(config)), give(remove(image)), give(unlink(layer))];

    expect(await resultsOf(all)).to.deep.equal([
      ['BlobLinked'],
      ['ManifestPushed'],
      'BLOB_REFERENCED',
      ['ManifestDeleted'],
      ['BlobUnlinked'],
    ]);
  });

  it('count up what they allocate', async () => {
    const execute = here.node();
    const names = ['ada', 'grace', 'ada', 'edsger'];
    const results = await resultsOf(names.map((name) => execute(USERS, usersDecider, register(name), context())));

    expect(results).to.deep.equal([MADE, MADE, 'CONFLICT', MADE]);
    const recorded = await historyOf(here.log, USERS);
    expect(recorded.filter(({ type }) => type === 'UserRegistered').map(({ data }) => data)).to.deep.equal(
      ['ada', 'grace', 'edsger'].map((username, n) => ({
        userId: n + 1,
        username: `sealed:${username}`,
        email: null,
        role: 'user',
        passwordHash: 'sealed:hash',
      })),
    );
  });

  it('are dropped alone when refused', async () => {
    const all = [give(link(config)), give(untag('gone')), give(link(layer)), give(unlink(otherLayer)), give(push(image))];

    expect(await resultsOf(all)).to.deep.equal([
      ['RepositoryCreated', 'BlobLinked'],
      'TAG_UNKNOWN',
      ['BlobLinked'],
      'BLOB_UNKNOWN',
      ['ManifestPushed'],
    ]);
    expect(here.log.stats().appends).to.equal(2);
  });

  it('fail alone when they would record what is no event of this release', async () => {
    const execute = here.node();
    const invalid = giving(execute, { keysOf: () => ({}), decide: () => [{ type: 'Unheard', data: {} }] });
    const valid = giving(execute);
    const all = [valid(link(config)), valid(link(layer)), invalid(link(layer)), valid(link(otherLayer))];

    expect(await resultsOf(all)).to.deep.equal([
      ['RepositoryCreated', 'BlobLinked'],
      ['BlobLinked'],
      'No event type Unheard in the catalogue.',
      ['BlobLinked'],
    ]);
    expect(await typesOf()).to.deep.equal(['RepositoryCreated', ...Array(3).fill('BlobLinked')]);
  });

  it('go at most 200 events to an append', async () => {
    const tags = Array.from({ length: 30 }, (_, n) => `t${n}`);
    const images = Array.from({ length: 14 }, (_, n) => ({ ...image, ...content(`image ${n}`), references: [] }));
    await Promise.all([give(link(layer)), ...images.map((one) => give(push(one, ...tags)))]);

    expect((await typesOf()).filter((type) => type === 'TagMoved')).to.have.lengthOf(14 * 30);
    // 31 events for each push: six of them fit.
    expect(here.log.stats().appends).to.equal(1 + Math.ceil(14 / 6));
  });

  it('go at most 512 KiB to an append', async () => {
    const references = (n: number) =>
      Array.from({ length: 1500 }, (_, m) => ({ ...content(`layer ${n} ${m}`), role: 'layer' as const, mayBeMissing: true }));
    const images = Array.from({ length: 6 }, (_, n) => imageOf(`image ${n}`));
    await Promise.all([give(link(layer)), ...images.map((one, n) => give({ ...push(one), references: references(n) }))]);

    // Some 160 KiB each: three of them fit.
    expect(here.log.stats().appends).to.equal(3);
  });

  it('to different streams do not wait for each other', async () => {
    const { pass, open, waiting } = gate();
    const execute = here.node({ log: troubled(here.log, [pass]) });
    const held = giving(execute)(link(layer));
    await waiting;

    const other = await giving(execute)({ ...link(layer), repository: 'team/other' });
    expect(other.facts).to.have.lengthOf(2);
    await execute(USERS, usersDecider, register('ada'), context());
    open();
    await held;
  });
});

describe('an answer that rests on what another command of the append does', () => {
  inAWorld();

  /** A first command that is under way, so that those after it go together, in the append that meets `mishap`. */
  const together = async (mishap: () => Promise<unknown>) => {
    await appendTo(here.log, [...withImage, tagged('latest', image)]);
    const execute = here.node({ log: troubled(here.log, [async () => {}, mishap]) });
    const one = giving(execute);
    void one(link(otherLayer));
    return one;
  };
  const fails = async () => {
    throw new LogFull('No room.');
  };
  const settles = (answer: Promise<unknown>) => {
    let over = false;
    const done = (): void => {
      over = true;
    };
    answer.then(done, done);
    return () => over;
  };

  it('is given only after the append: a refusal', async () => {
    const { pass, open, waiting } = gate();
    const one = await together(pass);
    const first = one(untag('latest'));
    const second = one(untag('latest'));
    const answered = settles(second);
    await waiting;

    expect(answered()).to.equal(false);
    open();
    expect(await resultsOf([first, second])).to.deep.equal([['TagDeleted', 'ManifestReleased'], 'TAG_UNKNOWN']);
  });

  it('is given only after the append: that it is so already', async () => {
    const { pass, open, waiting } = gate();
    const one = await together(pass);
    const first = one(push(image, 'v1'));
    const second = one(push(image, 'v1'));
    const answered = settles(second);
    await waiting;

    expect(answered()).to.equal(false);
    open();
    expect(await second).to.deep.equal({ facts: [], position: (await first).position });
  });

  it('is not given when the append fails', async () => {
    const one = await together(fails);
    const answers = [one(untag('latest')), one(untag('latest')), one(push(image, 'v1')), one(push(image, 'v1'))];

    expect(await resultsOf(answers)).to.deep.equal(Array(4).fill('STORAGE_FULL'));
    expect((await historyOf(here.log)).some(({ type }) => type === 'TagDeleted')).to.equal(false);
  });
});

describe('a log that takes no append', () => {
  inAWorld();

  const failing = (...errors: readonly Error[]) =>
    giving(
      here.node({
        log: troubled(
          here.log,
          errors.map((error) => async () => {
            throw error;
          }),
        ),
      }),
    );

  it('that is full is worded so, and taken again when there is room', async () => {
    const one = failing(new LogFull('No room.'));

    expect((await refusalOf(() => one(link(layer)))).code).to.equal('STORAGE_FULL');
    expect((await one(link(layer))).facts).to.have.lengthOf(2);
  });

  it('that finds an event too large says so', async () => {
    expect((await refusalOf(() => failing(new AppendTooLarge('Too large.'))(link(layer)))).code).to.equal('REQUEST_TOO_LARGE');
  });

  it('fails only the commands of that append: those that did not fit into it go in the next one', async () => {
    const one = failing(new LogFull('none for the first'), new LogFull('nor for the second'));
    const tags = Array.from({ length: 150 }, (_, n) => `t${n}`);
    const bare = { ...image, references: [] };
    const all = [one(link(layer)), one(push(bare, ...tags)), one(push({ ...bare, ...content('b') }, ...tags))];

    expect(await resultsOf(all)).to.deep.equal([
      'STORAGE_FULL',
      'STORAGE_FULL',
      ['RepositoryCreated', 'ManifestPushed', ...Array(150).fill('TagMoved')],
    ]);
  });

  it('for a reason of its own fails the command with that reason', async () => {
    expect(await resultsOf([failing(new Error('The disk is on fire.'))(link(layer))])).to.deep.equal(['The disk is on fire.']);
  });
});

describe('what a batch of commands has learnt of a set', () => {
  inAWorld();

  it('is learnt again when those before have used it up', async () => {
    await appendTo(here.log, [...withImage, linked(otherLayer), pushed(otherImage)]);
    await here.catchUp();
    // A set of at most one is the first by its key: that one goes.
    const first = image.digest < otherImage.digest ? image : otherImage;
    const answers = [give(link(content('a blob'))), give(unlink(config)), give(remove(first)), give(unlink(config))];

    expect(await resultsOf(answers)).to.deep.equal([['BlobLinked'], 'BLOB_REFERENCED', ['ManifestDeleted'], 'BLOB_REFERENCED']);
  });

  it('is learnt again when reading its documents failed', async () => {
    await appendTo(here.log, withImage);
    await here.catchUp();
    let failures = 1;
    const views: typeof here.views = {
      ...here.views,
      getPlaced: (view, keys) => {
        if (view.view !== 'references' || failures === 0) return here.views.getPlaced(view, keys);
        failures -= 1;
        return Promise.reject(new Error('The views are away.'));
      },
    };
    const one = giving(here.node({ views }));
    const answers = [one(link(content('a blob'))), one(unlink(config)), one(unlink(config))];

    expect(await resultsOf(answers)).to.deep.equal([['BlobLinked'], 'The views are away.', 'BLOB_REFERENCED']);
  });
});
