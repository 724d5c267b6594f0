/** The cluster under the fuzzer: one tenant, a domain that takes anyone, one that is strict, everything handed to our own sink. No DNS is asked. */
import { type SmtpSink, type SunkMessage, startSmtpSink } from '@postern/testkit/smtp';
import { type Cluster, startCluster } from '../cluster/cluster.js';

export interface FuzzCluster {
  readonly cluster: Cluster;
  readonly sink: SmtpSink;
  stop(): Promise<void>;
}

const off = { enabled: false };

export function fuzzConfiguration(sinkPort: number): Record<string, unknown> {
  return {
    nextHops: { fuzz: { hosts: [{ host: '127.0.0.1', port: sinkPort, protocol: 'smtp', tls: 'none' }] } },
    retry: { first: '1s', cap: '2s', lifetime: '1h', delayNotice: '1h' },
    listeners: { mx: { extensions: { binaryMime: true } } },
    checks: { spf: off, dkim: off, dmarc: off, dnsbl: off },
    tenants: [
      {
        name: 'fuzz',
        domains: [
          { name: 'fuzz.test', nextHop: 'fuzz', validateRecipients: false },
          { name: 'strict.test', nextHop: 'fuzz' },
        ],
        users: [{ address: 'known@strict.test', password: 'known-password-1' }],
      },
    ],
  };
}

export interface FuzzClusterOptions {
  readonly onMessage: (message: SunkMessage) => void;
  /** Code of the reply to RCPT at the next hop; undefined = accepted. */
  readonly replyTo?: (recipient: string) => number | undefined;
}

export async function startFuzzCluster(options: FuzzClusterOptions): Promise<FuzzCluster> {
  const sink = await startSmtpSink({ ...options, keep: false });
  try {
    const cluster = await startCluster({ config: fuzzConfiguration(sink.port) });
    return {
      cluster,
      sink,
      stop: async () => {
        await cluster.stop();
        await sink.close();
      },
    };
  } catch (error) {
    await sink.close();
    throw error;
  }
}
