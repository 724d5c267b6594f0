/**
 * A recipient refused since his domain is not hosted here, while a tenant has it and only its verification is missing: the trace says that. Edges know
 * verified domains alone, so it is added here, where the domains are, as they are now; the caller's rights say which he sees.
 */
import type { TraceResponse } from '@postern/proto/queue/v1/queue_service';
import { canonicalDomain, domainOf } from './addresses.js';
import type { Transaction } from './database/tenant-scope.js';

const isForeign = ({ detail }: { readonly detail: Record<string, string> }): boolean =>
  detail.reason === 'no relay right';

const domainOfRecipient = (recipient: string): string => canonicalDomain(domainOf(recipient)) ?? '';

export async function tellUnverified(tx: Transaction, { messages }: TraceResponse): Promise<TraceResponse> {
  const named = new Set(
    messages.flatMap(({ events }) => events.filter(isForeign).map(({ recipient }) => domainOfRecipient(recipient))),
  );
  if (named.size === 0) return { messages };
  const rows = await tx.rows<{ name: string; tenant: string }>(
    'SELECT name, tenant FROM domains WHERE name = ANY ($1) AND NOT verified',
    [[...named]],
  );
  const tenants = new Map(rows.map(({ name, tenant }) => [name, tenant]));
  return {
    messages: messages.map((message) => ({
      ...message,
      events: message.events.map((event) => {
        const domain = isForeign(event) ? domainOfRecipient(event.recipient) : '';
        const tenant = tenants.get(domain);
        return tenant === undefined
          ? event
          : { ...event, detail: { ...event.detail, unverified_domain: domain, unverified_tenant: tenant } };
      }),
    })),
  };
}
