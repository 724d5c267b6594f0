/**
 * Asks the next hop of a domain whether it knows a recipient: MAIL with the null path, RCPT, RSET. Answers are kept in memory and, where Redis is
 * there, for the other pods. One question per address at a time, at most 32 connections at once; what cannot be asked is `unavailable`.
 */
import type { Clock } from '@postern/clock';
import type { Resolver } from '@postern/dns';
import type { RedisClient } from '@postern/flow-control';
import type { NamedNextHop } from '@postern/proto/config/v1/snapshot';
import { HopProtocol } from '@postern/proto/mail/v1/item';
import { connectSmtp } from '@postern/smtp-client';

export type Known = 'known' | 'unknown' | 'unavailable';

export interface CallForwardQuestion {
  readonly address: string;
  readonly hop: NamedNextHop | undefined;
  readonly deadlineMs: number;
  readonly keepKnownMs: number;
  readonly keepUnknownMs: number;
}

export interface CallForward {
  ask(question: CallForwardQuestion): Promise<Known>;
}

export interface CallForwardOptions {
  readonly clock: Clock;
  readonly resolver: Resolver;
  readonly redis: RedisClient | undefined;
  readonly localName: string;
}

const mostKept = 50_000;
const mostConnections = 32;
const keyOf = (address: string): string => `postern:policy:rcpt:${address}`;

export function createCallForward({ clock, resolver, redis, localName }: CallForwardOptions): CallForward {
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

  const addressOf = async (host: string, deadlineMs: number): Promise<string | undefined> => {
    if (/^[\d.]+$|:/.test(host)) return host.replace(/^\[|\]$/g, '');
    const found = await resolver.addresses(host, { deadlineMs });
    return found.kind === 'answer' ? found.values[0]?.address : undefined;
  };

  const dial = async ({ address, hop, deadlineMs }: CallForwardQuestion): Promise<Known> => {
    const endsAt = clock.monotonic() + deadlineMs;
    for (const host of hop?.hosts.slice(0, 4) ?? []) {
      const left = endsAt - clock.monotonic();
      if (left <= 0) return 'unavailable';
      const target = await addressOf(host.host, left);
      if (target === undefined) continue;
      const over = new AbortController();
      const timer = clock.setTimer(left, () => over.abort());
      try {
        const protocol = host.protocol === HopProtocol.LMTP ? 'lmtp' : 'smtp';
        const connected = await connectSmtp({
          address: target,
          port: host.port,
          localName,
          protocol,
          tls: { mode: 'opportunistic', serverName: host.host },
          clock,
          signal: over.signal,
        });
        if (!connected.ok) continue;
        const reply = await connected.connection.verifyRecipient(address);
        void connected.connection.quit().catch(() => undefined);
        if (reply === null || reply.code < 200) continue;
        if (reply.code < 300) return 'known';
        if (reply.code >= 500) return 'unknown';
      } finally {
        timer.cancel();
      }
    }
    return 'unavailable';
  };

  const counted = async (question: CallForwardQuestion): Promise<Known> => {
    open += 1;
    try {
      return await dial(question);
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
