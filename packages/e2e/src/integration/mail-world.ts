/**
 * The surroundings of a cluster under test: a next hop, a DNS server, one tenant with users, and a client that speaks to each listener as mail
 * programs do. One world per test file. Names: `acme.test` has known recipients, `open.test` takes any (their local part scripts the next hop).
 */
import { startDnsServer, type TestDnsServer, type ZoneData } from '@postern/dns/testing';
import { SmtpSender } from '@postern/testkit/smtp';
import { afterAll, beforeAll } from 'vitest';
import { type Cluster, type ClusterOptions, startCluster } from '../cluster/index.js';
import { type NextHopServer, reserveNextHop } from './next-hop-server.js';

export const password = 'correct-horse-battery';
/** Users of acme.test that log in and receive. */
export const users = ['bob', 'carol', 'dave', 'bjørn'] as const;

export interface SpeakOptions {
  /** A user of acme.test; absent = no login. */
  readonly login?: string;
  readonly password?: string;
  readonly mechanism?: 'PLAIN' | 'LOGIN';
  readonly localAddress?: string;
  readonly edge?: number;
  readonly timeoutMs?: number;
}

export interface MailWorld {
  readonly cluster: Cluster;
  readonly nextHop: NextHopServer;
  readonly dns: TestDnsServer;
  /** Writes the operator's file anew: that of the start with these sections in place of its own. */
  reconfigure(sections: Readonly<Record<string, unknown>>): Promise<void>;
  /** Connected, greeted, on TLS where the listener wants it, logged in where asked. Throws where any of these is refused. */
  speak(listener: Listener, options?: SpeakOptions): Promise<SmtpSender>;
}

export type Listener = 'mx' | 'submission' | 'submissions';

export interface WorldOptions {
  /** Further names of the DNS server. */
  readonly zone?: ZoneData;
  readonly config?: Readonly<Record<string, unknown>>;
  readonly edges?: number;
  readonly policies?: number;
  readonly environment?: ClusterOptions['environment'];
  readonly prepare?: ClusterOptions['prepare'];
  /** Next hop of every domain instead of ours. */
  readonly nextHopPort?: () => Promise<number>;
}

/** Domains of senders: SPF of good.test allows us, that of bad.test nobody, plain.test says nothing. */
const zone = {
  'good.test': { TXT: ['v=spf1 ip4:127.0.0.0/8 -all'], MX: [[10, 'mx.good.test']] as const },
  'bad.test': { TXT: ['v=spf1 -all'], MX: [[10, 'mx.bad.test']] as const },
  'plain.test': { MX: [[10, 'mx.plain.test']] as const },
  'mx.good.test': { A: ['127.0.0.1'] },
  'mx.bad.test': { A: ['127.0.0.1'] },
  'mx.plain.test': { A: ['127.0.0.1'] },
};

export function worldConfig(nextHopPort: number, config: Readonly<Record<string, unknown>> = {}) {
  return {
    retry: { first: '1s', cap: '2s' },
    defaultNextHop: 'hop',
    nextHops: { hop: { hosts: [{ host: '127.0.0.1', port: nextHopPort, protocol: 'smtp', tls: 'none' }] } },
    tenants: [
      {
        name: 'acme',
        domains: [
          { name: 'acme.test', nextHop: 'hop' },
          { name: 'open.test', nextHop: 'hop', validateRecipients: false },
        ],
        users: users.map((user) => ({ address: `${user}@acme.test`, password })),
      },
    ],
    ...config,
  } satisfies ClusterOptions['config'];
}

async function logIn(sender: SmtpSender, user: string, secret: string, mechanism: 'PLAIN' | 'LOGIN') {
  if (mechanism === 'PLAIN') return sender.auth(user, secret);
  await sender.command('AUTH LOGIN');
  await sender.command(Buffer.from(user).toString('base64'));
  return sender.command(Buffer.from(secret).toString('base64'));
}

export async function speak(cluster: Cluster, listener: Listener, options: SpeakOptions = {}): Promise<SmtpSender> {
  const sender = await SmtpSender.open({
    port: await cluster.port(listener, options.edge),
    tls: listener === 'submissions',
    timeoutMs: options.timeoutMs ?? 90_000,
    ...(options.localAddress === undefined ? {} : { localAddress: options.localAddress }),
  });
  try {
    await sender.greet();
    if (listener === 'submission') {
      const ready = await sender.command('STARTTLS');
      if (ready.code !== 220) throw new Error(`STARTTLS: ${ready.code} ${ready.text}`);
      await sender.startTls();
      await sender.command('EHLO client.test');
    }
    if (options.login === undefined) return sender;
    const user = `${options.login}@acme.test`;
    const reply = await logIn(sender, user, options.password ?? password, options.mechanism ?? 'PLAIN');
    if (reply.code !== 235) throw new Error(`AUTH: ${reply.code} ${reply.text}`);
    return sender;
  } catch (error) {
    sender.destroy();
    throw error;
  }
}

/** Starts before the tests of this file, stops after them. */
export function withMailWorld(options: WorldOptions = {}): MailWorld {
  let parts: Omit<MailWorld, 'speak'> | undefined;
  const started = () => {
    if (parts === undefined) throw new Error('the world is made in beforeAll; use it inside a test');
    return parts;
  };
  beforeAll(async () => {
    const dns = await startDnsServer({ ...zone, ...options.zone });
    const nextHop = await reserveNextHop();
    await nextHop.open();
    const hopPort = (await options.nextHopPort?.()) ?? nextHop.port;
    const cluster = await startCluster({
      config: worldConfig(hopPort, options.config),
      dns: dns.server,
      ...(options.environment === undefined ? {} : { environment: options.environment }),
      ...(options.prepare === undefined ? {} : { prepare: options.prepare }),
      ...(options.edges === undefined ? {} : { edges: options.edges }),
      ...(options.policies === undefined ? {} : { policies: options.policies }),
    }).catch(async (error: unknown) => {
      await Promise.all([dns.stop(), nextHop.close()]);
      throw error;
    });
    parts = {
      cluster,
      nextHop,
      dns,
      reconfigure: (sections) => cluster.writeConfig(worldConfig(hopPort, { ...options.config, ...sections })),
    };
  }, 300_000);
  afterAll(async () => {
    await parts?.cluster.stop();
    await Promise.all([parts?.nextHop.close(), parts?.dns.stop()]);
  }, 120_000);
  return {
    get cluster() {
      return started().cluster;
    },
    get nextHop() {
      return started().nextHop;
    },
    get dns() {
      return started().dns;
    },
    reconfigure: (sections) => started().reconfigure(sections),
    speak: (listener, speakOptions) => speak(started().cluster, listener, speakOptions),
  };
}
