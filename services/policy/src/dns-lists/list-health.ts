/**
 * Is a DNS list alive? RFC 5782 §5: an address list lists 127.0.0.2 and not 127.0.0.1; a domain list lists `test` and not `invalid`. Asked when a
 * list is first used and every hour after, never awaited by mail. A list that failed its points does not count until it passes again; one
 * that cannot be reached keeps its standing. A list of everything (a lapsed domain with a wildcard) is found this way before it refuses mail.
 */
import type { Clock } from '@postern/clock';
import { dnsblName, domainListName, type Resolver } from '@postern/dns';
import { askList } from './dns-list.js';

export type ListKind = 'address' | 'domain';

export interface ListHealth {
  /** False = known to be broken. Begins a self-test where one is due, and waits no longer for it than the caller can. */
  usable(kind: ListKind, zone: string, patienceMs: number): boolean | Promise<boolean>;
}

export interface ListHealthOptions {
  readonly clock: Clock;
  readonly resolver: Resolver;
  readonly onChanged: (zone: string, usable: boolean, reason: string) => void;
  readonly everyMs?: number;
  /** How long the first use of a list waits for its test. */
  readonly patienceMs?: number;
}

interface Standing {
  state: 'untested' | 'good' | 'broken';
  testedAt: number;
  running: Promise<void> | undefined;
}

const mostLists = 1_000;

export function createListHealth(options: ListHealthOptions): ListHealth {
  const { clock, resolver, onChanged, everyMs = 3_600_000, patienceMs = 1_000 } = options;
  const standings = new Map<string, Standing>();

  const test = async (kind: ListKind, zone: string, standing: Standing): Promise<void> => {
    const list = { zone, weight: 1, codes: [] };
    const nameOf = kind === 'address' ? dnsblName : domainListName;
    const [must, mustNot] = kind === 'address' ? ['127.0.0.2', '127.0.0.1'] : ['test', 'invalid'];
    const asked = resolver.withBudget({ queries: 2, deadlineMs: 5_000 });
    const [good, bad] = await Promise.all([
      askList(asked, nameOf(must, zone), list),
      askList(asked, nameOf(mustNot, zone), list),
    ]);
    const before = standing.state;
    standing.testedAt = clock.monotonic();
    if (good.kind === 'unknown' || bad.kind === 'unknown') return;
    const reason =
      good.kind === 'unusable'
        ? `answers ${good.answer}`
        : good.kind !== 'listed'
          ? `does not list ${must}`
          : bad.kind !== 'clear'
            ? `lists ${mustNot}`
            : '';
    standing.state = reason === '' ? 'good' : 'broken';
    if ((before === 'broken') !== (standing.state === 'broken')) onChanged(zone, standing.state === 'good', reason);
  };

  return {
    usable(kind, zone, ownPatienceMs) {
      const key = `${kind} ${zone}`;
      let standing = standings.get(key);
      if (standing === undefined) {
        if (standings.size >= mostLists) return true;
        standing = { state: 'untested', testedAt: Number.NEGATIVE_INFINITY, running: undefined };
        standings.set(key, standing);
      }
      const current = standing;
      if (current.running === undefined && clock.monotonic() - current.testedAt >= everyMs)
        current.running = test(kind, zone, current).finally(() => {
          current.running = undefined;
        });
      if (current.state !== 'untested') return current.state === 'good';
      const { running } = current;
      if (running === undefined) return true;
      return new Promise((resolve) => {
        const timer = clock.setTimer(Math.min(patienceMs, ownPatienceMs), () => resolve(true));
        void running.then(() => {
          timer.cancel();
          resolve(current.state !== 'broken');
        });
      });
    },
  };
}
