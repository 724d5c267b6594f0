/** What is known about one recipient after acceptance, in the words of rules. Made only where such rules exist; nothing of it is kept. */
import type { Origin } from '@postern/proto/mail/v1/envelope';
import { LaneClass, type Route } from '@postern/proto/mail/v1/item';
import type { RecipientResult } from '@postern/proto/mail/v1/outcome';
import type { Facts } from '@postern/rules';

export interface DeliverySubject {
  readonly recipient: string;
  /** Owner of the recipient's mail. */
  readonly tenant: string;
  readonly reversePath: string;
  readonly size: number;
  readonly acceptedAtMs: number;
  /** The attempt that is to be made, or was. */
  readonly attempt: number;
  readonly tags: readonly string[];
  readonly origin: Origin | undefined;
  readonly route: Route | undefined;
}

const classes: Partial<Record<LaneClass, string>> = {
  [LaneClass.LOCAL]: 'local',
  [LaneClass.REMOTE]: 'remote',
  [LaneClass.SMARTHOST]: 'smarthost',
  [LaneClass.DSN]: 'report',
};

const halves = (address: string): { readonly user: string; readonly domain: string } => {
  const at = address.lastIndexOf('@');
  return at < 0
    ? { user: '', domain: '' }
    : { user: address.slice(0, at), domain: address.slice(at + 1).toLowerCase() };
};

export function deliveryFacts(subject: DeliverySubject, isLocal: boolean, nowMs: number): Facts {
  const { recipient, reversePath, origin, route } = subject;
  return {
    client: { address: origin?.clientAddress, port: origin?.clientPort },
    listener: { name: origin?.listener },
    helo: origin?.helo,
    tls: {
      active: origin !== undefined && origin.tlsVersion !== '',
      version: origin?.tlsVersion,
      cipher: origin?.tlsCipher,
    },
    auth: { user: origin?.authenticatedUser },
    sender: { address: reversePath, spelled: reversePath, ...halves(reversePath) },
    recipient: {
      address: recipient,
      spelled: recipient,
      ...halves(recipient),
      routing: isLocal ? 'local' : 'relay',
    },
    message: { size: subject.size, tags: subject.tags },
    route: {
      host: route?.nextHops[0]?.host,
      name: route?.lane,
      class: route === undefined ? '' : classes[route.laneClass],
    },
    delivery: {
      attempt: subject.attempt,
      age: Math.max(0, Math.floor((nowMs - subject.acceptedAtMs) / 1_000)),
    },
    time: { now: new Date(nowMs) },
  };
}

export function withFailure(facts: Facts, result: RecipientResult, attempts: number): Facts {
  return {
    ...facts,
    failure: {
      code: result.replyCode,
      enhanced: result.enhancedCode,
      text: result.replyText,
      host: result.remoteHost,
      attempts,
    },
  };
}
