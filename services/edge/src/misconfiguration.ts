/**
 * Notices that the network in front of a listener is not as its settings say: a PROXY header where none is due, none where one is, or nearly all
 * sessions from one private address (source NAT), so that every client of the Internet would have the rights of that address. Said once a minute; while
 * source NAT is suspected the address has no relay right by network, unless it is named alone. Bounded: 256 addresses a listener are counted.
 */
import type { Clock } from '@postern/clock';
import { ipOctets, PrefixTrie, parseNetworks } from '@postern/flow-control';

export const suspicions = ['unexpected_proxy', 'missing_proxy', 'source_nat'] as const;
export type Suspicion = (typeof suspicions)[number];

export interface GuardOptions {
  readonly clock: Clock;
  onSuspected(listener: string, kind: Suspicion, address: string): void;
}

const windowMs = 600_000;
const sayAgainMs = 60_000;
/** Fewer sessions say nothing. */
const leastSessions = 200;
const suspectShare = 0.95;
const maxAddresses = 256;

/** RFC 1918, RFC 6598, RFC 4193, link-local. Not loopback: who tests on one machine is no NAT. */
const privateNetworks = new PrefixTrie<true>();
for (const network of [
  '10.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '100.64.0.0/10',
  '169.254.0.0/16',
  'fc00::/7',
  'fe80::/10',
])
  for (const parsed of parseNetworks(network) ?? []) privateNetworks.insert(parsed, true);

function isPrivate(address: string): boolean {
  const octets = ipOctets(address);
  return octets !== undefined && privateNetworks.find(octets) === true;
}

interface Window {
  startedMs: number;
  sessions: number;
  counts: Map<string, number>;
  /** Address that stood for nearly all sessions, of this window or the one before. */
  suspect: string | undefined;
}

export class MisconfigurationGuard {
  readonly #options: GuardOptions;
  readonly #windows = new Map<string, Window>();
  readonly #said = new Map<string, number>();

  constructor(options: GuardOptions) {
    this.#options = options;
  }

  /** A session begins; true where its address is suspected to stand for many clients. */
  session(listener: string, address: string): boolean {
    const nowMs = this.#options.clock.monotonic();
    const window = this.#window(listener, nowMs);
    window.sessions++;
    const count = (window.counts.get(address) ?? 0) + 1;
    if (count > 1 || window.counts.size < maxAddresses) window.counts.set(address, count);
    if (window.sessions >= leastSessions) {
      const isSuspect = count >= window.sessions * suspectShare && isPrivate(address);
      if (isSuspect) this.suspect(listener, 'source_nat', address);
      if (isSuspect) window.suspect = address;
      else if (window.suspect === address) window.suspect = undefined;
    }
    return window.suspect === address;
  }

  suspect(listener: string, kind: Suspicion, address: string): void {
    const key = `${listener} ${kind}`;
    const nowMs = this.#options.clock.monotonic();
    const last = this.#said.get(key);
    if (last !== undefined && nowMs - last < sayAgainMs) return;
    this.#said.set(key, nowMs);
    this.#options.onSuspected(listener, kind, address);
  }

  #window(listener: string, nowMs: number): Window {
    const present = this.#windows.get(listener);
    if (present !== undefined && nowMs - present.startedMs < windowMs) return present;
    const share = present?.suspect === undefined ? 0 : (present.counts.get(present.suspect) ?? 0) / present.sessions;
    const suspect = share >= suspectShare ? present?.suspect : undefined;
    const fresh: Window = { startedMs: nowMs, sessions: 0, counts: new Map(), suspect };
    this.#windows.set(listener, fresh);
    return fresh;
  }
}
