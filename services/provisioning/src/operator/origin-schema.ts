/** Whose mail it is, in the operator file: networks and certificates that may relay for a tenant, token issuers and Kerberos realms that log its users in. */
import { s } from '@postern/config';
import { network, tenantName } from './written-forms.js';

export const originFields = {
  relayNetworks: s
    .list(s.object({ network, tenant: tenantName }), { max: 10_000 })
    .default([])
    .doc('Networks that may relay.'),
  snatGuard: s
    .boolean()
    .default(true)
    .doc(
      'Whether an address that nearly all sessions of a listener come from (a private one: source NAT) loses the relay right of its network, unless relayNetworks names it alone.',
    ),
  oauthIssuers: s
    .list(
      s.object({
        tenant: tenantName.doc('Tenant whose users its tokens are for.'),
        issuer: s.string({ minLength: 1, maxLength: 1024 }).doc('Value of `iss` in its tokens.'),
        audience: s.string({ minLength: 1, maxLength: 1024 }).doc('Value that `aud` must hold.'),
        userClaim: s.string({ minLength: 1, maxLength: 128 }).default('email').doc('Claim that holds the login.'),
        jwksUrl: s
          .string({
            maxLength: 2048,
            pattern: /^(?:https:\/\/[^\s]+|http:\/\/(?:127\.0\.0\.1|localhost|\[::1\])(?::\d+)?\/[^\s]*)?$/,
            form: 'a URL https://..., or http:// to 127.0.0.1',
          })
          .default('')
          .doc(
            'Where its public keys are: over TLS, since who changes them on the way can log in. Either this or jwksFile.',
          ),
        jwksFile: s.file().optional().doc('File with its public keys, a JSON Web Key Set.'),
      }),
      { max: 1_000 },
    )
    .default([])
    .doc('Issuers of tokens for OAUTHBEARER and XOAUTH2.'),
  kerberosRealms: s
    .list(
      s.object({
        realm: s
          .string({ maxLength: 255, pattern: /^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$/, form: 'a Kerberos realm' })
          .doc('Realm, as written in its principals.'),
        domain: s.domain().doc('Domain of the logins: user@REALM logs in as user@domain.'),
        tenants: s.list(tenantName, { min: 1, max: 1_000 }).doc('Tenants whose users may be logged in to.'),
      }),
      { max: 1_000 },
    )
    .default([])
    .doc('Realms whose tickets are logins (mechanism GSSAPI), and whose.'),
  relayCertificates: s
    .list(
      s.object({
        fingerprint: s
          .string({
            maxLength: 95,
            pattern: /^(?:[0-9a-f]{2}:?){31}[0-9a-f]{2}$/i,
            form: 'the SHA-256 of a certificate, 64 hexadecimal digits, colons allowed',
          })
          .doc('SHA-256 of the client certificate; it must be valid for the listener too.'),
        tenant: tenantName,
      }),
      { max: 10_000 },
    )
    .default([])
    .doc('Clients that may relay by their certificate.'),
};
