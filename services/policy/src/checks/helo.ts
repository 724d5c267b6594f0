/**
 * helo: is the greeting a fully qualified name or the client's own address literal, not our name, and does it resolve? RFC 5321 §2.3.5, §4.1.3. What
 * a greeting claims proves nothing; what it claims wrongly tells something.
 */
import { isTemporary, normaliseName, unmapAddress } from '@postern/dns';
import { defineCheck } from '../check.js';
import { isExemptClient } from '../exempt-client.js';

export const helo = defineCheck({
  name: 'helo',
  settings: 'helo',
  doc: 'Is the greeting a name that exists, or the own address literal of the client? RFC 5321 section 2.3.5.',
  stage: 'ehlo',
  outcomes: ['valid', 'literal', 'malformed', 'bare', 'ours', 'foreign_literal', 'unresolved', 'exempt', 'temperror'],
  late: 'temperror',
  alone: true,
  timeoutMs: 3_000,
  applies: ({ isOutsider, origin }) => isOutsider && origin.helo !== '',
  async evaluate({ resolver, deadlineMs }, subject, { exempt, mustResolve }) {
    const { origin, snapshot } = subject;
    const evidence = { name: origin.helo.slice(0, 255) };
    if (isExemptClient(subject, exempt)) return [{ outcome: 'exempt', evidence }];
    const literal = /^\[(?:IPv6:)?([0-9a-f:.]+)\]$/i.exec(origin.helo)?.[1];
    if (literal !== undefined) {
      const own = sameHost(literal, unmapAddress(origin.clientAddress));
      return [{ outcome: own ? 'literal' : 'foreign_literal', evidence }];
    }
    const name = normaliseName(origin.helo);
    if (name === undefined || !/^[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?$/.test(name) || /^[\d.]+$/.test(name))
      return [{ outcome: 'malformed', evidence }];
    if (name === snapshot.hostname.toLowerCase() || snapshot.domain(name) !== undefined)
      return [{ outcome: 'ours', evidence }];
    if (!name.includes('.')) return [{ outcome: 'bare', evidence }];
    if (!mustResolve) return [{ outcome: 'valid', evidence }];
    const budgeted = resolver.withBudget({ queries: 3, deadlineMs });
    const addresses = await budgeted.addresses(name);
    if (addresses.kind === 'answer') return [{ outcome: 'valid', evidence }];
    const exchanges = await budgeted.mx(name);
    if (exchanges.kind === 'answer') return [{ outcome: 'valid', evidence }];
    return [{ outcome: isTemporary(addresses) || isTemporary(exchanges) ? 'temperror' : 'unresolved', evidence }];
  },
});

function sameHost(one: string, other: string): boolean {
  if (one === other) return true;
  return one.includes(':') && URL.parse(`http://[${one}]`)?.hostname === URL.parse(`http://[${other}]`)?.hostname;
}
