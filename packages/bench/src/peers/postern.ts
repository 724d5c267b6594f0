/** Peer `postern`: the cluster as `npm start` runs it, stores included in the count, with the work of a profile. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startDnsServer } from '@postern/dns/testing';
import { type Cluster, startCluster } from '@postern/e2e/cluster';
import type { Peer, PeerFactory } from '../peer.js';
import { waitSunk } from '../peer.js';
import { fullProfile } from './full-profile.js';
import { type MakeProfile, recipients, relayProfile, twoWorkersProfile } from './profile.js';

export const posternRelay = postern('postern', relayProfile);
export const posternTwoWorkers = postern('postern-two-workers', twoWorkersProfile);
export const posternFull = postern('postern-full', fullProfile);

function postern(name: string, makeProfile: MakeProfile): PeerFactory {
  return {
    name,
    async start(sinkPort): Promise<Peer> {
      const folder = await mkdtemp(join(tmpdir(), 'postern-bench-'));
      const profile = await makeProfile(folder);
      const dns = await startDnsServer(profile.zone);
      const cluster: Cluster = await startCluster({
        dns: dns.server,
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
          ...profile.config,
          tenants: [
            {
              name: 'bench',
              domains: [{ name: 'bench.test', nextHop: 'bench' }, ...profile.domains],
              users: recipients.map((address) => ({ address, password: 'bench-password-1' })),
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
      const { letter, clientAddress, prove } = profile;
      return {
        name,
        port: await cluster.port('mx'),
        pids: pidsOf,
        ...(letter === undefined ? {} : { letter }),
        ...(clientAddress === undefined ? {} : { clientAddress }),
        ...(prove === undefined ? {} : { prove: (proof) => prove(cluster, dns, proof) }),
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
          await rm(folder, { recursive: true, force: true });
        },
      };
    },
  };
}
