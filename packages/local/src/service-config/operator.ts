/**
 * The operator settings of a local cluster: a demo tenant with one user, everything for foreign domains into the mailbox
 * sink, so that a first try never reaches the Internet. A person's own file is layered over it by provisioning.
 */
import type { StartOptions } from '../supervisor/options.js';
import type { ClusterPlan } from '../supervisor/plan.js';
import type { Document } from './context.js';

export const demo = { tenant: 'demo', domain: 'demo.test', user: 'alice@demo.test' } as const;

export function operatorSettings(plan: ClusterPlan, options: StartOptions, demoPasswordFile: string): Document {
  const mailbox = { host: '127.0.0.1', port: plan.mailboxPort, protocol: 'smtp', tls: 'none' };
  return {
    hostname: 'mail.demo.test',
    ...(options.dns === undefined ? {} : { dns: { servers: [options.dns] } }),
    remoteDelivery: false,
    defaultNextHop: 'mailbox',
    nextHops: { mailbox: { hosts: [mailbox] } },
    tenants: [
      {
        name: demo.tenant,
        domains: [{ name: demo.domain, nextHop: 'mailbox' }],
        users: [{ address: demo.user, passwordFile: demoPasswordFile }],
      },
    ],
  };
}
