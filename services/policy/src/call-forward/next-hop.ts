/**
 * One question to the hosts of a next hop, in order: MAIL with the null path, RCPT, RSET. `unknown` is only a reply to RCPT that says the mailbox is not
 * there; whatever else a host refuses (us, the null sender, a full mailbox, a session without TLS or login) is its own matter and the next one is asked. TLS as the
 * route has it. A host with a login is not asked: passwords of routes are sealed for delivery, and what it tells a stranger may be false.
 */
import type { Clock } from '@postern/clock';
import type { Resolver } from '@postern/dns';
import type { NamedNextHop } from '@postern/proto/config/v1/snapshot';
import type { NextHop } from '@postern/proto/mail/v1/item';
import { connectOrFallBack, hopOptions } from '@postern/smtp-client';
import type { ServerReply } from '@postern/smtp-core';

export type Known = 'known' | 'unknown' | 'unavailable';

export interface HopQuestion {
  readonly address: string;
  readonly hop: NamedNextHop | undefined;
  readonly deadlineMs: number;
}

export interface HopDesk {
  readonly clock: Clock;
  readonly resolver: Resolver;
  readonly localName: string;
}

const mostHosts = 4;

/** RFC 3463 §3.2: something else, no such mailbox, bad syntax, moved. The rest of 5.1.x is about hosts and senders. 5.4.1 is what Exchange Online says. */
const noMailbox: ReadonlySet<string> = new Set(['5.1.0', '5.1.1', '5.1.3', '5.1.6', '5.4.1']);
/** RFC 5321 §4.2.3: mailbox unavailable, not local, name not allowed. */
const noMailboxCodes: ReadonlySet<number> = new Set([550, 551, 553]);

function knownBy({ code, enhanced }: ServerReply): Known {
  if (code >= 200 && code < 300) return 'known';
  return noMailboxCodes.has(code) && (enhanced === null || noMailbox.has(enhanced)) ? 'unknown' : 'unavailable';
}

export const asksForLogin = ({ username }: NextHop): boolean => username !== '';

export async function askNextHop(desk: HopDesk, { address, hop, deadlineMs }: HopQuestion): Promise<Known> {
  const { clock } = desk;
  const endsAt = clock.monotonic() + deadlineMs;
  for (const host of hop?.hosts.slice(0, mostHosts) ?? []) {
    if (asksForLogin(host)) continue;
    const left = endsAt - clock.monotonic();
    if (left <= 0) return 'unavailable';
    const target = await addressOf(desk.resolver, host.host, left);
    if (target === undefined) continue;
    const over = new AbortController();
    const timer = clock.setTimer(endsAt - clock.monotonic(), () => over.abort());
    try {
      const where = { ...hopOptions(host), address: target, localName: desk.localName };
      const connected = await connectOrFallBack({ ...where, clock, signal: over.signal });
      if (!connected.ok) continue;
      const answer = await connected.connection.verifyRecipient(address);
      void connected.connection.quit().catch(() => undefined);
      const known = answer?.stage === 'rcpt' ? knownBy(answer.reply) : 'unavailable';
      if (known !== 'unavailable') return known;
    } finally {
      timer.cancel();
    }
  }
  return 'unavailable';
}

async function addressOf(resolver: Resolver, host: string, deadlineMs: number): Promise<string | undefined> {
  if (/^[\d.]+$|:/.test(host)) return host.replace(/^\[|\]$/g, '');
  const found = await resolver.addresses(host, { deadlineMs });
  return found.kind === 'answer' ? found.values[0]?.address : undefined;
}
