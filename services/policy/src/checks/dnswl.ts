/** dnswl: is the client address on a configured list of good clients? RFC 5782. A listed one is spared the checks its settings name. */
import { defineCheck } from '../check.js';
import { listsOf, tally } from '../dns-lists/dns-list.js';
import { askAddressLists } from './dnsbl.js';

export const dnswl = defineCheck({
  name: 'dnswl',
  settings: 'dnswl',
  doc: 'Is the client address on a configured list of good clients? RFC 5782.',
  stage: 'connect',
  outcomes: ['listed', 'clear', 'unusable', 'dns_temperror'],
  late: 'dns_temperror',
  timeoutMs: 2_000,
  // An address that stands for many says nothing good of one of them.
  applies: ({ isOutsider, facts }, policy) => isOutsider && !facts.addressSuspected && listsOf(policy).length > 0,
  async evaluate(context, { origin }, policy) {
    const budget = { queries: listsOf(policy).length, deadlineMs: context.deadlineMs };
    const answers = await askAddressLists(context, context.resolver.withBudget(budget), origin.clientAddress, policy);
    const { score, listed, broken, unknown } = tally(answers);
    if (listed.length > 0) {
      const zones = listed.map(({ list }) => list.zone).join(' ');
      return [{ outcome: 'listed', evidence: { zones, score: String(score), spares: policy.skips.join(' ') } }];
    }
    const evidence: Record<string, string> = {};
    if (broken.length > 0) evidence.ignored = broken.map(({ list, answer }) => `${list.zone}=${answer}`).join(' ');
    const rest = broken.length === answers.length ? 'unusable' : 'clear';
    return [{ outcome: unknown ? 'dns_temperror' : rest, evidence }];
  },
});
