/**
 * From an address to the mailboxes behind it: the address itself, without its +tag, or the catch-all; aliases and groups to their targets,
 * targets of targets too. Bounded: depth 10, 1,000 targets; what was visited is not visited again, so a loop ends. An alias that names
 * itself keeps its own mailbox. A catch-all to an address nobody has takes nothing. Targets in foreign domains and in domains without a list are final.
 */

import type { Domain } from '@postern/proto/config/v1/snapshot';
import { type RecipientEntry, RecipientKind } from '@postern/proto/directory/v1/recipient';
import { canonicalAddress, splitAddress } from '@postern/smtp-core';
import { withoutTag } from '@postern/stream';
import { domainOf } from '../subject.js';
import type { Directory } from './directory.js';

export type Expansion =
  | { readonly kind: 'mailbox'; readonly tagged: boolean; readonly entry: RecipientEntry }
  | { readonly kind: 'targets'; readonly via: 'alias' | 'group' | 'catch_all'; readonly targets: readonly string[] }
  | { readonly kind: 'unknown' | 'disabled' }
  | { readonly kind: 'failed' | 'unavailable'; readonly reason: string };

const maxDepth = 10;
const maxTargets = 1_000;
const maxUsers = 64;

type FindDomain = (name: string) => Domain | undefined;

type Resolved =
  | { readonly kind: 'entry'; readonly entry: RecipientEntry; readonly tagged: boolean }
  | { readonly kind: 'absent' }
  | { readonly kind: 'unavailable'; readonly reason: string };

export function canonicalOf(address: string): string | undefined {
  const parts = splitAddress(address);
  return parts === null ? undefined : (canonicalAddress(parts) ?? undefined);
}

export async function expand(directory: Directory, address: string, domain: FindDomain): Promise<Expansion> {
  const canonical = canonicalOf(address);
  if (canonical === undefined) return { kind: 'unknown' };
  const found = await resolve(directory, canonical);
  if (found.kind === 'unavailable') return found;
  if (found.kind === 'entry') {
    if (!found.entry.enabled) return { kind: 'disabled' };
    if (isMailbox(found.entry)) return { kind: 'mailbox', tagged: found.tagged, entry: found.entry };
    const via = found.entry.kind === RecipientKind.GROUP ? 'group' : 'alias';
    return walk(directory, canonical, found.entry, via, domain);
  }
  const catchAll = canonicalOf(domain(domainOf(canonical))?.catchAll ?? '');
  if (catchAll === undefined) return { kind: 'unknown' };
  return new Walk(directory, domain, 'catch_all').from([catchAll], canonical);
}

/** Of whom the mailboxes are that an expansion led to; undefined = not all are of users here, or too many to tell. */
export async function usersOf(directory: Directory, found: Expansion): Promise<readonly RecipientEntry[] | undefined> {
  if (found.kind === 'mailbox') return [found.entry];
  if (found.kind !== 'targets' || found.targets.length > maxUsers) return undefined;
  const users: RecipientEntry[] = [];
  for (const target of found.targets) {
    const behind = await resolve(directory, canonicalOf(target) ?? '');
    if (behind.kind !== 'entry' || behind.entry.kind === RecipientKind.GROUP) return undefined;
    users.push(behind.entry);
  }
  return users;
}

async function resolve(directory: Directory, address: string): Promise<Resolved> {
  const exact = await directory.lookup(address);
  if (exact.kind === 'found') return { kind: 'entry', entry: exact.entry, tagged: false };
  if (exact.kind === 'unavailable') return exact;
  const plain = withoutTag(address);
  if (plain === undefined) return exact;
  const base = await directory.lookup(plain);
  return base.kind === 'found' ? { kind: 'entry', entry: base.entry, tagged: true } : base;
}

const isMailbox = ({ kind }: RecipientEntry): boolean => kind !== RecipientKind.ALIAS && kind !== RecipientKind.GROUP;

function walk(
  directory: Directory,
  address: string,
  entry: RecipientEntry,
  via: 'alias' | 'group',
  domain: FindDomain,
): Promise<Expansion> {
  return new Walk(directory, domain, via).from(entry.targets, entry.address === '' ? address : entry.address);
}

class Walk {
  readonly #targets = new Set<string>();
  readonly #visited = new Set<string>();
  readonly #caught = new Set<string>();
  #disabled = 0;
  #missing = 0;

  constructor(
    readonly directory: Directory,
    readonly domain: FindDomain,
    readonly via: 'alias' | 'group' | 'catch_all',
  ) {}

  /** Breadth first, so that depth is counted in hops and not in the order of targets. */
  async from(first: readonly string[], origin: string): Promise<Expansion> {
    this.#visited.add(origin);
    if (this.via === 'catch_all') for (const address of first) this.#caught.add(address);
    let level: readonly { readonly address: string; readonly parent: string }[] = first.map((address) => ({
      address,
      parent: origin,
    }));
    for (let depth = 0; level.length > 0; depth += 1) {
      if (depth >= maxDepth) return { kind: 'failed', reason: `deeper than ${maxDepth}` };
      const next: { address: string; parent: string }[] = [];
      for (const { address, parent } of level) {
        const canonical = canonicalOf(address);
        if (canonical === undefined) continue;
        if (canonical === parent) this.#targets.add(canonical);
        const further = await this.#take(address, canonical);
        if (typeof further === 'string') return { kind: 'unavailable', reason: further };
        for (const target of further) next.push({ address: target, parent: canonical });
        if (this.#targets.size + next.length > maxTargets)
          return { kind: 'failed', reason: `more than ${maxTargets} targets` };
      }
      level = next;
    }
    if (this.#targets.size > 0) return { kind: 'targets', via: this.via, targets: [...this.#targets] };
    if (this.#disabled === 0 && this.#missing > 0) return { kind: 'unknown' };
    return this.#disabled > 0 ? { kind: 'disabled' } : { kind: 'failed', reason: 'a loop without a mailbox' };
  }

  /** Its further targets; a text where the directory could not be asked. */
  async #take(written: string, canonical: string): Promise<readonly string[] | string> {
    if (this.#visited.has(canonical)) return [];
    this.#visited.add(canonical);
    if (this.domain(domainOf(canonical))?.validateRecipients !== true) {
      this.#targets.add(written);
      return [];
    }
    const found = await resolve(this.directory, canonical);
    if (found.kind === 'unavailable') return found.reason;
    if (found.kind === 'absent' && this.#caught.has(canonical)) return this.#caughtAgain(canonical);
    if (found.kind === 'absent' || (found.entry.enabled && isMailbox(found.entry))) {
      // One that does not exist is left to the next hop to refuse, so that its sender hears of it.
      this.#targets.add(written);
      return [];
    }
    if (!found.entry.enabled) {
      this.#disabled += 1;
      return [];
    }
    return found.entry.targets;
  }

  /** Nobody has the address a catch-all leads to: that of its own domain may take it. */
  #caughtAgain(canonical: string): readonly string[] {
    const further = canonicalOf(this.domain(domainOf(canonical))?.catchAll ?? '');
    if (further === undefined || this.#visited.has(further)) {
      this.#missing += 1;
      return [];
    }
    this.#caught.add(further);
    return [further];
  }
}
