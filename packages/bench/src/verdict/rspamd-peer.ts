/** Peer `rspamd`: one scanning process, asked over kept HTTP connections as its clients do. */
import { Agent, request } from 'node:http';
import { startRspamd } from '@postern/testkit/neighbours';
import type { JudgePeer } from './judge-peer.js';
import { blocklists, type Letter, recipient } from './load.js';

const wanted = ['R_SPF_ALLOW', 'R_DKIM_ALLOW', 'DMARC_POLICY_ALLOW'];

export async function rspamdPeer(dnsServer: string): Promise<JudgePeer> {
  const rspamd = await startRspamd({ dnsServer, blocklists });
  const agent = new Agent({ keepAlive: true });
  const ask = ({ clientAddress, helo, from, data }: Letter): Promise<string> =>
    new Promise((resolve, reject) => {
      const headers = { IP: clientAddress, Helo: helo, From: from, Rcpt: recipient, 'Content-Length': data.length };
      const options = { host: '127.0.0.1', port: rspamd.port, path: '/checkv2', method: 'POST', agent, headers };
      const sent = request(options, (response) => {
        const parts: Buffer[] = [];
        response.on('data', (part: Buffer) => parts.push(part));
        response.on('end', () => resolve(Buffer.concat(parts).toString()));
        response.on('error', reject);
      });
      sent.on('error', reject);
      sent.end(data);
    });
  return {
    name: 'rspamd',
    pids: [rspamd.pid],
    async judge(letter) {
      const answer = await ask(letter);
      const missing = wanted.filter((symbol) => !answer.includes(`"${symbol}"`));
      if (missing.length > 0) throw new Error(`rspamd: no ${missing.join(', ')} in ${answer.slice(0, 600)}`);
    },
    async stop() {
      agent.destroy();
      await rspamd.stop();
    },
  };
}
