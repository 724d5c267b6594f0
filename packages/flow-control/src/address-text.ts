/**
 * An IP address, or an IPv6 prefix of a client, as people write it (RFC 5952; an IPv4-mapped one as IPv4): for logs, traces and lists, so that one client
 * has one spelling. What limits are counted by keeps all its groups (`client-prefix.ts`). Text that is no address is returned as it is.
 */
import { isIPv6 } from 'node:net';

const mapped = /^\[::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})\]$/;

export function addressText(text: string): string {
  const [address = '', length] = text.split('/');
  if (!isIPv6(address) || address.includes('%')) return text;
  const { hostname } = new URL(`http://[${address}]`);
  const [, high, low] = mapped.exec(hostname) ?? [];
  if (length !== undefined) return `${hostname.slice(1, -1)}/${length}`;
  if (high === undefined || low === undefined) return hostname.slice(1, -1);
  return [high, low].flatMap((group) => [Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 255]).join('.');
}
