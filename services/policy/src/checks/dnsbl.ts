/**
 * dnsbl: is the client address on configured DNS blocklists? RFC 5782 §2.1. All lists are asked at once; their weights add up, and from the
 * threshold on the client is listed. What a broken list says never counts (`dns-lists/`).
 */
import { dnsblName, type Resolver } from '@postern/dns';
import { type CheckContext, defineCheck } from '../check.js';
import { askList, type DnsList, type ListAnswer, listsOf, tally } from '../dns-lists/dns-list.js';
import { isExemptClient } from '../exempt-client.js';

const longestText = 200;

export const dnsbl = defineCheck({
  name: 'dnsbl',
  settings: 'dnsbl',
  doc: 'Is the client address on a configured DNS blocklist? RFC 5782.',
  stage: 'connect',
  outcomes: ['listed', 'clear', 'exempt', 'unusable', 'dns_temperror'],
  late: 'dns_temperror',
  timeoutMs: 2_000,
  applies: ({ isOutsider }, policy) => isOutsider && listsOf(policy).length > 0,
  async evaluate(context, subject, policy) {
    const { clientAddress } = subject.origin;
    if (isExemptClient(subject, policy.exempt)) return [{ outcome: 'exempt', evidence: {} }];
    const lists = listsOf(policy);
    const budgeted = context.resolver.withBudget({ queries: lists.length * 2, deadlineMs: context.deadlineMs });
    const answers = await askAddressLists(context, budgeted, clientAddress, policy);
    const { score, listed, broken, unknown } = tally(answers);
    const evidence: Record<string, string> = {};
    if (broken.length > 0) evidence.ignored = broken.map(({ list, answer }) => `${list.zone}=${answer}`).join(' ');
    if (listed.length > 0) {
      evidence.zones = listed.map(({ list }) => list.zone).join(' ');
      evidence.codes = listed.map(({ codes }) => codes.join(',')).join(' ');
      evidence.score = String(score);
    }
    if (score >= policy.threshold) {
      const texts = await Promise.all(listed.map(({ list }) => reason(budgeted, dnsblName(clientAddress, list.zone))));
      return [{ outcome: 'listed', evidence: { ...evidence, texts: texts.join('\n') } }];
    }
    if (unknown) return [{ outcome: 'dns_temperror', evidence }];
    return [{ outcome: broken.length === answers.length ? 'unusable' : 'clear', evidence }];
  },
});

/** Lists that fail their test points are not asked; what no list may answer is told. */
export async function askAddressLists(
  { tools, unusable, deadlineMs }: CheckContext,
  resolver: Resolver,
  clientAddress: string,
  policy: { readonly zones: readonly string[]; readonly lists: readonly DnsList[]; readonly selfTest: boolean },
): Promise<ListAnswer[]> {
  const ask = async (list: DnsList): Promise<ListAnswer> => {
    if (policy.selfTest && !(await tools.listHealth.usable('address', list.zone, deadlineMs / 2)))
      return { kind: 'unusable', list, answer: 'self-test failed' };
    const answer = await askList(resolver, dnsblName(clientAddress, list.zone), list);
    if (answer.kind === 'unusable') unusable(list.zone, answer.answer);
    return answer;
  };
  return Promise.all(listsOf(policy).map(ask));
}

/** What the list says about it, safe to put into a reply. */
async function reason(resolver: Resolver, name: string | undefined): Promise<string> {
  if (name === undefined) return '';
  const texts = await resolver.txt(name);
  const text = texts.kind === 'answer' ? (texts.values[0] ?? '') : '';
  return text.replace(/[^\x20-\x7e]+/g, ' ').slice(0, longestText);
}
