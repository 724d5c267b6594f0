/**
 * uribl: is a domain in From, Reply-To or the text of the message on a configured domain list? RFC 5782 §2.4. Domains are asked about at their
 * registrable level (public suffix list), address literals by their address; how many is bounded.
 */
import { isIP } from 'node:net';
import { domainListName, reversedAddress } from '@postern/dns';
import { getDomain } from 'tldts';
import { defineCheck } from '../check.js';
import { askList, type DnsList, type ListAnswer, listsOf, tally } from '../dns-lists/dns-list.js';
import { isBelowAny } from './domain-match.js';

export const uribl = defineCheck({
  name: 'uribl',
  settings: 'uribl',
  doc: 'Is a domain of the message on a configured domain list? RFC 5782 section 2.4.',
  stage: 'body',
  outcomes: ['listed', 'clear', 'unusable', 'dns_temperror'],
  late: 'dns_temperror',
  timeoutMs: 3_000,
  applies: ({ isOutsider, content }, policy) => isOutsider && content !== undefined && listsOf(policy).length > 0,
  async evaluate({ resolver, tools, unusable, deadlineMs }, { content }, policy) {
    if (content === undefined) return [];
    const domains = registrable(content.hosts(), policy.exempt, policy.maxDomains);
    const lists = listsOf(policy);
    const budgeted = resolver.withBudget({ queries: domains.length * lists.length, deadlineMs });
    // A list that is tested first holds up no other.
    const standings = new Map(
      lists.map((list) => [
        list,
        policy.selfTest ? tools.listHealth.usable('domain', list.zone, deadlineMs / 2) : true,
      ]),
    );
    const ask = async (domain: string, list: DnsList): Promise<ListAnswer> => {
      if (!(await standings.get(list))) return { kind: 'clear', list };
      const name = isIP(domain) === 0 ? domain : reversedAddress(domain);
      return askList(budgeted, name === undefined ? undefined : domainListName(name, list.zone), list);
    };
    const found = await Promise.all(
      domains.map(async (domain) => ({
        domain,
        ...tally(await Promise.all(lists.map((list) => ask(domain, list)))),
      })),
    );
    const tested = await Promise.all([...standings].map(async ([{ zone }, usable]) => ((await usable) ? '' : zone)));
    const broken = new Set(tested.filter((zone) => zone !== ''));
    for (const { broken: wrong } of found)
      for (const { list, answer } of wrong) {
        unusable(list.zone, answer);
        broken.add(list.zone);
      }
    const evidence = { asked: String(domains.length), ...(broken.size > 0 ? { ignored: [...broken].join(' ') } : {}) };
    const listed = found.filter(({ score }) => score >= policy.threshold && score > 0);
    if (listed.length > 0) {
      const zones = new Set(listed.flatMap((one) => one.listed.map(({ list }) => list.zone)));
      return [
        {
          outcome: 'listed',
          evidence: { ...evidence, domains: listed.map(({ domain }) => domain).join(' '), zones: [...zones].join(' ') },
        },
      ];
    }
    if (found.some(({ unknown }) => unknown)) return [{ outcome: 'dns_temperror', evidence }];
    return [{ outcome: lists.every(({ zone }) => broken.has(zone)) ? 'unusable' : 'clear', evidence }];
  },
});

/** Hosts at their registrable level, each once, in order, without the exempt ones. */
export function registrable(hosts: Iterable<string>, exempt: readonly string[], most: number): string[] {
  const domains = new Set<string>();
  for (const host of hosts) {
    if (domains.size >= most) break;
    const domain = isIP(host) === 0 ? getDomain(host, { allowPrivateDomains: true }) : host;
    if (domain !== null && !isBelowAny(host, exempt) && !isBelowAny(domain, exempt)) domains.add(domain);
  }
  return [...domains];
}
