/**
 * SMTP smuggling (CERT VU#302671): everything short that looks like the end of data and is none, with a second transaction behind it, cut at random, under
 * both line policies, by DATA and by BDAT. Never two messages; refused whole, or one message of whole lines.
 */
import { RawClient } from '@postern/testkit/smtp';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import type { Listener } from '../listener.js';
import { Doubles } from '../testing/doubles.js';
import { ChunkReader } from './chunk-reader.js';
import { DataReader } from './line-policy.js';
import { NormalisingReader } from './normalising-reader.js';

/** Every sequence of up to `most` of these octets. */
function sequences(octets: readonly string[], most: number): string[] {
  const found = [''];
  for (let from = 0, length = 1; length <= most; length++) {
    const to = found.length;
    for (; from < to; from++) for (const octet of octets) found.push(`${found[from]}${octet}`);
  }
  return found;
}

const around = sequences(['\r', '\n', '\0'], 3);
const dots = ['.', '..'];
/** All with one or two dots in the middle but those that hold a true end of data. */
const lookalikes = around
  .flatMap((before) => dots.flatMap((dot) => around.map((after) => `${before}${dot}${after}`)))
  .filter((sequence) => !sequence.includes('\r\n.\r\n'));
const isRegular = (text: string): boolean => !/[\r\n\0]/.test(text.replaceAll('\r\n', ''));

const hidden = 'MAIL FROM:<evil@sender.test>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\nevil\r\n.\r\n';
const wireOf = (lookalike: string): Buffer => Buffer.from(`a${lookalike}${hidden}`, 'latin1');

describe('readers', () => {
  /** Fed in two segments, cut at each place of the lookalike. */
  function* cuts(lookalike: string) {
    for (let cut = 0; cut <= lookalike.length + 3; cut++) yield cut;
  }

  it(`end none of ${lookalikes.length} lookalikes early, and let no bare newline through, wherever they are cut`, () => {
    for (const lookalike of lookalikes)
      for (const cut of cuts(lookalike)) {
        const wire = wireOf(lookalike);
        const label = `${JSON.stringify(lookalike)} cut at ${cut}`;
        for (const reader of [new DataReader(1_000), new NormalisingReader(1_000)]) {
          let content = '';
          let end = -1;
          for (const part of [wire.subarray(0, cut), wire.subarray(cut)]) {
            if (part.length === 0) continue;
            end = reader.feed(Buffer.from(part));
            content += reader.content.toString('latin1');
          }
          expect(end, label).toBe(wire.length - cut);
          if (reader instanceof NormalisingReader) expect(reader.violation, label).toBeUndefined();
          else expect(reader.violation === undefined, label).toBe(isRegular(wire.toString('latin1')));
          if (reader.violation === undefined) expect(isRegular(content), label).toBe(true);
        }
      }
  });

  it('read nothing in a chunk as an end, and let no bare newline through as text', () => {
    for (const lookalike of lookalikes) {
      const wire = wireOf(lookalike);
      for (const kind of ['text', 'repaired'] as const) {
        const reader = new ChunkReader(kind, 1_000);
        reader.expect(wire.length);
        expect(reader.feed(Buffer.from(wire))).toBe(wire.length);
        const content = `${reader.content.toString('latin1')}${reader.finish().toString('latin1')}`;
        if (kind === 'repaired') expect(reader.violation).toBeUndefined();
        else expect(reader.violation === undefined).toBe(isRegular(wire.toString('latin1')));
        expect(isRegular(content), JSON.stringify(lookalike)).toBe(true);
      }
    }
  });
});

describe('a session', () => {
  let open: Listener | undefined;
  afterEach(async () => {
    open?.destroy();
    await open?.drain();
    open = undefined;
  });

  /** Sends all of it in segments that arrive one by one. */
  async function sendCut(client: RawClient, wire: Buffer, cuts: readonly number[]): Promise<void> {
    let at = 0;
    for (const cut of [...cuts].sort((one, other) => one - other).concat(wire.length)) {
      if (cut <= at) continue;
      client.send(wire.subarray(at, cut));
      at = cut;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  const envelope = 'EHLO c.test\r\nMAIL FROM:<a@sender.test>\r\nRCPT TO:<bob@example.test>\r\n';
  const byData = (body: Buffer): Buffer =>
    Buffer.concat([Buffer.from(`${envelope}DATA\r\n`), body, Buffer.from('QUIT\r\n')]);
  const byChunks = (body: Buffer, chunk: number): Buffer => {
    const first = body.subarray(0, chunk);
    const rest = body.subarray(chunk);
    return Buffer.concat([
      Buffer.from(`${envelope}BDAT ${first.length}\r\n`),
      first,
      Buffer.from(`BDAT ${rest.length} LAST\r\n`),
      rest,
      Buffer.from('QUIT\r\n'),
    ]);
  };

  it.each([
    ['refuse', 'DATA'],
    ['refuse', 'BDAT'],
    ['normalise', 'DATA'],
    ['normalise', 'BDAT'],
  ] as const)('under %s by %s has at most one message, and goes on behind it', async (linePolicy, verb) => {
    const doubles = new Doubles();
    doubles.setSnapshot({ listeners: [{ name: 'mx', role: 'mx', linePolicy }] });
    open = await doubles.listen();
    const { port } = open;
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...lookalikes),
        fc.array(fc.nat(260), { maxLength: 12 }),
        fc.nat(20),
        async (lookalike, cuts, chunk) => {
          doubles.stored.length = 0;
          const body = wireOf(lookalike);
          const client = await RawClient.open(port);
          expect(await client.reply()).toMatch(/^220 /);
          await sendCut(client, verb === 'DATA' ? byData(body) : byChunks(body, chunk), cuts);
          await client.closed();
          const said = client.rest.split('\r\n').filter((line) => /^\d{3} /.test(line));
          expect(said.at(-1)).toMatch(/^221 /);
          const accepted = said.filter((line) => line.startsWith('250 2.6.0'));
          expect(accepted).toHaveLength(doubles.stored.length);
          if (linePolicy === 'normalise') expect(accepted).toHaveLength(1);
          else {
            const whole = isRegular(body.toString('latin1'));
            expect(accepted).toHaveLength(whole ? 1 : 0);
            if (!whole) expect(said.some((line) => /^550 5\.6\./.test(line))).toBe(true);
          }
          for (const { body: kept, envelope: stored } of doubles.stored) {
            expect(stored.reversePath).toBe('a@sender.test');
            expect(isRegular(kept.toString('latin1'))).toBe(true);
            expect(kept.includes('evil@sender.test')).toBe(true);
          }
        },
      ),
      { numRuns: 100 },
    );
  });
});
