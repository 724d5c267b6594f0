/**
 * What both are asked to judge: signed messages of twenty domains from two hundred addresses, each with SPF, DKIM and DMARC that pass and three
 * blocklists that list nobody; and the DNS server of both.
 */
import { startDnsServer, type TestDnsServer, type ZoneData } from '@postern/dns/testing';
import { emptyLists } from '../empty-lists.js';
import { type KeyPair, makeKeyPair, signedLetter } from '../letters.js';

export const blocklists = ['bl1.test', 'bl2.test', 'bl3.test'];
export const recipient = 'user@bench.test';
const domains = 20;
const clients = 200;

export interface Letter {
  readonly clientAddress: string;
  readonly helo: string;
  readonly from: string;
  readonly data: Buffer;
}

export interface Load {
  readonly dns: TestDnsServer;
  /** The letter of a number, the same for both. */
  letter(number: number): Letter;
  /** A signed message of another size, of the first domain. */
  largeLetter(size: number): Letter;
}

export async function makeLoad(size: number): Promise<Load> {
  const zone: Record<string, ZoneData[string]> = {};
  const letters: Buffer[] = [];
  const keys: KeyPair[] = [];
  for (let at = 0; at < domains; at++) {
    const domain = `sender${at}.test`;
    const key = makeKeyPair('bench');
    keys.push(key);
    letters.push(signedLetter(domain, recipient, size, key));
    zone[domain] = { TXT: [`v=spf1 include:_spf.${domain} -all`], A: ['192.0.2.1'] };
    zone[`_spf.${domain}`] = { TXT: ['v=spf1 ip4:198.51.100.0/24 ip4:192.0.2.0/24 ~all'] };
    zone[`${key.selector}._domainkey.${domain}`] = { TXT: [key.record] };
    zone[`_dmarc.${domain}`] = { TXT: ['v=DMARC1; p=reject'] };
  }
  Object.assign(zone, emptyLists(blocklists));
  return {
    largeLetter(large) {
      const [key] = keys;
      if (key === undefined) throw new Error('no key');
      const data = signedLetter('sender0.test', recipient, large, key);
      return { clientAddress: '192.0.2.1', helo: 'mx.sender0.test', from: 'load@sender0.test', data };
    },
    dns: await startDnsServer(zone),
    letter(number) {
      const at = number % domains;
      const data = letters[at];
      if (data === undefined) throw new Error(`no letter ${at}`);
      const clientAddress = `192.0.2.${1 + (number % clients)}`;
      return { clientAddress, helo: `mx.sender${at}.test`, from: `load@sender${at}.test`, data };
    },
  };
}
