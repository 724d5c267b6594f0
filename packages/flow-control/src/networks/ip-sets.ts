/**
 * Which named set a client is in (row B2): lowest priority number where sets overlap, the one written first on equal numbers. A set may hold
 * for some listeners only. One trie per group of listeners that have the same sets; a look-up costs as much as one access rule table.
 */
import type { IpSet } from '@postern/proto/config/v1/snapshot';
import { ipOctets, parseNetworks } from './ip-network.js';
import { PrefixTrie } from './prefix-trie.js';

interface Member {
  readonly set: IpSet;
  readonly order: number;
}

export interface IpSetTable {
  /** Undefined where the address is in none. */
  find(listener: string, clientAddress: string): IpSet | undefined;
  named(name: string): IpSet | undefined;
}

function first(one: Member, other: Member): Member {
  if (one.set.priority !== other.set.priority) return one.set.priority < other.set.priority ? one : other;
  return one.order <= other.order ? one : other;
}

export function compileIpSets(sets: readonly IpSet[]): IpSetTable {
  const tries = new Map<string, PrefixTrie<Member>>();
  const byListener = new Map<string, PrefixTrie<Member>>();
  const byName = new Map(sets.map((set) => [set.name, set]));

  const trieOf = (listener: string): PrefixTrie<Member> => {
    const holding = sets
      .map((set, order) => ({ set, order }))
      .filter(({ set }) => set.listeners.length === 0 || set.listeners.includes(listener));
    const key = holding.map(({ order }) => order).join();
    const known = tries.get(key);
    if (known !== undefined) return known;
    const trie = new PrefixTrie<Member>(first);
    for (const member of holding)
      for (const text of member.set.networks)
        for (const network of parseNetworks(text) ?? []) trie.insert(network, member);
    tries.set(key, trie);
    return trie;
  };

  return {
    find(listener, clientAddress) {
      if (sets.length === 0) return undefined;
      let trie = byListener.get(listener);
      if (trie === undefined) {
        trie = trieOf(listener);
        byListener.set(listener, trie);
      }
      const octets = ipOctets(clientAddress);
      return octets === undefined ? undefined : trie.find(octets)?.set;
    },
    named: (name) => byName.get(name),
  };
}
