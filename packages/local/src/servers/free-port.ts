/**
 * Free TCP ports on loopback for servers that must keep their port across restarts.
 * Ports are taken below the kernel's ephemeral range (32768 and up): a port there could be lent to an outgoing
 * connection while our server is down, and the restart would fail. Two processes asking at once draw at random from
 * 20,000 ports, so a clash is rare; the launchers report it as a port in use.
 */
import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

const lowest = 12_000;
const highest = 32_000;
const handedOut = new Set<number>();

/** True if nothing listens on the port of this address now. */
export function portIsFree(port: number, host = '127.0.0.1'): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen({ port, host, exclusive: true }, () => probe.close(() => resolve(true)));
  });
}

/** A port nothing listens on; never the same one twice in this process. */
export async function freePort(host = '127.0.0.1'): Promise<number> {
  for (let attempt = 0; attempt < 200; attempt += 1) {
    const port = randomInt(lowest, highest);
    if (handedOut.has(port)) continue;
    if (await portIsFree(port, host)) {
      handedOut.add(port);
      return port;
    }
  }
  throw new Error(`no free port between ${lowest} and ${highest} on ${host}`);
}
