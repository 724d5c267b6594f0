import { createHash } from 'node:crypto';
import { seededRandom } from '@postern/clock';
import { describe, expect, it } from 'vitest';
import { BodyHash } from './body-hash.js';
import type { Canonicalization } from './canonical-header.js';

const digestOf = (form: Canonicalization, chunks: readonly string[], limit?: number): string => {
  const body = new BodyHash(form, 'sha256', limit);
  for (const chunk of chunks) body.update(Buffer.from(chunk, 'latin1'));
  return body.digest().toString('hex');
};
const plain = (text: string): string => createHash('sha256').update(text, 'latin1').digest('hex');

/** The definition of RFC 6376 §3.4.3 and §3.4.4, written the slow way. */
function canonical(form: Canonicalization, text: string): string {
  const lines = text.split('\r\n');
  const relaxed = lines.map((line) => line.replace(/[ \t]+/g, ' ').replace(/ $/, ''));
  const kept = form === 'simple' ? lines : relaxed;
  while (kept.length > 0 && kept.at(-1) === '') kept.pop();
  if (kept.length === 0) return form === 'simple' ? '\r\n' : '';
  return `${kept.join('\r\n')}\r\n`;
}

describe('BodyHash', () => {
  it.each([
    ['simple', '', '\r\n'],
    ['relaxed', '', ''],
    ['simple', '\r\n\r\n', '\r\n'],
    ['relaxed', ' \r\n\t\r\n', ''],
    ['simple', ' C \r\nD \t E\r\n\r\n\r\n', ' C \r\nD \t E\r\n'],
    ['relaxed', ' C \r\nD \t E\r\n\r\n\r\n', ' C\r\nD E\r\n'],
    ['relaxed', 'a', 'a\r\n'],
    ['simple', 'a\n\r\n', 'a\n\r\n'],
    ['relaxed', 'a \r b\r', 'a \r b\r\r\n'],
  ] as const)('%s of %j', (form, text, expected) => {
    expect(digestOf(form, [text])).toBe(plain(expected));
  });

  it('gives the same for any chunking, and what the definition says', () => {
    const random = seededRandom(3);
    const alphabet = ['\r\n', '\r\n', ' ', '\t', 'a', 'bc', '\r\n\r\n'];
    for (let round = 0; round < 2_000; round++) {
      let text = '';
      for (let i = random.float() * 30; i > 0; i--) text += alphabet[Math.floor(random.float() * alphabet.length)];
      const chunks: string[] = [];
      for (let at = 0; at < text.length; ) {
        const size = 1 + Math.floor(random.float() * 4);
        chunks.push(text.slice(at, at + size));
        at += size;
      }
      for (const form of ['simple', 'relaxed'] as const) {
        expect(digestOf(form, chunks), JSON.stringify(chunks)).toBe(plain(canonical(form, text)));
      }
    }
  });

  it('handles more line ends than its scratch holds', () => {
    const text = `a${'\r\n'.repeat(70_000)}b`;
    for (const form of ['simple', 'relaxed'] as const) expect(digestOf(form, [text])).toBe(plain(`${text}\r\n`));
    const long = 'x '.repeat(100_000);
    expect(digestOf('relaxed', [long])).toBe(plain(`${long.trim()}\r\n`));
  });

  it('gives the same whether a block has extra space or not', () => {
    const random = seededRandom(9);
    for (let round = 0; round < 60; round++) {
      let text = '';
      while (text.length < 6_000) {
        const odd =
          random.float() < 0.01 ? (['  ', ' \r\n', '\t', '\r\n\r\n'][Math.floor(random.float() * 4)] ?? '') : ' ';
        text += `${'word'.slice(Math.floor(random.float() * 4))}${odd}${random.float() < 0.1 ? '\r\n' : 'x'}`;
      }
      const cut = Math.floor(random.float() * text.length);
      expect(digestOf('relaxed', [text.slice(0, cut), text.slice(cut)])).toBe(plain(canonical('relaxed', text)));
    }
  });

  it('counts only the octets of l=', () => {
    expect(digestOf('simple', ['abc', 'def\r\n'], 4)).toBe(plain('abcd'));
  });
});
