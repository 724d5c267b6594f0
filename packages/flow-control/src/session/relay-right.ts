/**
 * May this client send to this recipient? Decided from the snapshot alone, without fallback (design.md, step 2 and invariant 11): a hosted
 * domain, a login, or a relay network; everything else is refused, and what cannot be decided is 451. Policy is never asked.
 */

import { RecipientClass } from '@postern/proto/mail/v1/envelope';
import { domainToAscii, type Path, type Reply, replies } from '@postern/smtp-core';
import type { SessionTerms } from './session-terms.js';
import type { SessionView } from './session-view.js';

export type RecipientRight =
  | {
      readonly kind: 'granted';
      readonly address: string;
      readonly recipientClass: RecipientClass;
      readonly tenant: string;
    }
  | { readonly kind: 'refused'; readonly reply: Reply; readonly reason: string };

/** Tenant the client submits for; undefined = an outsider, who may send to hosted domains only. */
export function submittingTenant(snapshot: SessionTerms, session: SessionView): string | undefined {
  const certificate = session.tls?.clientCertificate;
  const valid = certificate?.verified === true && certificate.fingerprint !== '' ? certificate.fingerprint : undefined;
  return session.login?.tenant ?? snapshot.relayTenant(session.clientAddress, valid, session.addressSuspected);
}

function refuse(reply: Reply, reason: string): RecipientRight {
  return { kind: 'refused', reply, reason };
}

/** RFC 5321 §2.4: domains have no case, so that one recipient spelled twice is one. */
function spelled({ address, domain }: Path, as: string): string {
  return as === domain ? address : `${address.slice(0, -domain.length)}${as}`;
}

export function recipientRight(snapshot: SessionTerms | undefined, session: SessionView, path: Path): RecipientRight {
  if (snapshot === undefined) return refuse(replies.localError, 'no snapshot');
  if (path.domain === '') {
    const { postmaster } = snapshot;
    if (postmaster === undefined) return refuse(replies.mailboxUnknown, 'no hosted domain for postmaster');
    return { kind: 'granted', ...postmaster, recipientClass: RecipientClass.LOCAL };
  }
  const domain = domainToAscii(path.domain);
  if (domain === null) return refuse(replies.badRecipientSyntax, 'domain has no ASCII form');
  const hosted = snapshot.domain(domain);
  if (hosted !== undefined) {
    if (snapshot.isSuspended(hosted.tenant)) return refuse(replies.mailboxBusy, 'tenant suspended');
    // One spelling downstream: a U-label goes as the A-label the domain is known by (RFC 5890 §2.3.2.1).
    return {
      kind: 'granted',
      address: spelled(path, domain),
      recipientClass: RecipientClass.LOCAL,
      tenant: hosted.tenant,
    };
  }
  const tenant = submittingTenant(snapshot, session);
  if (tenant === undefined)
    return refuse(
      replies.relayDenied,
      session.addressSuspected
        ? 'no relay right: the address seems to stand for many clients (source NAT)'
        : 'no relay right',
    );
  if (snapshot.isSuspended(tenant)) return refuse(replies.mailboxBusy, 'submitting tenant suspended');
  const address = spelled(path, path.domain.toLowerCase());
  return { kind: 'granted', address, recipientClass: RecipientClass.RELAY, tenant };
}
