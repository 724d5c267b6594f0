/**
 * Peer `postern`: the cluster as `npm start` runs it, stores included in the count. Profile *relay*: access rules, limits, recipients from the
 * directory, 10 rules, SPF with a warm cache, unsigned message, trace on. *full*: plus DKIM and DMARC of a signed message and three blocklists.
 * *sign*: a client with relay right sends to a foreign domain, and delivery makes one rsa2048 signature.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type Cluster, startCluster } from '@postern/e2e/cluster';
import { buildMessage } from '@postern/testkit/smtp';
import { startDns } from '../dns.js';
import { makeKeyPair, selector, signedLetter } from '../letters.js';
import type { Peer, PeerFactory } from '../peer.js';
import { waitSunk } from '../peer.js';

const users = 50;
export const recipientOf = (number: number): string => `user${number % users}@bench.test`;

export const rules = Array.from({ length: 10 }, (_, index) => ({
  id: `bench-${index}`,
  event: index % 2 === 0 ? 'mail' : 'rcpt',
  when:
    index % 2 === 0 ? `sender.domain == "blocked${index}.test"` : `recipient.address == "closed${index}@bench.test"`,
  // biome-ignore lint/suspicious/noThenProperty: a rule document has this key
  then: [{ reject: { text: 'not here' } }],
}));

export type Profile = 'relay' | 'full' | 'sign';

const names: Record<Profile, string> = { relay: 'postern', full: 'postern-full', sign: 'postern-sign' };

export function postern(profile: Profile): PeerFactory {
  const name = names[profile];
  return {
    name,
    async start(sinkPort): Promise<Peer> {
      const key = makeKeyPair();
      const dns = await startDns(key.record);
      const keyFile = join(await mkdtemp(join(tmpdir(), 'postern-bench-key-')), 'key.pem');
      await writeFile(keyFile, key.pem, { mode: 0o600 });
      const full = profile === 'full';
      const cluster: Cluster = await startCluster({
        dns: dns.address,
        config: {
          nextHops: { bench: { hosts: [{ host: '127.0.0.1', port: sinkPort, protocol: 'smtp', tls: 'none' }] } },
          access: [{ level: 'global', priority: 10, network: '192.0.2.0/24', action: 'deny' }],
          limits: {
            connections: 10_000,
            connectionsPerIp: 10_000,
            connectionRate: 10_000_000,
            connectionRatePerIp: 10_000_000,
            interval: '1m',
          },
          checks: {
            spf: { enabled: true, onFail: 'reject' },
            dkim: { enabled: full, onFail: 'mark' },
            dmarc: { enabled: full, onFail: 'mark' },
            dnsbl: full
              ? { enabled: true, onFail: 'mark', zones: ['bl1.test', 'bl2.test', 'bl3.test'] }
              : { enabled: false },
          },
          rules,
          defaultNextHop: 'bench',
          ...(profile === 'sign' ? { relayNetworks: [{ network: '127.0.0.0/8', tenant: 'bench' }] } : {}),
          tenants: [
            {
              name: 'bench',
              domains: [
                {
                  name: 'bench.test',
                  nextHop: 'bench',
                  ...(profile === 'sign' ? { dkim: [{ selector, keyFile }] } : {}),
                },
              ],
              users: Array.from({ length: users }, (_, index) => ({
                address: recipientOf(index),
                password: 'bench-password-1',
              })),
            },
          ],
        },
      });
      const pidsOf = async (): Promise<number[]> => {
        const run = await cluster.run();
        // The mailbox sink is a convenience of `npm start` and takes no part in this traffic.
        return [...run.services, ...run.infrastructure.filter((entry) => entry.name !== 'mailbox')].map(
          ({ pid }) => pid,
        );
      };
      return {
        name,
        port: await cluster.port('mx'),
        pids: pidsOf,
        ...(full
          ? {
              letter: (size) => ({
                from: 'load@sender.test',
                data: signedLetter('sender.test', recipientOf(0), size, key),
              }),
            }
          : {}),
        ...(profile === 'sign'
          ? {
              letter: (size) => ({
                from: recipientOf(0),
                data: buildMessage({ from: recipientOf(0), to: 'x@foreign.test', size }),
              }),
              to: (number) => `user${number % users}@foreign.test`,
            }
          : {}),
        parts: async () => {
          const run = await cluster.run();
          return Object.fromEntries([...run.services, ...run.infrastructure].map((entry) => [entry.name, [entry.pid]]));
        },
        async drained(sunk, expected) {
          await waitSunk(sunk, expected);
          // Outcomes are committed in batches after delivery: their cost belongs to the messages.
          await new Promise((resolve) => setTimeout(resolve, 1_000));
        },
        async stop() {
          await cluster.stop();
          await dns.stop();
          await rm(dirname(keyFile), { recursive: true, force: true });
        },
      };
    },
  };
}
