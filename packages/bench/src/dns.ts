/** A DNS server on loopback for the bench: SPF, DKIM and DMARC that pass for the load's sender, blocklists that list nothing. */
import { startDnsServer } from '@postern/dns/testing';
import { selector } from './letters.js';

export async function startDns(dkimRecord: string): Promise<{ readonly address: string; stop(): Promise<void> }> {
  const server = await startDnsServer({
    'sender.test': { TXT: ['v=spf1 ip4:127.0.0.1 -all'], A: ['127.0.0.1'] },
    [`${selector}._domainkey.sender.test`]: { TXT: [dkimRecord] },
    '_dmarc.sender.test': { TXT: ['v=DMARC1; p=reject'] },
  });
  return { address: server.server, stop: () => server.stop() };
}
