/**
 * Which login a Kerberos principal is: `user@REALM` of a realm the operator names is `user@domain`, for the tenants named with it. Principals of hosts and of
 * roles (`user/admin`), and names that need quoting, are nobody's. The edge has checked the ticket (design.md, Trust); what it opens is decided here.
 */
import { canonical } from '../addresses.js';

export interface Realm {
  /** Case counts. */
  readonly realm: string;
  readonly domain: string;
  readonly tenants: readonly string[];
}

export type PrincipalAnswer =
  | { readonly kind: 'login'; readonly address: string; readonly tenants: readonly string[] }
  | { readonly kind: 'nobody'; readonly reason: string };

const nobody = (reason: string): PrincipalAnswer => ({ kind: 'nobody', reason });

/** `authzid`: as whom the client acts; empty, or the login itself. */
export function loginOf(principal: string, authzid: string, realms: readonly Realm[]): PrincipalAnswer {
  const [, user = '', realmName = ''] = /^([^@/\\]+)@([^@/\\]+)$/.exec(principal) ?? [];
  if (user === '') return nobody('not a user');
  const realm = realms.find((candidate) => candidate.realm === realmName);
  if (realm === undefined) return nobody('unknown realm');
  const address = canonical(`${user}@${realm.domain}`);
  if (address === undefined) return nobody('not an address');
  if (authzid !== '' && canonical(authzid) !== address) return nobody('authorization identity differs');
  return { kind: 'login', address, tenants: realm.tenants };
}
