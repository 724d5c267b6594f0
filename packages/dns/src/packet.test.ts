/** Whatever octets a server sends, reading them ends in a value, and nothing outside the asked chain is believed. */
import { seededRandom } from '@postern/clock';
import { encode } from 'dns-packet';
import { describe, expect, it } from 'vitest';
import { encodeQuestion, readReply } from './packet.js';
import { writeReply } from './reply-writer.js';

const question = { id: 0x1234, name: 'mail.example.test', type: 'TXT', caseSensitive: false } as const;

const good = writeReply({
  id: question.id,
  question,
  rcode: 0,
  aliases: [{ name: question.name, target: 'alias.test', ttl: 30 }],
  records: [{ name: 'alias.test', ttl: 60, data: ['v=spf1', ' -all'] }],
  authenticated: true,
});

describe('readReply', () => {
  it('reads what writeReply wrote', () => {
    expect(readReply(good, question, true)).toEqual({
      kind: 'reply',
      reply: {
        kind: 'answer',
        type: 'TXT',
        name: 'alias.test',
        records: [{ name: 'alias.test', ttl: 60, data: ['v=spf1', ' -all'] }],
        ttl: 30,
        authenticated: true,
        stale: false,
      },
    });
  });

  it('never throws on damaged packets', () => {
    const random = seededRandom(7);
    const kinds = new Set<string>();
    for (let i = 0; i < 10_000; i++) {
      const octets = Buffer.from(good);
      const flips = 1 + Math.floor(random.float() * 8);
      for (let flip = 0; flip < flips; flip++) {
        octets[2 + Math.floor(random.float() * (octets.length - 2))] = Math.floor(random.float() * 256);
      }
      const cut = random.float() < 0.3 ? octets.subarray(0, Math.floor(random.float() * octets.length)) : octets;
      const reading = readReply(cut, question, true);
      kinds.add(reading.kind === 'reply' ? reading.reply.kind : reading.kind);
    }
    expect([...kinds].sort()).toEqual(expect.arrayContaining(['answer', 'foreign', 'servfail', 'truncated']));
  });

  it('never throws on noise, and every prefix of a packet is a value', () => {
    const random = seededRandom(11);
    for (let i = 0; i < 5_000; i++) {
      const octets = random.bytes(Math.floor(random.float() * 600));
      if (octets.length > 3) {
        octets.writeUInt16BE(question.id, 0);
        octets[2] = 0x80;
      }
      readReply(octets, question, true);
    }
    for (let length = 0; length < good.length; length++) {
      expect(readReply(good.subarray(0, length), question, true)).not.toMatchObject({ reply: { kind: 'answer' } });
    }
  });

  it('survives names that point at themselves', () => {
    const octets = Buffer.concat([
      encodeQuestion({ ...question }).subarray(0, 12),
      Buffer.from([0xc0, 0x0c, 0, 16, 0, 1]),
    ]);
    octets[2] = 0x80;
    octets.writeUInt16BE(1, 4);
    octets.writeUInt16BE(0, 10);
    expect(readReply(octets, question, true)).toMatchObject({ reply: { kind: 'servfail' } });
  });

  it('believes no record of another name or class', () => {
    const packet = encode({
      type: 'response',
      id: question.id,
      questions: [{ name: question.name, type: 'TXT' }],
      answers: [
        { type: 'TXT', name: 'victim.test', ttl: 60, data: 'forged' },
        { type: 'TXT', name: question.name, class: 'CH', ttl: 60, data: 'forged' },
      ],
    });
    expect(readReply(packet, question, true)).toMatchObject({ reply: { kind: 'nodata', ttl: 0 } });
  });

  it('takes a TTL with the top bit set as zero', () => {
    const packet = encode({
      type: 'response',
      id: question.id,
      questions: [{ name: question.name, type: 'TXT' }],
      answers: [{ type: 'TXT', name: question.name, ttl: 0x80000001, data: 'x' }],
    });
    expect(readReply(packet, question, true)).toMatchObject({ reply: { kind: 'answer', ttl: 0 } });
  });
});
