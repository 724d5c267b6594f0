/** Whatever stands in a message or in DNS: no exception, no long computing, and never a pass. */
import { FakeClock, seededRandom } from '@postern/clock';
import { createZone } from '@postern/dns/testing';
import { readHeaderSection } from '@postern/mail-message';
import { describe, expect, it } from 'vitest';
import { verifyArc } from './arc/verify.js';
import { verifyDkim } from './dkim/verify.js';
import { authorDomains } from './dmarc/author-domain.js';
import { evaluateDmarc } from './dmarc/evaluate.js';
import { checkMailFrom } from './spf/check-spf.js';

const clock = new FakeClock();
const random = seededRandom(5);
const pick = <T>(from: readonly T[]): T | undefined => from[Math.floor(random.float() * from.length)];
const noise = (alphabet: readonly string[], length: number): string => {
  let text = '';
  for (let i = 0; i < length; i++) text += pick(alphabet);
  return text;
};

const tagSoup = [
  'v=1',
  'a=rsa-sha256',
  'd=a.test',
  's=s',
  'b=',
  'bh=',
  'AAAA',
  'h=',
  'from',
  ':',
  ';',
  '; ',
  ' ',
  '=',
  '\r\n ',
  'i=1',
  'cv=none',
  'l=1',
  'c=simple',
  '\u00e9',
  '"',
  '@',
  't=',
  'x=',
];
const spfSoup = [
  'a',
  'mx',
  'ptr',
  'include:',
  'exists:',
  'ip4:',
  'ip6:',
  'redirect=',
  'exp=',
  'b.test',
  '%{',
  'i',
  'r',
  '}',
  '%',
  '.',
  '/',
  '//',
  '24',
  '-',
  '~',
  ' ',
  'all',
  '192.0.2.1',
  '::1',
  '=',
  '_',
  '\u00e9',
];

describe('noise', () => {
  it('in signatures never passes and never throws', async () => {
    for (let round = 0; round < 2_000; round++) {
      const names = ['DKIM-Signature', 'ARC-Seal', 'ARC-Message-Signature', 'ARC-Authentication-Results', 'From'];
      let text = '';
      for (let i = 0; i < 4; i++) text += `${pick(names)}: ${noise(tagSoup, 20)}\r\n`;
      const message = Buffer.from(`${text}\r\nbody`, 'latin1');
      const section = readHeaderSection(message);
      const body = [message.subarray(section.bodyOffset)];
      const resolver = createZone({ 's._domainkey.a.test': { TXT: [noise(tagSoup, 10)] } });
      const results = await verifyDkim(section.fields, body, { resolver, clock });
      expect(results.every(({ result }) => result !== 'pass')).toBe(true);
      expect((await verifyArc(section.fields, body, { resolver })).result).not.toBe('pass');
      await evaluateDmarc({ author: authorDomains(section.fields), spf: undefined, dkim: results }, resolver);
    }
  });

  it('in SPF records never throws and always ends', async () => {
    for (let round = 0; round < 5_000; round++) {
      const record = (): string => `v=spf1 ${noise(spfSoup, 12)}`;
      const zone = {
        'a.test': { TXT: [record()], MX: [[1, 'b.test']] as const },
        'b.test': { TXT: [record()], A: ['192.0.2.9'] },
      };
      const question = {
        clientAddress: '192.0.2.1',
        helo: noise(spfSoup, 3),
        reversePath: `${noise(spfSoup, 3)}@a.test`,
      };
      const { lookups } = await checkMailFrom(question, { resolver: createZone(zone, clock), clock });
      expect(lookups).toBeLessThanOrEqual(11);
    }
  });
});

describe('size', () => {
  const long = 200_000;
  it.each([
    ['spaces', `v=1; a=rsa-sha256;${' '.repeat(long)}x`],
    ['semicolons', ';'.repeat(long)],
    ['colons', `v=1; a=rsa-sha256; d=a.test; s=s; bh=AAAA; b=AAAA; h=${':'.repeat(long)}`],
    ['folds', `v=1; b=${'\r\n '.repeat(long / 3)}`],
  ])('of a signature made of %s is no burden', async (_, value) => {
    const message = Buffer.from(`DKIM-Signature: ${value}\r\n`.repeat(1));
    const section = readHeaderSection(message);
    const begun = performance.now();
    await verifyDkim(section.fields, [], { resolver: createZone({}), clock });
    expect(performance.now() - begun).toBeLessThan(500);
  });

  it.each([
    `a:${'a'.repeat(60_000)}!`,
    `a:b.${'a1'.repeat(30_000)}!`,
    `exp=${'%{i}'.repeat(15_000)}`,
    'ip4:192.0.2.2 '.repeat(4_000),
  ])('of an SPF record is no burden: %.12s', async (terms) => {
    const zone = createZone({ 'a.test': { TXT: [`v=spf1 ${terms}`] } }, clock);
    const begun = performance.now();
    const question = { clientAddress: '192.0.2.1', helo: 'h.test', reversePath: 'x@a.test' };
    await checkMailFrom(question, { resolver: zone, clock });
    expect(performance.now() - begun).toBeLessThan(500);
  });
});
