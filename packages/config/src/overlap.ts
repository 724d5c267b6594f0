/** Do two addresses to listen on exclude each other? One of all addresses takes in every other of its port: `0.0.0.0` those of IPv4, `::` both families. Pure. */
import type { HostPort } from './addresses.js';

const plain = (host: string): string => (host === 'localhost' ? '127.0.0.1' : host);

function takesIn(wide: string, host: string): boolean {
  if (wide === '::') return true;
  return wide === '0.0.0.0' && (host === '::' || !host.includes(':'));
}

/** A port 0 is chosen by the system and is nobody's. */
export function overlap(one: HostPort, other: HostPort): boolean {
  if (one.port !== other.port || one.port === 0) return false;
  const [a, b] = [plain(one.host), plain(other.host)];
  return a === b || takesIn(a, b) || takesIn(b, a);
}
