import { expect, test } from 'vitest';
import { CommandStream } from './command-stream.js';
import { DataReader } from './line-policy.js';

/** Lines as they are dispatched; one that begins with `slow` is in work until the returned function is called. */
function collect(): { stream: CommandStream; lines: string[]; finish: () => void } {
  const lines: string[] = [];
  let finish = (): void => undefined;
  const stream = new CommandStream({
    onLine: (line) => {
      lines.push(line);
      if (!line.startsWith('slow')) return undefined;
      return new Promise((resolve) => {
        finish = resolve;
      });
    },
    onBadLine: () => undefined,
    onNoise: () => undefined,
    onIdle: () => undefined,
  });
  return { stream, lines, finish: () => finish() };
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('a chunk that waited while a command was in work is dispatched when it ends', async () => {
  const { stream, lines, finish } = collect();
  for (const chunk of ['slow one\r\nsecond\r\nthi', 'rd\r\nfour', 'th\r\n']) stream.write(Buffer.from(chunk));
  await settled();
  expect(lines).toEqual(['slow one']);
  finish();
  await settled();
  expect(lines).toEqual(['slow one', 'second', 'third', 'fourth']);
});

test('a message whose chunks waited is read to its end', async () => {
  const { stream, lines, finish } = collect();
  for (const chunk of ['slow data\r\n', 'a\r\n', 'b\r\n', '.\r\nnext\r\n']) stream.write(Buffer.from(chunk));
  await settled();
  const content: string[] = [];
  const end = stream.readMessage(new DataReader(1_000), (bytes) => {
    content.push(bytes.toString());
    return new Promise((resolve) => setImmediate(resolve));
  });
  expect(await end).toBe('whole');
  finish();
  await settled();
  expect([content.join(''), lines]).toEqual(['a\r\nb\r\n', ['slow data', 'next']]);
});
