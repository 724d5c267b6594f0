/**
 * Profile *full*, one path of one message: a client with relay right submits for a hosted domain; a rule has SPF, DKIM, DMARC and three blocklists asked of it all the same; its
 * message comes with an rsa2048 signature that is verified and leaves with an rsa2048 signature of ours. The rest is as in *relay*.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '@postern/clock';
import type { TestDnsServer } from '@postern/dns/testing';
import { verifyDkim } from '@postern/mail-auth';
import { readHeaderSection } from '@postern/mail-message';
import { emptyLists } from '../empty-lists.js';
import { makeKeyPair, signedLetter } from '../letters.js';
import { type MakeProfile, recipientOf, rules } from './profile.js';

const domain = 'sender.test';
/** Not 127.0.0.1: that is a test point of blocklists, asked for without any mail. */
const clientAddress = '127.0.1.1';
const blocklists = ['bl1.test', 'bl2.test', 'bl3.test'];
/** What every message of the load must have been found. */
const wanted = { spf: 'pass', dkim: 'pass', dmarc: 'pass', dnsbl: 'clear' };
const selectors = { theirs: 'client', ours: 'gateway' };

const everyCheck = {
  id: 'bench-every-check',
  event: 'connect',
  // biome-ignore lint/suspicious/noThenProperty: a rule document has this key
  then: Object.keys(wanted).map((check) => ({ run: { check } })),
};

export const fullProfile: MakeProfile = async (folder) => {
  const theirs = makeKeyPair(selectors.theirs);
  const ours = makeKeyPair(selectors.ours);
  const keyFile = join(folder, 'gateway.pem');
  await writeFile(keyFile, ours.pem, { mode: 0o600 });
  return {
    clientAddress,
    letter: (size) => ({ from: `load@${domain}`, data: signedLetter(domain, recipientOf(0), size, theirs) }),
    zone: {
      [domain]: { TXT: [`v=spf1 ip4:${clientAddress} -all`], A: [clientAddress] },
      [`_dmarc.${domain}`]: { TXT: ['v=DMARC1; p=reject'] },
      [`${theirs.selector}._domainkey.${domain}`]: { TXT: [theirs.record] },
      [`${ours.selector}._domainkey.${domain}`]: { TXT: [ours.record] },
      ...emptyLists(blocklists),
    },
    config: {
      checks: {
        spf: { enabled: false, onFail: 'reject' },
        dkim: { enabled: false, onFail: 'mark' },
        dmarc: { enabled: false, onFail: 'mark' },
        dnsbl: { enabled: false, onFail: 'mark', zones: blocklists },
      },
      rules: [...rules, everyCheck],
      relayNetworks: [{ network: clientAddress, tenant: 'bench' }],
    },
    domains: [{ name: domain, nextHop: 'bench', dkim: [{ selector: ours.selector, keyFile }] }],
    async prove(cluster, dns, { queueId, arrived }) {
      const policy = (await cluster.run()).services.find(({ name }) => name === 'policy');
      const metrics = await (await fetch(new URL('/metrics', policy?.metrics))).text();
      const missing = [
        ...(await missingInMessage(arrived, dns)),
        ...missingQuestions(dns.queries),
        ...missingChecks(metrics),
      ];
      if (missing.length > 0) throw new Error(`profile full, message ${queueId}: ${missing.join('; ')}`);
    },
  };
};

/** What the message that arrived should tell and does not. */
export async function missingInMessage(arrived: Buffer, { zone }: Pick<TestDnsServer, 'zone'>): Promise<string[]> {
  const { fields, bodyOffset } = readHeaderSection(arrived);
  const written = fields.find(({ key }) => key === 'authentication-results')?.value ?? '';
  const missing = ['spf', 'dkim', 'dmarc']
    .filter((method) => !new RegExp(`\\b${method}=pass\\b`).test(written))
    .map((method) => `no ${method}=pass in Authentication-Results`);
  const context = { resolver: zone, clock: systemClock };
  const signatures = await verifyDkim(fields, [arrived.subarray(bodyOffset)], context);
  for (const selector of Object.values(selectors)) {
    const found = signatures.find((signature) => signature.selector === selector);
    if (found?.result !== 'pass' || found.keyBits !== 2048)
      missing.push(`signature ${selector} is ${found?.result ?? 'not there'}`);
  }
  return missing;
}

/** Once, then the answers are kept. */
export function missingQuestions(queries: TestDnsServer['queries']): string[] {
  const reversed = clientAddress.split('.').reverse().join('.');
  return blocklists
    .filter((list) => !queries.some(({ name }) => name === `${reversed}.${list}`))
    .map((list) => `${list} was not asked about the client`);
}

/** From the counters of the policy process: each check was made, and found nothing but what every message must have. */
export function missingChecks(metrics: string): string[] {
  const found = [...metrics.matchAll(/^postern_policy_check_total\{check="(\w+)",outcome="(\w+)"\} (\d+)$/gm)]
    .map(([, check = '', outcome = '', count]) => ({ check, outcome, count: Number(count) }))
    .filter(({ count }) => count > 0);
  return Object.entries(wanted).flatMap(([check, outcome]) => {
    const outcomes = new Set(found.filter((one) => one.check === check).map((one) => one.outcome));
    if (outcomes.size === 0) return [`${check} was not made`];
    return [...outcomes].filter((one) => one !== outcome).map((one) => `${check} found ${one}`);
  });
}
