/**
 * dnsbl: is the client address on a configured DNS blocklist? RFC 5782 §2.1. All zones are asked at once. An answer of 127.255.255.x says
 * that the list does not serve us, one outside 127/8 that the zone is no list (any more): neither ever counts as a listing.
 */
import { dnsblName, isAbsent, type Resolver } from '@postern/dns';
import { defineCheck } from '../check.js';

const longestText = 200;

type ZoneAnswer =
  | { readonly kind: 'listed'; readonly zone: string; readonly codes: readonly string[]; readonly text: string }
  | { readonly kind: 'clear' | 'unknown' }
  | { readonly kind: 'unusable'; readonly zone: string; readonly answer: string };

export const dnsbl = defineCheck({
  name: 'dnsbl',
  doc: 'Is the client address on a configured DNS blocklist? RFC 5782.',
  stage: 'connect',
  outcomes: ['listed', 'clear', 'unusable', 'dns_temperror'],
  late: 'dns_temperror',
  timeoutMs: 2_000,
  applies: ({ isOutsider }) => isOutsider,
  async evaluate({ resolver, deadlineMs, unusable }, { origin }, { zones }) {
    const budgeted = resolver.withBudget({ queries: zones.length * 2, deadlineMs });
    const answers = await Promise.all(zones.map((zone) => ask(budgeted, origin.clientAddress, zone)));
    const listings = answers.filter((answer) => answer.kind === 'listed');
    const broken = answers.filter((answer) => answer.kind === 'unusable');
    for (const { zone, answer } of broken) unusable(zone, answer);
    const ignored =
      broken.length === 0 ? {} : { ignored: broken.map(({ zone, answer }) => `${zone}=${answer}`).join(' ') };
    if (listings.length > 0) {
      const evidence = {
        zones: listings.map(({ zone }) => zone).join(' '),
        codes: listings.map(({ codes }) => codes.join(',')).join(' '),
        texts: listings.map(({ text }) => text).join('\n'),
        ...ignored,
      };
      return [{ outcome: 'listed', evidence }];
    }
    if (answers.some(({ kind }) => kind === 'unknown')) return [{ outcome: 'dns_temperror', evidence: ignored }];
    return [{ outcome: broken.length > 0 ? 'unusable' : 'clear', evidence: ignored }];
  },
});

async function ask(resolver: Resolver, clientAddress: string, zone: string): Promise<ZoneAnswer> {
  const name = dnsblName(clientAddress, zone);
  if (name === undefined) return { kind: 'clear' };
  const result = await resolver.query(name, 'A');
  if (result.kind !== 'answer') return { kind: isAbsent(result) ? 'clear' : 'unknown' };
  const codes = result.records.map(({ data }) => data);
  const meant = codes.filter((code) => code.startsWith('127.') && !code.startsWith('127.255.255.'));
  if (meant.length === 0) return { kind: 'unusable', zone, answer: codes[0] ?? '' };
  return { kind: 'listed', zone, codes: meant.slice(0, 8), text: await reason(resolver, name) };
}

/** What the list says about it, safe to put into a reply. */
async function reason(resolver: Resolver, name: string): Promise<string> {
  const texts = await resolver.txt(name);
  const text = texts.kind === 'answer' ? (texts.values[0] ?? '') : '';
  return text.replace(/[^\x20-\x7e]+/g, ' ').slice(0, longestText);
}
