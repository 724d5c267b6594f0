/**
 * Whether DNS answers now, for `status`: a name nobody has asked for and nobody may have (RFC 6761 §6.4), so that no cache speaks for the servers.
 * That it does not exist is an answer.
 */
import type { Resolver } from './resolver.js';
import { isTemporary } from './result.js';

export type DnsStanding = { readonly state: 'ok' } | { readonly state: 'degraded' | 'away'; readonly detail: string };

/** `label`: different every time. */
export async function dnsStanding(resolver: Resolver, label: string, deadlineMs: number): Promise<DnsStanding> {
  const result = await resolver.query(`${label.toLowerCase()}.invalid`, 'A', { deadlineMs });
  if (!isTemporary(result)) return { state: 'ok' };
  if (result.kind === 'timeout') return { state: 'away', detail: `no server answered in ${deadlineMs} ms` };
  if (result.kind === 'unreachable') return { state: 'away', detail: `no server can be reached: ${result.reason}` };
  return { state: 'degraded', detail: `the servers answer ${result.kind}` };
}
