/**
 * What a cluster of ours is asked to do with each message of the load. *relay*: a stranger on the mx port; access rules, limits, recipients from the directory, 10 rules, SPF
 * with a warm cache, unsigned message, trace on. *two workers*: the same with two workers in the edge pod. Profile *full* is in `full-profile.ts`.
 */
import type { TestDnsServer, ZoneData } from '@postern/dns/testing';
import type { Cluster } from '@postern/e2e/cluster';
import type { Peer, Proof } from '../peer.js';

const users = 50;
export const recipientOf = (number: number): string => `user${number % users}@bench.test`;
export const recipients: readonly string[] = Array.from({ length: users }, (_, number) => recipientOf(number));

export const rules: readonly object[] = Array.from({ length: 10 }, (_, index) => ({
  id: `bench-${index}`,
  event: index % 2 === 0 ? 'mail' : 'rcpt',
  when:
    index % 2 === 0 ? `sender.domain == "blocked${index}.test"` : `recipient.address == "closed${index}@bench.test"`,
  // biome-ignore lint/suspicious/noThenProperty: a rule document has this key
  then: [{ reject: { text: 'not here' } }],
}));

export interface Profile extends Pick<Peer, 'letter' | 'clientAddress'> {
  readonly zone: ZoneData;
  /** Sections of the operator file. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Domains of the tenant beside that of the recipients. */
  readonly domains: readonly object[];
  /** Throws where a message was not given the work of this profile. */
  prove?(cluster: Cluster, dns: TestDnsServer, proof: Proof): Promise<void>;
}

/** `folder`: for key files, removed with the cluster. */
export type MakeProfile = (folder: string) => Promise<Profile>;

export const relayProfile: MakeProfile = () =>
  Promise.resolve({
    zone: { 'sender.test': { TXT: ['v=spf1 ip4:127.0.0.1 -all'], A: ['127.0.0.1'] } },
    config: {
      checks: {
        spf: { enabled: true, onFail: 'reject' },
        dkim: { enabled: false },
        dmarc: { enabled: false },
        dnsbl: { enabled: false },
      },
      rules,
    },
    domains: [],
  });

export const twoWorkersProfile: MakeProfile = async (folder) => {
  const relay = await relayProfile(folder);
  return { ...relay, config: { ...relay.config, edge: { workers: { min: 2, max: 2 } } } };
};
