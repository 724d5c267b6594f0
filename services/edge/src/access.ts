/**
 * Allow or deny by client address (design.md, Configuration): levels are listener, service, global; the most specific level with a match
 * wins, within a level the lowest priority number, on equal numbers the rule that stands first. Nothing matches = allow.
 * An address that cannot be read is denied.
 */
import type { AccessRule } from '@postern/proto/config/v1/snapshot';
import { ipOctets, parseNetworks } from './ip-network.js';
import { PrefixTrie } from './prefix-trie.js';

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

/** Rules that hold no network are skipped: provisioning refused them before they were stored. */
export function compileAccess(rules: readonly AccessRule[]): AccessTable {
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
      if (levels.size === 0) return true;
      const octets = ipOctets(clientAddress);
      if (octets === undefined) return false;
      const found =
        levels.get(`listener ${listener}`)?.find(octets) ??
        levels.get(`service ${service}`)?.find(octets) ??
        levels.get('global')?.find(octets);
      return found?.allow ?? true;
    },
  };
}
