import { expect, test } from 'vitest';
import { loginOf, type Realm } from './principal.js';

const realms: readonly Realm[] = [
  { realm: 'ACME.TEST', domain: 'acme.test', tenants: ['acme'] },
  { realm: 'CORP.TEST', domain: 'mail.corp.test', tenants: ['corp', 'acme'] },
];

test.each([
  ['bob@ACME.TEST', '', 'bob@acme.test', ['acme']],
  ['Bob@ACME.TEST', 'bob@acme.test', 'bob@acme.test', ['acme']],
  ['bob@CORP.TEST', 'bob@mail.corp.test', 'bob@mail.corp.test', ['corp', 'acme']],
])('%s, acting as "%s", is %s', (principal, authzid, address, tenants) => {
  expect(loginOf(principal, authzid, realms)).toEqual({ kind: 'login', address, tenants });
});

test.each([
  ['bob@EVIL.TEST', '', 'unknown realm'],
  ['bob@acme.test', '', 'unknown realm'],
  ['bob', '', 'not a user'],
  ['', '', 'not a user'],
  ['bob/admin@ACME.TEST', '', 'not a user'],
  ['host/mail.acme.test@ACME.TEST', '', 'not a user'],
  ['bob\\@other.test@ACME.TEST', '', 'not a user'],
  ['bob@other.test@ACME.TEST', '', 'not a user'],
  ['WELLKNOWN/ANONYMOUS@WELLKNOWN:ANONYMOUS', '', 'not a user'],
  ['two words@ACME.TEST', '', 'not an address'],
  ['bob@ACME.TEST', 'carol@acme.test', 'authorization identity differs'],
  ['bob@ACME.TEST', 'bob', 'authorization identity differs'],
])('%s, acting as "%s", is nobody: %s', (principal, authzid, reason) => {
  expect(loginOf(principal, authzid, realms)).toEqual({ kind: 'nobody', reason });
});
