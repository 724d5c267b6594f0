/**
 * Which keys sign an item: those of the domain in From, when the tenant that submitted the message owns that domain (RFC 6376, RFC 7489 §3.1). Incoming mail is
 * never signed. A key that cannot be opened now defers the item: mail that leaves unsigned may be refused for good elsewhere.
 */

import { readSigningKey, type SigningKey } from '@postern/mail-auth';
import { type HeaderField, headerFromDomains } from '@postern/mail-message';
import type { Snapshot } from '@postern/proto/config/v1/snapshot';
import type { Item } from '@postern/proto/mail/v1/item';
import type { Secrets } from './secrets.js';

export interface SigningDomain {
  readonly tenant: string;
  readonly keys: readonly { readonly selector: string; readonly secret: string }[];
}

export type SigningKeys =
  | { readonly kind: 'keys'; readonly keys: readonly SigningKey[] }
  | { readonly kind: 'none' }
  | { readonly kind: 'unavailable'; readonly reason: string };

export interface Signing {
  /** False = certainly nothing to sign, without looking at the message. */
  concerns(item: Item): boolean;
  keysFor(item: Item, fields: readonly HeaderField[]): Promise<SigningKeys>;
}

const none: SigningKeys = { kind: 'none' };
const maxParsed = 10_000;

export function signingDomains(snapshot: Snapshot): ReadonlyMap<string, SigningDomain> {
  return new Map(
    snapshot.domains
      .filter(({ dkimKeys }) => dkimKeys.length > 0)
      .map(({ name, tenant, dkimKeys }) => [name, { tenant, keys: dkimKeys }]),
  );
}

export function createSigning(domains: () => ReadonlyMap<string, SigningDomain>, secrets: Secrets): Signing {
  const parsed = new Map<string, SigningKey>();
  const open = async (
    domain: string,
    tenant: string,
    selector: string,
    secret: string,
  ): Promise<SigningKey | string> => {
    const found = await secrets.get(tenant, secret);
    if (found.kind !== 'value') return `DKIM key ${selector}._domainkey.${domain}: ${found.kind}`;
    const pem = found.value.toString('utf8');
    const id = `${domain} ${selector} ${pem}`;
    const known = parsed.get(id);
    if (known !== undefined) return known;
    try {
      const key = readSigningKey(domain, selector, pem);
      if (parsed.size >= maxParsed) parsed.clear();
      parsed.set(id, key);
      return key;
    } catch {
      return `DKIM key ${selector}._domainkey.${domain} is not a usable private key`;
    }
  };
  return {
    concerns: (item) => item.submittingTenant !== '' && domains().size > 0,
    async keysFor(item, fields) {
      const { domains: from } = headerFromDomains(fields);
      const [domain] = from;
      if (domain === undefined || from.length > 1) return none;
      const owner = domains().get(domain);
      if (owner === undefined || owner.tenant !== item.submittingTenant) return none;
      const keys: SigningKey[] = [];
      for (const { selector, secret } of owner.keys) {
        const key = await open(domain, owner.tenant, selector, secret);
        if (typeof key === 'string') return { kind: 'unavailable', reason: key };
        keys.push(key);
      }
      return { kind: 'keys', keys };
    },
  };
}
