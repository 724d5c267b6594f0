/**
 * Asks the next hop of a domain whether it knows a recipient. Answers are kept in memory and, where Redis is there, for the other pods. One question
 * per address at a time, at most 32 connections at once; what cannot be asked is `unavailable`, and not kept.
 */
import type { RedisClient } from '@postern/flow-control';
import { askNextHop, type HopDesk, type HopQuestion, type Known } from './next-hop.js';

export interface CallForwardQuestion extends HopQuestion {
  readonly keepKnownMs: number;
  readonly keepUnknownMs: number;
}

export interface CallForward {
  ask(question: CallForwardQuestion): Promise<Known>;
}

export interface CallForwardOptions extends HopDesk {
  readonly redis: RedisClient | undefined;
}

const mostKept = 50_000;
const mostConnections = 32;
const keyOf = (address: string): string => `postern:policy:rcpt:${address}`;

export function createCallForward({ redis, ...desk }: CallForwardOptions): CallForward {
  const { clock } = desk;
  const kept = new Map<string, { readonly known: Known; readonly until: number }>();
  const pending = new Map<string, Promise<Known>>();
  let open = 0;

  const keep = (address: string, known: Known, forMs: number): void => {
    kept.delete(address);
    kept.set(address, { known, until: clock.monotonic() + forMs });
    const [oldest] = kept.keys();
    if (kept.size > mostKept && oldest !== undefined) kept.delete(oldest);
  };

  const shared = async (address: string): Promise<Known | undefined> => {
    if (redis?.status !== 'ready') return undefined;
    const found = await redis.get(keyOf(address)).catch(() => null);
    return found === 'known' || found === 'unknown' ? found : undefined;
  };

  const counted = async (question: CallForwardQuestion): Promise<Known> => {
    open += 1;
    try {
      return await askNextHop(desk, question);
    } finally {
      open -= 1;
    }
  };

  const find = async (question: CallForwardQuestion): Promise<Known> => {
    const { address, keepKnownMs, keepUnknownMs } = question;
    const told = await shared(address);
    if (told === undefined && open >= mostConnections) return 'unavailable';
    const known = told ?? (await counted(question));
    if (known === 'unavailable') return known;
    const forMs = known === 'known' ? keepKnownMs : keepUnknownMs;
    keep(address, known, told === undefined ? forMs : Math.min(forMs, 60_000));
    if (told === undefined && redis?.status === 'ready')
      void redis.set(keyOf(address), known, 'PX', forMs).catch(() => undefined);
    return known;
  };

  return {
    ask(question) {
      const { address } = question;
      const own = kept.get(address);
      if (own !== undefined && own.until > clock.monotonic()) return Promise.resolve(own.known);
      const running = pending.get(address) ?? find(question).finally(() => pending.delete(address));
      pending.set(address, running);
      return running;
    },
  };
}
