/** A tenant in the operator file, with its domains, routes, users and aliases. What is missing of it is made, nothing is deleted by it (`apply.ts`). */
import { checkPatch } from '@postern/check-settings';
import { parseEndDate, s } from '@postern/config';
import { permittableActions } from '@postern/rules';
import { messageRate } from './flow-schema.js';
import { egressPool, hosts } from './next-hop-schema.js';
import { address, nameOf, tenantName } from './written-forms.js';

const expiry = s
  .string({ maxLength: 40 })
  .check(
    'never, a day such as 2027-01-31 (UTC), or a time such as 2027-01-31T18:00:00Z',
    (text) => parseEndDate(text) !== undefined,
  );

/** Of the recipients of one message. */
export const differingContent = s.enumeration(['split', 'together']);

export const tenant = s.object({
  name: tenantName.doc('Name.'),
  displayName: s.string({ maxLength: 200 }).default('').doc('Name for people.'),
  weight: s.integer({ min: 1, max: 100 }).default(1).doc('Share in dispatch.'),
  messageLimit: messageRate.optional().doc('What it may submit per interval, in place of messageLimits.perTenant.'),
  ruleActions: s
    .list(s.enumeration(permittableActions), { max: 3 })
    .default([])
    .doc('Actions that loosen or choose the way, and that rules of it, its domains and users may use all the same.'),
  differingContent: differingContent
    .optional()
    .doc(
      'The same for its recipients; those of two tenants stay together where it is so for both. Absent: as for everybody.',
    ),
  checks: checkPatch
    .optional()
    .doc(
      'What the tenant sets differently for checks, where the operator lets it (docs/checks.md). Absent: as it is; {}: nothing.',
    ),
  domains: s
    .list(
      s.object({
        name: s.domain().doc('Domain; counts as verified.'),
        checks: checkPatch
          .optional()
          .doc(
            'What the domain sets differently for checks, where the operator lets it (docs/checks.md). Absent: as it is; {}: nothing.',
          ),
        nextHop: s
          .string({ maxLength: 63 })
          .default('')
          .doc('Route of the tenant or next hop of the operator; empty = the default.'),
        validateRecipients: s.boolean().default(true).doc('Only known recipients are accepted.'),
        catchAll: s.string({ maxLength: 320 }).default('').doc('Address that takes unknown recipients.'),
        dkim: s
          .list(
            s.object({
              selector: nameOf('a selector').doc('Selector: the name under _domainkey.'),
              keyFile: s.file().doc('Private key, PEM.'),
            }),
            { max: 8 },
          )
          .default([])
          .doc('Keys that sign what the tenant submits with this domain in From.'),
      }),
    )
    .default([])
    .doc('Domains.'),
  routes: s
    .list(s.object({ name: nameOf('a route name'), hosts, egressPool }))
    .default([])
    .doc('Routes of the tenant.'),
  users: s
    .list(
      s.object({
        address: address.doc('Address and login.'),
        displayName: s.string({ maxLength: 200 }).default('').doc('Name for people.'),
        password: s
          .string({ minLength: 8, maxLength: 1024, form: 'a password of 8 to 1,024 characters' })
          .secret()
          .optional(),
        passwordFile: s
          .file()
          .optional()
          .doc(
            'File with the password; watched. It is set when the file says another than it said before: one changed since through the API stays.',
          ),
        recoverablePassword: s
          .boolean()
          .default(false)
          .doc('Keep the password, sealed, for CRAM-MD5 and DIGEST-MD5. Everyone else has SCRAM-SHA-256.'),
        checks: checkPatch.optional().doc('Its own lists.block and lists.allow. Absent: as they are; {}: none.'),
        disabled: s.boolean().optional().doc('Neither logs in nor receives. Absent: as it is.'),
        expires: expiry.optional().doc('From then on it does not log in, though it receives. Absent: as it is.'),
        allowedIdentities: s
          .list(address, { max: 1000 })
          .default([])
          .doc('Addresses it may send as. Held to by the checks identity and author, where they are on.'),
      }),
      { max: 1_000_000 },
    )
    .default([])
    .doc('Users.'),
  aliases: s
    .list(
      s.object({
        address: address.doc('Address.'),
        targets: s.list(address, { min: 1, max: 1000 }).doc('Where it goes.'),
        group: s.boolean().default(false).doc('A distribution list: the envelope sender stays.'),
      }),
      { max: 1_000_000 },
    )
    .default([])
    .doc('Aliases and groups.'),
});
