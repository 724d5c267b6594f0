/** sender: can the domain of the reverse-path receive mail? MX, else an address (RFC 5321 §5.1); a null MX says that it never does (RFC 7505). */
import { isTemporary, normaliseName } from '@postern/dns';
import { defineCheck } from '../check.js';
import { domainOf } from '../subject.js';
import { isBelowAny } from './domain-match.js';

export const sender = defineCheck({
  name: 'sender',
  settings: 'sender',
  doc: 'Can the domain of the reverse-path receive mail? RFC 5321 section 5.1, RFC 7505.',
  stage: 'mail',
  outcomes: ['mx', 'address', 'null_mx', 'missing', 'invalid', 'exempt', 'temperror'],
  late: 'temperror',
  alone: true,
  timeoutMs: 3_000,
  applies: ({ isOutsider, facts }) => isOutsider && facts.hasReversePath && facts.reversePath !== '',
  async evaluate({ resolver, deadlineMs }, { facts, snapshot }, { exempt }) {
    const domain = normaliseName(domainOf(facts.reversePath));
    const evidence = { domain: domain ?? domainOf(facts.reversePath).slice(0, 255) };
    if (domain === undefined || domain === '' || domain.startsWith('[')) return [{ outcome: 'invalid', evidence }];
    if (isBelowAny(domain, exempt) || snapshot.domain(domain) !== undefined) return [{ outcome: 'exempt', evidence }];
    const budgeted = resolver.withBudget({ queries: 3, deadlineMs });
    const exchanges = await budgeted.mx(domain);
    if (exchanges.kind === 'answer') {
      const isNull = exchanges.values.length === 1 && exchanges.values[0]?.exchange === '';
      return [{ outcome: isNull ? 'null_mx' : 'mx', evidence }];
    }
    if (isTemporary(exchanges)) return [{ outcome: 'temperror', evidence }];
    const addresses = await budgeted.addresses(domain);
    if (addresses.kind === 'answer') return [{ outcome: 'address', evidence }];
    return [{ outcome: isTemporary(addresses) ? 'temperror' : 'missing', evidence }];
  },
});
