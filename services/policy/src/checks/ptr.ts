/** ptr: has the client a name in reverse DNS, and does that name lead back to the address (FCrDNS)? RFC 8601 §3 (iprev). At most ten names are followed. */
import { isTemporary, unmapAddress } from '@postern/dns';
import { defineCheck } from '../check.js';
import { isExemptClient } from '../exempt-client.js';

const mostNames = 10;

export const ptr = defineCheck({
  name: 'ptr',
  settings: 'ptr',
  doc: 'Has the client a name in reverse DNS that leads back to its address? RFC 8601 section 3.',
  stage: 'connect',
  outcomes: ['confirmed', 'unconfirmed', 'missing', 'exempt', 'temperror'],
  late: 'temperror',
  timeoutMs: 3_000,
  applies: ({ isOutsider }) => isOutsider,
  async evaluate({ resolver, deadlineMs }, subject, { exempt, require: needed }) {
    const address = unmapAddress(subject.origin.clientAddress);
    if (isExemptClient(subject, exempt)) return [{ outcome: 'exempt', evidence: {} }];
    const budgeted = resolver.withBudget({ queries: 1 + mostNames, deadlineMs });
    const found = await budgeted.ptr(address);
    if (found.kind !== 'answer')
      return [{ outcome: isTemporary(found) ? 'temperror' : 'missing', evidence: { needed } }];
    const names = found.values.slice(0, mostNames);
    const evidence = { name: names[0] ?? '', needed };
    const type = address.includes(':') ? 'AAAA' : 'A';
    const answers = await Promise.all(names.map((name) => budgeted.query(name, type)));
    const confirmed = answers.findIndex(
      (answer) => answer.kind === 'answer' && answer.records.some(({ data }) => sameAddress(data, address)),
    );
    if (confirmed >= 0) return [{ outcome: 'confirmed', evidence: { name: names[confirmed] ?? '', needed } }];
    return [{ outcome: answers.some(isTemporary) ? 'temperror' : 'unconfirmed', evidence }];
  },
});

/** Two spellings of an IPv6 address are one address. */
function sameAddress(one: string, other: string): boolean {
  if (one === other) return true;
  return one.includes(':') && URL.parse(`http://[${one}]`)?.hostname === URL.parse(`http://[${other}]`)?.hostname;
}
