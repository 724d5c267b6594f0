/** What a session knows without asking anybody, in the words of rules. Read when rules are asked; nothing of it is kept. */
import { RecipientClass } from '@postern/proto/mail/v1/envelope';
import type { Facts } from '@postern/rules';
import type { MailCommand } from '@postern/smtp-core';
import type { SessionView } from './session-view.js';

export function sessionFacts(session: SessionView, nowMs: number): Facts {
  const { greeting, tls, login, listener } = session;
  const certificate = tls?.clientCertificate?.verified === true ? tls.clientCertificate : undefined;
  return {
    client: {
      address: session.clientAddress,
      port: session.clientPort,
      certificate: certificate?.subject,
      certificateNames: certificate?.names,
      certificateFingerprint: certificate?.fingerprint,
    },
    server: { address: session.localAddress, port: session.localPort, proxiedName: session.proxyAuthority },
    listener: { name: listener.name, role: listener.role },
    helo: greeting?.name,
    esmtp: greeting?.esmtp === true,
    tls: { active: tls !== undefined, version: tls?.version, cipher: tls?.cipher },
    auth: { user: login?.user, mechanism: login?.mechanism },
    session: { messages: session.messages, bytes: session.bytes, errors: session.errors },
    time: { now: new Date(nowMs) },
  };
}

const halves = (address: string): { readonly user: string; readonly domain: string } => {
  const at = address.lastIndexOf('@');
  return at < 0
    ? { user: '', domain: '' }
    : { user: address.slice(0, at), domain: address.slice(at + 1).toLowerCase() };
};

export function withSender(facts: Facts, { reversePath, size }: MailCommand): Facts {
  const { address } = reversePath;
  return { ...facts, sender: { address, spelled: address, ...halves(address) }, message: { declaredSize: size ?? 0 } };
}

export function withRecipient(facts: Facts, address: string, recipientClass: RecipientClass, count: number): Facts {
  const routing = recipientClass === RecipientClass.LOCAL ? 'local' : 'relay';
  return { ...facts, recipient: { address, spelled: address, ...halves(address), routing }, recipients: { count } };
}
