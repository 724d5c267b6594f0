/**
 * The operator file: what an operator sets for the whole cluster, and tenants that shall exist. Read by provisioning only (design.md,
 * Configuration). Unknown keys are errors. References between parts (a next hop that exists) are checked in `references.ts`.
 */

import { checkPatch, checksSchema } from '@postern/check-settings';
import { type Infer, isNetwork, networkHint, parseEndDate, s } from '@postern/config';
import { permittableActions } from '@postern/rules';
import { mechanismNames } from '../credentials/mechanisms.js';
import { flowFields, messageRate } from './flow-schema.js';
import { listenerFields } from './listener-schema.js';

const name = (what: string) =>
  s.string({
    minLength: 1,
    maxLength: 63,
    pattern: /^[A-Za-z0-9][A-Za-z0-9_-]*$/,
    form: `${what}: letters, digits, - and _`,
  });
/** Keys of next hops and listeners. */
const freeName = {
  key: /^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$/,
  keyForm: 'a name of letters, digits, - and _, at most 63 characters',
};
const tenantName = s.string({
  maxLength: 63,
  pattern: /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/,
  form: 'a tenant name: lower case letters, digits and hyphens, at most 63',
});
const address = s.string({ maxLength: 320, pattern: /^[^\s@]+@[^\s@]+$/, form: 'a mail address user@domain' });
const count = s.integer({ min: 0, max: 4_294_967_295 });
const network = s
  .string({ maxLength: 100, form: 'an address, a CIDR network or a range a-b' })
  .check('a CIDR network, an address or a range a-b from the lower address to the higher', isNetwork, networkHint);

const limitFields = {
  connections: count.default(0).doc('Simultaneous connections over all pods; 0 = no limit.'),
  connectionsPerIp: count.default(0).doc('Simultaneous connections per client prefix; 0 = no limit.'),
  connectionRate: count.default(0).doc('New connections per interval over all pods; 0 = no limit.'),
  connectionRatePerIp: count.default(0).doc('New connections per interval per client prefix; 0 = no limit.'),
  interval: s.duration({ min: 1_000, max: 86_400_000 }).default('1m').doc('Interval of the rates.'),
  ipv6Prefix: s
    .integer({ min: 16, max: 128 })
    .optional()
    .doc(
      'IPv6 clients are counted by this prefix length. Left out: 64 for the service; for a listener or IP set what holds for the service.',
    ),
  messageSize: s
    .bytes({ min: 1_024, max: 1_099_511_627_776 })
    .optional()
    .doc(
      'Largest message as received. Left out: 50 MiB for the service; for a listener or IP set what holds for the service. There is no message without a limit: streams have one.',
    ),
  recipients: count.default(0).doc('Recipients per message; 0 = 1,000 for the service, no own limit for a listener.'),
  messagesPerSession: count.default(0).doc('Messages per session; 0 = no limit.'),
  bytesPerSession: s
    .bytes({ max: 1_099_511_627_776 })
    .default(0)
    .doc('Bytes of accepted messages per session; 0 = no limit. One message with more is refused for good.'),
  errorsPerSession: count.default(0).doc('Wrong or failed commands per session; 0 = 20.'),
};
const limits = s.object(limitFields);
const asOthers = 'Left out: as for everybody; 0 = no limit for members.';
const setLimits = s.object({
  ...limitFields,
  connectionsPerIp: count.optional().doc(`Simultaneous connections per client prefix. ${asOthers}`),
  connectionRatePerIp: count.optional().doc(`New connections per interval per client prefix. ${asOthers}`),
  messagesPerSession: count.optional().doc(`Messages per session. ${asOthers}`),
  bytesPerSession: s
    .bytes({ max: 1_099_511_627_776 })
    .optional()
    .doc(`Bytes of accepted messages per session. ${asOthers}`),
  recipients: count.optional().doc(`Recipients per message. ${asOthers}`),
  errorsPerSession: count.optional().doc(`Wrong or failed commands per session. ${asOthers}`),
});

const host = s.object({
  host: s.string({ minLength: 1, maxLength: 255, pattern: /^[A-Za-z0-9.:_[\]-]+$/, form: 'a host name or address' }),
  port: s.integer({ min: 1, max: 65_535 }).default(25).doc('TCP port.'),
  protocol: s.enumeration(['smtp', 'lmtp']).default('smtp').doc('SMTP or LMTP.'),
  tls: s.enumeration(['none', 'opportunistic', 'required', 'verified']).default('opportunistic').doc('TLS towards it.'),
  username: s.string({ maxLength: 255 }).default('').doc('Login; empty = none.'),
  password: s.string({ minLength: 1, maxLength: 255 }).secret().optional().doc('Password of the login.'),
  passwordFile: s.file().optional().doc('File with the password of the login.'),
});
const hosts = s.list(host, { min: 1, max: 32 }).doc('Hosts in fallback order.');
const egressPool = s
  .string({ maxLength: 64, pattern: /^[A-Za-z0-9_-]*$/ })
  .default('')
  .doc('Egress pool; empty = default.');

const mechanisms = s.list(s.enumeration(mechanismNames), { max: 9 });

const listener = s.object({
  role: s.enumeration(['mx', 'submission', 'submissions']).optional().doc('Role; by default that of its name.'),
  banner: s
    .string({ maxLength: 400, pattern: /^[\x20-\x7e]*$/, form: 'printable ASCII of at most 400 characters' })
    .default('')
    .doc(
      'Text of the banner after the host name, in place of `ESMTP`; begin it with ESMTP for old clients that look for it.',
    ),
  proxyProtocol: s
    .boolean()
    .default(false)
    .doc('Connections must begin with a PROXY header. On where it is on here or in edge.listeners.'),
  limits: limits.optional().doc('Limits of this listener, besides those of the service.'),
  requireTls: s.boolean().optional().doc('STARTTLS before AUTH and MAIL; on for submission.'),
  ...listenerFields(network),
  requireAuth: s.boolean().optional().doc('AUTH before MAIL; on for submission and submissions.'),
  authMechanismsTls: mechanisms
    .optional()
    .doc(
      'Mechanisms on TLS connections, in order. Left out: SCRAM-SHA-256-PLUS, SCRAM-SHA-256, PLAIN, LOGIN; none for role mx.',
    ),
  authMechanismsPlain: mechanisms.default([]).doc('Mechanisms on plain connections, in order.'),
});

const expiry = s
  .string({ maxLength: 40 })
  .check(
    'never, a day such as 2027-01-31 (UTC), or a time such as 2027-01-31T18:00:00Z',
    (text) => parseEndDate(text) !== undefined,
  );

const differingContent = s.enumeration(['split', 'together']);

const tenant = s.object({
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
              selector: name('a selector').doc('Selector: the name under _domainkey.'),
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
    .list(s.object({ name: name('a route name'), hosts, egressPool }))
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

export const operatorSchema = s.object({
  hostname: s.domain().optional().doc('Name in banners and trace headers; by default that of the pod.'),
  postmaster: address.optional().doc('Takes postmaster@ and abuse@ of hosted domains that have no such recipient.'),
  dns: s.object({
    servers: s.list(s.hostPort(), { max: 16 }).default([]).doc('Servers every pod asks; empty = those of the pod.'),
    timeout: s.duration({ min: 50, max: 60_000 }).default('5s').doc('Deadline of one query.'),
    hedge: s
      .duration({ min: 10, max: 10_000 })
      .default('400ms')
      .doc('Silence after which the next server is asked as well.'),
    serveStale: s
      .duration({ max: 604_800_000 })
      .default('1h')
      .doc('How long an expired answer may stand in while no server answers (RFC 8767); 0 = never.'),
    sharedCache: s.boolean().default(true).doc('Policy pods share answers in Redis.'),
  }),
  asnDatabase: s
    .string({ maxLength: 4_096, pattern: /^\/[\x20-\x7e]+$/, form: 'the absolute path of a file on policy pods' })
    .optional()
    .doc('MMDB file with autonomous systems, as policy pods see it. Without it a rule that names asn is refused.'),
  remoteDelivery: s.boolean().default(false).doc('Whether mail for foreign domains leaves by MX.'),
  defaultNextHop: s
    .string({ maxLength: 63 })
    .default('')
    .doc('Next hop of foreign mail without remote delivery, and of domains without one.'),
  nextHops: s.record(s.object({ hosts, egressPool }), freeName).default({}).doc('Next hops every tenant may use.'),
  trustedProxies: s.list(network).default([]).doc('Networks whose PROXY header is believed.'),
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
  access: s
    .list(
      s.object({
        level: s.enumeration(['global', 'service', 'listener']).default('global').doc('Level; the most specific wins.'),
        target: s
          .string({ maxLength: 63 })
          .default('')
          .doc('With level listener its name, with service smtp or api; with global none.'),
        priority: s
          .integer({ min: -1_000_000, max: 1_000_000 })
          .default(0)
          .doc('Lowest wins within a level; of equal ones the rule written first.'),
        network,
        action: s.enumeration(['allow', 'deny']).doc('What happens.'),
      }),
      { max: 100_000 },
    )
    .default([])
    .doc('Access rules.'),
  listeners: s
    .record(listener, { max: 64, ...freeName })
    .default({})
    .doc('Settings of listeners by name.'),
  limits: limits.doc('Limits of the service.'),
  ...flowFields(network, setLimits, freeName),
  checks: checksSchema,
  retry: s.object({
    first: s.duration({ min: 100 }).default('5m').doc('First retry after this; doubles.'),
    cap: s.duration({ min: 100 }).default('8h').doc('Cap of the interval.'),
    lifetime: s.duration({ min: 1_000 }).default('5d').doc('Lifetime of a message.'),
    delayNotice: s.duration().default('4h').doc('Delay notice after this; 0 = none.'),
  }),
  admitWhenPolicyAway: s.boolean().default(false).doc('Admit unjudged mail when policy is away, instead of 451.'),
  differingContent: differingContent
    .default('split')
    .doc(
      'Recipients of one message whose content could be refused one without the other (docs/rules.md). split: a later one is told 452 4.5.3, to come in a transaction of its own, so that a refusal stays a refusal; a logged-in client is spared. together: all are taken, and the copy that one alone is refused goes into quarantine.',
    ),
  rules: s
    .list(s.plain(), { max: 10_000 })
    .default([])
    .doc('Rules of the server scope; with tenant, and scope (a domain or user@domain of it), those of that scope.'),
  recording: s.object({
    sessions: s.integer({ min: 1, max: 10_000 }).default(100).doc('Sessions kept per tenant.'),
    bytes: s.bytes({ min: 65_536, max: 1_073_741_824 }).default('16MiB').doc('Bytes kept per tenant.'),
    age: s.duration({ min: 60_000, max: 2_592_000_000 }).default('1d').doc('How long they are kept.'),
    content: s
      .bytes({ min: 0, max: 8_388_608 })
      .default('1MiB')
      .doc('Largest message kept; of a larger one the envelope and what was found.'),
  }),
  tenants: s
    .list(tenant, { max: 100_000 })
    .default([])
    .doc(
      'Tenants that shall exist: what is missing is made when the file is read, nothing is deleted by it (docs/operator-file.md).',
    ),
});

export type OperatorDocument = Infer<typeof operatorSchema>;
export type OperatorTenant = OperatorDocument['tenants'][number];
