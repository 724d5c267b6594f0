/**
 * Allow or deny by client address (design.md, Configuration): levels are listener, service, global; the most specific level with a match
 * wins, within a level the lowest priority number, on equal numbers the rule that stands first. No rule matches = what the IP set of the
 * address says; in no set = allow. An address that cannot be read is denied.
 */

import type { AccessRule } from '@postern/proto/config/v1/snapshot';
import { ipOctets, parseNetworks } from '../networks/ip-network.js';
import type { IpSetTable } from '../networks/ip-sets.js';
import { PrefixTrie } from '../networks/prefix-trie.js';

interface Verdict {
  readonly rule: AccessRule;
  readonly order: number;
}

export interface AccessTable {
  /** Which rule or set keeps this client out, in words for the log; undefined = it may connect. */
  denial(listener: string, clientAddress: string): string | undefined;
}

/** Name of the service whose rules hold here. */
const service = 'smtp';

function first(one: Verdict, other: Verdict): Verdict {
  if (one.rule.priority !== other.rule.priority) return one.rule.priority < other.rule.priority ? one : other;
  return one.order <= other.order ? one : other;
}

/** Rules that hold no network were refused before. */
export function compileAccess(rules: readonly AccessRule[], sets: IpSetTable): AccessTable {
  const levels = new Map<string, PrefixTrie<Verdict>>();
  rules.forEach((rule, order) => {
    const key = rule.level === 'global' ? 'global' : `${rule.level} ${rule.target}`;
    const trie = levels.get(key) ?? new PrefixTrie<Verdict>(first);
    levels.set(key, trie);
    for (const network of parseNetworks(rule.network) ?? []) trie.insert(network, { rule, order });
  });
  return {
    denial(listener, clientAddress) {
      const set = sets.find(listener, clientAddress);
      const bySet = set?.deny === true ? `IP set ${set.name}` : undefined;
      if (levels.size === 0) return bySet;
      const octets = ipOctets(clientAddress);
      if (octets === undefined) return 'access rule: an address that cannot be read';
      const found =
        levels.get(`listener ${listener}`)?.find(octets) ??
        levels.get(`service ${service}`)?.find(octets) ??
        levels.get('global')?.find(octets);
      if (found === undefined) return bySet;
      return found.rule.allow ? undefined : named(found.rule);
    },
  };
}

function named({ level, target, network, priority }: AccessRule): string {
  const where = level === 'global' ? level : `${level} ${target}`;
  return `access rule: ${where}, ${network}, priority ${priority}`;
}
