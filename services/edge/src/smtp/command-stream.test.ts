import { describe, expect, it } from 'vitest';
import { CommandStream, type LineProblem } from './command-stream.js';
import { DataReader } from './line-policy.js';

interface Recorded {
  readonly lines: string[];
  readonly problems: LineProblem[];
  noise: string | undefined;
  partial: number;
}

/** A stream whose commands take `work`. */
function open(work: (line: string, stream: CommandStream) => Promise<void> | undefined = () => undefined) {
  const recorded: Recorded = { lines: [], problems: [], noise: undefined, partial: 0 };
  const stream: CommandStream = new CommandStream({
    onLine: (line) => {
      recorded.lines.push(line);
      return work(line, stream);
    },
    onBadLine: (problem) => {
      recorded.problems.push(problem);
      return undefined;
    },
    onPartialLine: () => void recorded.partial++,
    onNoise: (kind) => {
      recorded.noise = kind;
      stream.abandon();
    },
    onIdle: () => undefined,
  });
  return { stream, recorded };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('command stream', () => {
  it('loses no chunk that came while a command was in work', async () => {
    const { stream, recorded } = open(() => turn().then(() => undefined));
    for (let index = 0; index < 50; index++) stream.write(Buffer.from(`NOOP ${index}\r\n`));
    await expect.poll(() => recorded.lines.length).toBe(50);
    expect(recorded.lines[49]).toBe('NOOP 49');
  });

  it('joins lines that were cut', async () => {
    const { stream, recorded } = open(() => turn().then(() => undefined));
    for (const chunk of ['one\r\ntwo\r\nth', 'ree\r', '\nfo', 'ur\r\n']) stream.write(Buffer.from(chunk));
    await expect.poll(() => recorded.lines).toEqual(['one', 'two', 'three', 'four']);
  });

  it('loses no chunk of a message that came while the sink had no room', async () => {
    const parts: string[] = [];
    let ended = false;
    const { stream } = open(async (line, self) => {
      if (line !== 'DATA') return;
      await self.readMessage(new DataReader(998), (content) => {
        parts.push(content.toString());
        return turn().then(() => undefined);
      });
      ended = true;
    });
    stream.write(Buffer.from('DATA\r\n'));
    for (let index = 0; index < 50; index++) stream.write(Buffer.from(`line ${index}\r\n`));
    stream.write(Buffer.from('.\r\n'));
    await expect.poll(() => ended).toBe(true);
    expect(parts.join('')).toBe(Array.from({ length: 50 }, (_, index) => `line ${index}\r\n`).join(''));
  });

  it('dispatches one command at a time, in order', async () => {
    let inWork = 0;
    let most = 0;
    const { stream, recorded } = open(async () => {
      most = Math.max(most, ++inWork);
      await turn();
      inWork--;
    });
    stream.write(Buffer.from('A\r\nB\r\nC\r\n'));
    await expect.poll(() => recorded.lines).toEqual(['A', 'B', 'C']);
    expect(most).toBe(1);
  });

  it('gives a challenge its answer, and takes pipelined lines that pass', async () => {
    const got: unknown[] = [];
    const { stream, recorded } = open((line, self) => {
      if (line !== 'AUTH') return undefined;
      return self.readLine().then(
        (answer) =>
          void got.push(
            answer,
            self.takeLine((next) => next === 'YES'),
          ),
      );
    });
    stream.write(Buffer.from('AUTH\r\nanswer\r\nYES\r\nQUIT\r\n'));
    await expect.poll(() => recorded.lines).toEqual(['AUTH', 'QUIT']);
    expect(got).toEqual([{ line: 'answer' }, 'YES']);
  });

  it('tells of a line that is not whole', () => {
    const { stream, recorded } = open();
    stream.write(Buffer.from('NOOP\r\n'));
    expect(recorded.partial).toBe(0);
    stream.write(Buffer.from('E'));
    expect(recorded).toMatchObject({ lines: ['NOOP'], partial: 1 });
  });

  it.each<[string, string, LineProblem]>([
    ['bare LF', 'NOOP\n', 'bareNewline'],
    ['bare CR', 'NO\rOP\r\n', 'bareNewline'],
    ['NUL', 'NO\0OP\r\n', 'nul'],
    ['too long', `${'x'.repeat(12_300)}\r\n`, 'lineTooLong'],
    ['too long for a login', `auth ${'x'.repeat(12_300)}\r\n`, 'authLineTooLong'],
  ])('names a bad line: %s', (_name, text, problem) => {
    const { stream, recorded } = open();
    stream.write(Buffer.from(text));
    expect(recorded).toMatchObject({ lines: [], problems: [problem] });
  });

  it('ends an endless line and a TLS hello without holding their bytes', () => {
    const endless = open();
    for (let index = 0; index < 4; index++) endless.stream.write(Buffer.alloc(10_000, 0x61));
    expect(endless.recorded.noise).toBe('endlessLine');
    const hello = open();
    hello.stream.write(Buffer.from('160301', 'hex'));
    expect(hello.recorded.noise).toBe('tlsHello');
  });

  it('dispatches nothing after it was abandoned, and lets go who waits', async () => {
    const ends: unknown[] = [];
    const { stream, recorded } = open(async (line, self) => {
      if (line === 'DATA') ends.push(await self.readMessage(new DataReader(998), () => undefined));
    });
    stream.write(Buffer.from('DATA\r\nhalf a message\r\n'));
    stream.abandon();
    stream.write(Buffer.from('.\r\nNOOP\r\n'));
    await turn();
    expect(ends).toEqual(['closed']);
    expect(recorded.lines).toEqual(['DATA']);
  });
});
