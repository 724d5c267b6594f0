import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ChunkContent, ChunkReader, DiscardReader } from './chunk-reader.js';

/** Bytes that matter, and some that do not. */
const bytes = fc
  .array(fc.constantFrom('\r\n', '\r', '\n', '\0', '.', '\r\n.\r\n', 'a', 'X: y\r\n'), { maxLength: 40 })
  .map((parts) => Buffer.from(parts.join(''), 'latin1'));
const cuts = fc.array(fc.nat(60), { maxLength: 8 });

/** Feeds `message` as BDAT chunks cut at `chunkCuts`, in segments cut at `segmentCuts`, with commands of the next transaction behind it. */
function read(kind: ChunkContent, message: Buffer, chunkCuts: number[], segmentCuts: number[]) {
  const reader = new ChunkReader(kind, 20);
  const content: Buffer[] = [];
  const edges = (list: number[], length: number): number[] =>
    [...new Set([...list.filter((at) => at < length), length])].sort((a, b) => a - b);
  let from = 0;
  for (const to of edges(chunkCuts, message.length)) {
    const chunk = message.subarray(from, to);
    from = to;
    if (chunk.length === 0) continue;
    reader.expect(chunk.length);
    let at = 0;
    const wire = Buffer.concat([chunk, Buffer.from('QUIT\r\n')]);
    for (const end of edges(segmentCuts, wire.length)) {
      if (end <= at) continue;
      const stop = reader.feed(Buffer.from(wire.subarray(at, end)));
      content.push(Buffer.from(reader.content));
      if (stop !== -1) {
        expect(at + stop).toBe(chunk.length);
        break;
      }
      at = end;
    }
  }
  content.push(Buffer.from(reader.finish()));
  const { violation, isText } = reader;
  return { violation, isText, content: violation === undefined ? Buffer.concat(content).toString('latin1') : '' };
}

describe('chunk reader', () => {
  it.each<ChunkContent>(['text', 'repaired', 'binary'])('reads %s the same however it is cut', (kind) => {
    fc.assert(
      fc.property(bytes, cuts, cuts, (message, chunkCuts, segmentCuts) => {
        expect(read(kind, message, chunkCuts, segmentCuts)).toEqual(read(kind, message, [], []));
      }),
      { numRuns: 2_000 },
    );
  });

  it('lets no bare newline through as text', () => {
    fc.assert(
      fc.property(bytes, fc.constantFrom<ChunkContent>('text', 'repaired'), (message, kind) => {
        const { content } = read(kind, message, [], []);
        expect(content.replaceAll('\r\n', '')).not.toMatch(/[\r\n\0]/);
        expect(content === '' || content.endsWith('\r\n')).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });

  it.each([
    ['text', 'X: y\r\n\r\nbody\r\n', undefined, true],
    ['text', 'X: y\r\n\r\nbo\ndy\r\n', 'bareNewline', false],
    ['text', `X: y\r\n\r\n${'a'.repeat(21)}\r\n`, 'lineTooLong', false],
    ['binary', 'X: y\r\n\r\n\0\r\n', undefined, false],
    ['binary', 'X: y\r\n\r\nwhole\r\n', undefined, true],
    ['binary', 'X: y\nZ: z\r\n\r\n', 'bareNewline', false],
    ['binary', 'X: \0\r\n\r\n', 'nul', false],
    ['repaired', 'X: y\n\nbo\rdy', undefined, true],
  ] as const)('judges %s %j', (kind, message, violation, isText) => {
    expect(read(kind, Buffer.from(message, 'latin1'), [], [])).toMatchObject({ violation, isText });
  });

  it('takes from a discarded chunk exactly its octets', () => {
    const reader = new DiscardReader(5);
    expect(reader.feed(Buffer.from('QUI'))).toBe(-1);
    expect(reader.feed(Buffer.from('T\r\nNOOP\r\n'))).toBe(2);
    expect(reader.size).toBe(5);
  });
});
