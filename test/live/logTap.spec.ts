import { expect } from 'chai';
import pino from 'pino';
import { type LogRecord, logTap } from '../../src/live/logTap.ts';

const logging = (options: pino.LoggerOptions = {}) => {
  const lines: string[] = [];
  const tap = logTap();
  const logger = pino({ level: 'trace', ...options }, tap.into({ write: (line) => lines.push(line) }));
  const watch = async (): Promise<Readonly<{ records: LogRecord[]; leave: () => void }>> => {
    const records: LogRecord[] = [];
    const { listen, leave } = await tap.join();
    listen((record) => records.push(record));
    return { records, leave };
  };
  return { lines, logger, watch };
};

describe('the tap on the log', () => {
  it('shows each line from INFO on as the log has it', async () => {
    const { lines, logger, watch } = logging();
    const { records } = await watch();
    for (const level of ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const) logger[level](`at ${level}`);
    expect(records.map(({ level, message }) => `${level} ${message}`)).to.deep.equal([
      'INFO at info',
      'WARN at warn',
      'ERROR at error',
      'ERROR at fatal',
    ]);
    expect(lines, 'the log itself has all').to.have.lengthOf(6);
    const [info] = records;
    expect(info).to.deep.equal({
      timestamp: JSON.parse(lines[2] as string).time,
      level: 'INFO',
      message: 'at info',
      logger: 'ghostdock',
      thread: 'main',
    });
  });

  it('shows those of child loggers, which were made before and after, with what they say besides', async () => {
    const { logger, watch } = logging();
    const before = logger.child({ reqId: 'r1' });
    const { records } = await watch();
    before.warn({ url: '/v2/' }, 'slow');
    logger.child({ name: 'views' }).info('built');
    expect(records.map(({ message, logger: name, details }) => ({ message, name, details }))).to.deep.equal([
      { message: 'slow', name: 'ghostdock', details: { reqId: 'r1', url: '/v2/' } },
      { message: 'built', name: 'views', details: undefined },
    ]);
  });

  it('shows nothing that the log leaves out', async () => {
    const { lines, logger, watch } = logging({ redact: ['password'], serializers: { user: () => 'a user' } });
    const { records } = await watch();
    logger.info({ password: 'hunter2', user: { email: 'a@example.org' } }, 'login');
    expect(lines.join()).not.to.match(/hunter2|example/);
    expect(records).to.have.lengthOf(1);
    expect(JSON.stringify(records)).not.to.match(/hunter2|example/);
    expect(records[0]?.details).to.deep.equal({ password: '[Redacted]', user: 'a user' });
  });

  it('shows no more than the level of the log lets into it', async () => {
    const { logger, watch } = logging({ level: 'error' });
    const { records } = await watch();
    logger.warn('unheard');
    logger.error('heard');
    expect(records.map(({ message }) => message)).to.deep.equal(['heard']);
  });

  it('is silent before somebody watches, and when nobody does any longer', async () => {
    const { lines, logger, watch } = logging();
    logger.info('before');
    const { records, leave } = await watch();
    leave();
    await new Promise((resolve) => setImmediate(resolve));
    logger.info('after');
    expect(records).to.deep.equal([]);
    expect(lines).to.have.lengthOf(2);
  });

  it('passes on what is no line of JSON, and shows it to nobody', async () => {
    const lines: string[] = [];
    const tap = logTap();
    const records: LogRecord[] = [];
    (await tap.join()).listen((record) => records.push(record));
    tap.into({ write: (line) => lines.push(line) }).write('{ no JSON\n');
    expect([lines.length, records.length]).to.deep.equal([1, 0]);
  });
});
