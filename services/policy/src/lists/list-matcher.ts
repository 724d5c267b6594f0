/**
 * Block and allow lists made ready: addresses and domains by look-up, networks by prefix, patterns by a linear-time engine. An entry
 * `user@domain` is an address, `@domain` a domain alone, `domain` that and all below it, `/…/` a pattern over the whole address. Domains of both sides
 * are compared as A-labels, so that the two spellings of a name are one; patterns are tried on both.
 */
import { parseCidr } from '@postern/config';
import { RE2JS } from 're2js';
import { canonicalOf } from '../directory/expand.js';
import { type NetworkSet, networkSet } from '../network-set.js';
import { domainOf, type Subject } from '../subject.js';

export interface ListMatcher {
  /** The entry that holds the address or network; undefined = none. */
  client(address: string): string | undefined;
  sender(address: string): string | undefined;
}

const made = new WeakMap<readonly string[], ListMatcher>();
const longestAddress = 512;

export function matcherOf(entries: readonly string[]): ListMatcher {
  const known = made.get(entries) ?? compile(entries);
  made.set(entries, known);
  return known;
}

function compile(entries: readonly string[]): ListMatcher {
  const exact = new Set<string>();
  const domains = new Set<string>();
  const patterns: { readonly text: string; readonly pattern: RE2JS }[] = [];
  const networks = [];
  for (const entry of entries) {
    const network = parseCidr(entry);
    if (network !== undefined) networks.push(network);
    else if (entry.startsWith('/') && entry.endsWith('/'))
      patterns.push({ text: entry, pattern: RE2JS.compile(entry.slice(1, -1), RE2JS.CASE_INSENSITIVE) });
    else if (entry.includes('@')) exact.add(comparable(entry));
    else domains.add(domainOf(entry));
  }
  const set: NetworkSet = networkSet(networks);
  return {
    client: (address) => (set.has(address) ? address : undefined),
    sender(given) {
      const written = given.toLowerCase().slice(0, longestAddress);
      if (written === '') return undefined;
      const address = comparable(written);
      if (exact.has(address)) return address;
      const domain = address.slice(address.lastIndexOf('@') + 1);
      if (exact.has(`@${domain}`)) return `@${domain}`;
      for (let name = domain; name !== ''; ) {
        if (domains.has(name)) return name;
        const dot = name.indexOf('.');
        name = dot < 0 ? '' : name.slice(dot + 1);
      }
      const spellings = address === written ? [address] : [address, written];
      return patterns.find(({ pattern }) => spellings.some((text) => pattern.matcher(text).find()))?.text;
    },
  };
}

/** One form for all spellings: domain in A-labels, local part NFC in lower case and without needless quotes. What is no address stays as it is. */
function comparable(address: string): string {
  const known = canonicalOf(address);
  if (known !== undefined) return known;
  const at = address.lastIndexOf('@');
  return at < 0 ? domainOf(address) : `${address.slice(0, at).toLowerCase()}@${domainOf(address)}`;
}

export interface Lists {
  readonly block: readonly string[];
  readonly allow: readonly string[];
}

/** Those that could hold an address of the From field: a network holds clients alone. */
export const authorEntries = (entries: readonly string[]): readonly string[] =>
  entries.filter((entry) => parseCidr(entry) === undefined);

export const listOutcomes = ['allowed', 'blocked', 'unlisted', 'unavailable'] as const;

export const isEmpty = ({ block, allow }: Lists): boolean => block.length === 0 && allow.length === 0;

export interface ListedClient {
  readonly address: string;
  /** It seems to stand for many clients: blocked by it they are, allowed they are not. */
  readonly isSuspected: boolean;
}

export const listedClient = ({ facts, origin }: Pick<Subject, 'facts' | 'origin'>): ListedClient => ({
  address: origin.clientAddress,
  isSuspected: facts.addressSuspected,
});

export interface Listing {
  readonly outcome: 'allowed' | 'blocked' | 'unlisted';
  readonly evidence: Readonly<Record<string, string>>;
}

/** What lists say about a client (if asked) and addresses. Allow goes before block within one scope. */
export function judgeByLists(
  { allow, block }: Lists,
  client: ListedClient | undefined,
  addresses: readonly string[],
): Listing {
  for (const [outcome, entries] of [
    ['allowed', allow],
    ['blocked', block],
  ] as const) {
    if (entries.length === 0) continue;
    const matcher = matcherOf(entries);
    const isAsked = client !== undefined && !(outcome === 'allowed' && client.isSuspected);
    const byClient = isAsked ? matcher.client(client.address) : undefined;
    if (byClient !== undefined) return { outcome, evidence: { entry: byClient, by: 'client' } };
    for (const address of addresses) {
      const entry = matcher.sender(address);
      if (entry !== undefined) return { outcome, evidence: { entry, by: 'address' } };
    }
  }
  return { outcome: 'unlisted', evidence: {} };
}
