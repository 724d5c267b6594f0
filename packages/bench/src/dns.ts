/** A DNS server on loopback for the bench: SPF that passes for the load's sender, blocklists that list nothing. */
import { startDnsServer } from '@postern/dns/testing';

export async function startDns(): Promise<{ readonly address: string; stop(): Promise<void> }> {
  const server = await startDnsServer({ 'sender.test': { TXT: ['v=spf1 ip4:127.0.0.1 -all'], A: ['127.0.0.1'] } });
  return { address: server.server, stop: () => server.stop() };
}
