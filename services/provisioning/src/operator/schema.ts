/**
 * The operator file: what an operator sets for the whole cluster, and tenants that shall exist. Read by provisioning only (design.md,
 * Configuration). Unknown keys are errors. References between parts (a next hop that exists) are checked in `references.ts`.
 */
import { checksSchema } from '@postern/check-settings';
import { type Infer, s } from '@postern/config';
import { flowFields } from './flow-schema.js';
import { limits } from './limits-schema.js';
import { listener } from './listener-schema.js';
import { egressPool, hosts } from './next-hop-schema.js';
import { originFields } from './origin-schema.js';
import { differingContent, tenant } from './tenant-schema.js';
import { address, freeName, network } from './written-forms.js';

export const operatorSchema = s.object({
  hostname: s.domain().optional().doc('Name in banners and trace headers; by default that of the pod.'),
  postmaster: address
    .optional()
    .doc(
      'Takes postmaster@ and abuse@ of hosted domains that have no such recipient and, where its domain is hosted, mail for postmaster without a domain (docs/operator-file.md).',
    ),
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
  ...originFields,
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
  ...flowFields,
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
