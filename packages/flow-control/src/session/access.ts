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
  readonly priority: number;
  readonly order: number;
  readonly allow: boolean;
}

export interface AccessTable {
  isAllowed(listener: string, clientAddress: string): boolean;
}

/** Name of the service whose rules hold here. */
const service = 'smtp';

function first(one: Verdict, other: Verdict): Verdict {
  if (one.priority !== other.priority) return one.priority < other.priority ? one : other;
  return one.order <= other.order ? one : other;
}

/** Rules that hold no network were refused before. */
export function compileAccess(rules: readonly AccessRule[], sets: IpSetTable): AccessTable {
  const levels = new Map<string, PrefixTrie<Verdict>>();
  rules.forEach((rule, order) => {
    const key = rule.level === 'global' ? 'global' : `${rule.level} ${rule.target}`;
    const trie = levels.get(key) ?? new PrefixTrie<Verdict>(first);
    levels.set(key, trie);
    for (const network of parseNetworks(rule.network) ?? [])
      trie.insert(network, { priority: rule.priority, order, allow: rule.allow });
  });
  return {
    isAllowed(listener, clientAddress) {
      const setAllows = sets.find(listener, clientAddress)?.deny !== true;
      if (levels.size === 0) return setAllows;
      const octets = ipOctets(clientAddress);
      if (octets === undefined) return false;
      const found =
        levels.get(`listener ${listener}`)?.find(octets) ??
        levels.get(`service ${service}`)?.find(octets) ??
        levels.get('global')?.find(octets);
      return found?.allow ?? setAllows;
    },
  };
}
