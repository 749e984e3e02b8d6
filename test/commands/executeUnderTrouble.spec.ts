import { expect } from 'chai';
import { v5 as uuidv5 } from 'uuid';
import { refusalOf } from '../identity/refusals.ts';
import {
  appendTo,
  counting,
  type Give,
  giving,
  historyOf,
  type Mishap,
  type TroubledLog,
  troubled,
  type World,
  world,
} from '../support/executing.ts';
import {
  as,
  at,
  content,
  image,
  imageOf,
  link,
  linked,
  otherImage,
  otherLayer,
  push,
  pushed,
  released,
  remove,
  removed,
  tagged,
  unlink,
  untag,
  untagged,
  withImage,
} from '../support/facts.ts';

const COMMAND = '11111111-2222-4333-8444-555555555555';
const beginning = [...withImage, tagged('latest', image), linked(otherLayer), pushed(otherImage)] as const;

let here: World;
let log: TroubledLog;
let give: Give;
let decisions: () => number;

/** A node whose appends meet these mishaps, in a registry in which a little has happened. */
const meeting = async (...mishaps: readonly Mishap[]): Promise<void> => {
  await appendTo(here.log, beginning);
  log = troubled(here.log, mishaps);
  const counted = counting();
  decisions = counted.decisions;
  give = giving(here.node({ log }), counted.decider);
};
/** Somebody else's append, just before ours. */
const others =
  (...facts: Parameters<typeof appendTo>[1]) =>
  () =>
    appendTo(here.log, facts);

/** A node whose every append somebody else comes before, with a clock on which each pause takes a tenth of a second. */
const impatient = (mishap: (n: number) => Mishap): Readonly<{ busy: TroubledLog; execute: Give }> => {
  let now = Date.parse(at(0));
  const busy = troubled(
    here.log,
    Array.from({ length: 100 }, (_, n) => mishap(n)),
  );
  const pause = async (): Promise<void> => {
    now += 100;
  };
  return { busy, execute: giving(here.node({ log: busy, clock: () => new Date(now), pause })) };
};

/** Each test of the suite that calls it has a world of its own. */
const inAWorld = (): void => {
  beforeEach(async () => {
    here = await world();
  });
  afterEach(() => here.close());
};

const recordedSince = async () => (await historyOf(here.log)).slice(beginning.length).map(({ type, data }) => ({ type, data }));

describe('an append that somebody else came before', () => {
  inAWorld();

  it('is only repeated at the new head when that touches nothing that was decided on', async () => {
    await meeting(others(linked(content('theirs'))), others(linked(content('theirs too'))));
    const { facts } = await give(push(image, 'v1'));

    expect(facts).to.deep.equal([tagged('v1', image)]);
    expect(await recordedSince()).to.deep.equal([linked(content('theirs')), linked(content('theirs too')), tagged('v1', image)]);
    expect({ decisions: decisions(), appends: log.attempts.length }).to.deep.equal({ decisions: 1, appends: 3 });
  });

  it('is decided again when that touches a document', async () => {
    await meeting(others(tagged('latest', otherImage, { digest: image.digest, since: at(0) })));
    await give(untag('latest'));

    expect((await recordedSince()).slice(1)).to.deep.equal([
      untagged('latest', otherImage, at(0)),
      released(otherImage, 'tagDeleted'),
    ]);
    expect(decisions()).to.equal(2);
  });

  it('is decided again when that makes a document that was looked for in vain', async () => {
    await meeting(others(tagged('v1', otherImage)));
    const { facts } = await give(push(image, 'v1'));

    expect(facts).to.deep.equal([
      tagged('v1', image, { digest: otherImage.digest, since: at(0) }),
      released(otherImage, 'tagMoved'),
    ]);
    expect(decisions()).to.equal(2);
  });

  it('is decided again when that adds to a set: a tag set meanwhile goes with the manifest', async () => {
    await meeting(others(tagged('v1', image)));
    const { facts } = await give(remove(image));

    expect(facts.map(({ type }) => type)).to.deep.equal(['TagDeleted', 'TagDeleted', 'ManifestDeleted']);
  });

  it('is refused when somebody else has made it impossible', async () => {
    await meeting(others(untagged('latest', image, at(0)), removed(image)));
    expect((await refusalOf(() => give(remove(image)))).code).to.equal('MANIFEST_UNKNOWN');
  });

  it('is refused when somebody else needs what it takes away', async () => {
    const spare = content('a spare layer');
    await meeting(async () => {}, others(pushed(imageOf('of spares', as('layer', spare)))));
    await give(link(spare));

    expect((await refusalOf(() => give(unlink(spare)))).code).to.equal('BLOB_REFERENCED');
  });

  it('has nothing left to do when somebody else has done the same', async () => {
    await meeting(others(tagged('v1', image)));
    expect((await give(push(image, 'v1'))).facts).to.deep.equal([]);
    expect(await recordedSince()).to.have.lengthOf(1);
  });

  it('keeps the ids of its events, whatever is decided in the end', async () => {
    const moved = tagged('latest', otherImage, { digest: image.digest, since: at(0) });
    await meeting(others(moved), others(linked(content('theirs'))));
    await give(untag('latest'), { commandId: COMMAND });
    expect(decisions()).to.equal(2);
    const once = [uuidv5('0', COMMAND), uuidv5('1', COMMAND)];

    expect(log.attempts.flatMap(({ ids }) => ids)).to.deep.equal([...once, ...once, ...once]);
    expect((await historyOf(here.log)).slice(-2).map(({ id }) => id)).to.deep.equal(once);
  });

  it('is decided again when the clock of the other one was ahead: time in a stream does not go back', async () => {
    await meeting(() => appendTo(here.log, [linked(content('theirs'))], { at: at(60) }));
    await give(push(image, 'v1'));

    expect((await historyOf(here.log)).slice(-2).map(({ metadata }) => metadata.at)).to.deep.equal([at(60), at(60)]);
  });

  it('is given up in the end with UNAVAILABLE, and the next command goes through', async () => {
    await appendTo(here.log, beginning);
    const { busy, execute } = impatient((n) => others(linked(content(`theirs ${n}`))));

    expect((await refusalOf(() => execute(push(image, 'v1')))).code).to.equal('UNAVAILABLE');
    // The first attempt, and one after each of the pauses that five seconds have.
    expect(busy.attempts).to.have.lengthOf(51);
    expect((await giving(here.node())(push(image, 'v1'))).facts).to.have.lengthOf(1);
  });

  it('is given up in the end with UNAVAILABLE, too, when it has to be decided again each time', async () => {
    await appendTo(here.log, [...beginning, tagged('v1', image)]);
    const { busy, execute } = impatient((n) => others(tagged('v1', n % 2 === 0 ? otherImage : image)));

    expect((await refusalOf(() => execute(untag('v1')))).code).to.equal('UNAVAILABLE');
    expect(busy.attempts).to.have.lengthOf(50);
  });

  it('waits a little longer before each further attempt, up to a quarter of a second', async () => {
    const pauses: number[] = [];
    const pause = async (ms: number): Promise<void> => {
      pauses.push(ms);
    };
    await appendTo(here.log, beginning);
    const mishaps = Array.from({ length: 12 }, (_, n) => others(linked(content(`theirs ${n}`))));
    await giving(here.node({ log: troubled(here.log, mishaps), pause }))(push(image, 'v1'));

    expect(pauses).to.have.lengthOf(12);
    pauses.forEach((ms, n) => {
      expect(ms).to.be.within(0, Math.min(10 * 2 ** n, 250));
    });
  });
});

describe('an append whose outcome nobody knows', () => {
  inAWorld();

  it('is recorded once when it had been carried out', async () => {
    await meeting('answerLost');
    const { facts, position } = await give(push(image, 'v1', 'v2'));

    expect(facts).to.deep.equal([tagged('v1', image), tagged('v2', image)]);
    expect(await recordedSince()).to.deep.equal(facts);
    expect((await historyOf(here.log)).at(-1)?.position).to.equal(position);
  });

  it('is recorded once when it had not', async () => {
    await meeting('requestLost', 'requestLost');
    await give(push(image, 'v1', 'v2'));

    expect(await recordedSince()).to.deep.equal([tagged('v1', image), tagged('v2', image)]);
  });

  it('is repeated with the same ids and the same expectation, and not decided again', async () => {
    await meeting('requestLost', 'answerLost', 'answerLost');
    await give(push(image, 'v1'), { commandId: COMMAND });

    const attempt = { expected: beginning.length - 1, ids: [uuidv5('0', COMMAND)] };
    expect(log.attempts).to.deep.equal(Array(4).fill(attempt));
    expect(decisions()).to.equal(1);
  });

  it('is recorded once when others appended behind it', async () => {
    await meeting('answerLost', others(tagged('v1', otherImage, { digest: image.digest, since: at(0) })));
    const { facts } = await give(push(image, 'v1'));

    expect(facts).to.deep.equal([tagged('v1', image)]);
    expect((await recordedSince()).map(({ type }) => type)).to.deep.equal(['TagMoved', 'TagMoved']);
    expect(decisions()).to.equal(1);
  });

  it('is recorded once when it was lost and others appended instead', async () => {
    await meeting('requestLost', others(linked(content('theirs'))), 'answerLost');
    await give(push(image, 'v1'));

    expect(await recordedSince()).to.deep.equal([linked(content('theirs')), tagged('v1', image)]);
    expect(decisions()).to.equal(1);
  });

  it('is given up in the end with UNAVAILABLE', async () => {
    await appendTo(here.log, beginning);
    const { busy, execute } = impatient(() => 'requestLost');

    expect((await refusalOf(() => execute(push(image, 'v1')))).code).to.equal('UNAVAILABLE');
    expect(busy.attempts).to.have.lengthOf(51);
  });
});

describe('views that others feed meanwhile', () => {
  inAWorld();

  it('do not mix two moments into a refusal that no moment would give', async () => {
    await appendTo(here.log, beginning);
    await here.catchUp();
    let moved = false;
    // Between the tail and the documents another node deletes the tag, and the views show it at once.
    const views: typeof here.views = {
      ...here.views,
      getPlaced: async (view, keys) => {
        if (view.view === 'tags' && !moved) {
          moved = true;
          await appendTo(here.log, [untagged('latest', image, at(0))]);
          await here.catchUp();
        }
        return here.views.getPlaced(view, keys);
      },
    };

    const { facts } = await giving(here.node({ views }))(remove(image));
    expect(facts).to.deep.equal([removed(image)]);
  });

  it('may be ahead of what was read of the stream: what they know already is not applied again', async () => {
    await appendTo(here.log, beginning);
    let moved = false;
    const views: typeof here.views = {
      ...here.views,
      getPlaced: async (view, keys) => {
        if (!moved) {
          moved = true;
          await here.catchUp();
        }
        return here.views.getPlaced(view, keys);
      },
    };

    const { facts } = await giving(here.node({ views }))(push(otherImage, 'latest'));
    expect(facts).to.deep.equal([
      tagged('latest', otherImage, { digest: image.digest, since: at(0) }),
      released(image, 'tagMoved'),
    ]);
  });
});
