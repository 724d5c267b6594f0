/**
 * Addresses as they are stored and looked up: lower case, domain as A-label. The same form everywhere, so that a login, a recipient and a
 * directory key agree.
 */
import { canonicalAddress, domainToAscii, parseAddress } from '@postern/smtp-core';

/** Undefined when it is no address of a mailbox in a domain. */
export function canonical(address: string): string | undefined {
  const parsed = parseAddress(address, { smtputf8: true });
  if (!parsed.ok || parsed.path.domain.startsWith('[')) return undefined;
  return canonicalAddress({ localPart: parsed.path.localPart, domain: parsed.path.domain }) ?? undefined;
}

/** Lower-case A-label; undefined when it is no domain name with at least two labels. */
export function canonicalDomain(name: string): string | undefined {
  const ascii = domainToAscii(name.replace(/\.$/, ''));
  return ascii === null || ascii.startsWith('[') || !ascii.includes('.') ? undefined : ascii;
}

/** Of a canonical address. */
export const domainOf = (address: string): string => address.slice(address.lastIndexOf('@') + 1);
