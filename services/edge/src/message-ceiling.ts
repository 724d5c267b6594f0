/**
 * What one message of a session cannot exceed besides the size limit (rows C2 and C4). More than a whole interval's bytes of its address, user or
 * tenant would be put off for ever, so it is refused for good, and so is more than a session may bring (552 5.3.4, RFC 3463 §3.4); what only
 * this session has no room for is welcome in the next one (421). Known at MAIL, asks nobody. Pure.
 */
import { formatDuration } from '@postern/config';
import type { TermsRefusal } from '@postern/flow-control/session';
import { replies } from '@postern/smtp-core';
import type { MessageBound } from './message-limits.js';

export interface MessageCeiling {
  /** Octets of the message. */
  readonly bytes: number;
  /** Of a message of `size`, which is above. */
  refusal(size: number): TermsRefusal;
}

const owners: Readonly<Record<MessageBound['scope'], string>> = {
  address: 'your address',
  user: 'one user',
  tenant: 'your organisation',
};

const forGood = (limit: number, what: string, reason: string, size: number): TermsRefusal => ({
  reply: replies.tooBigFor(limit, what),
  reason,
  measured: { size: String(size), limit: String(limit) },
});

function ofInterval({ scope, bytes, intervalMs }: MessageBound): MessageCeiling {
  const what = `${owners[scope]} may send in ${formatDuration(intervalMs)}`;
  return { bytes, refusal: (size) => forGood(bytes, what, `${scope} bytes limit`, size) };
}

/** `already`: bytes the session brought. */
function ofSession(limit: number, already: number): MessageCeiling {
  const bytes = Math.max(0, limit - already);
  return {
    bytes,
    refusal: (size) =>
      size > limit
        ? forGood(limit, 'a session may bring', 'session bytes limit', size)
        : {
            reply: replies.sessionFull,
            reason: 'session bytes limit',
            measured: { size: String(size), limit: String(limit), already: String(already) },
          },
  };
}

/** The lowest; what is refused for good before what may come again. Undefined = none. `perSession`: 0 = no limit. */
export function messageCeiling(
  bounds: readonly MessageBound[],
  perSession: number,
  already: number,
): MessageCeiling | undefined {
  let lowest: MessageCeiling | undefined;
  for (const bound of bounds) {
    if (bound.bytes === 0) continue;
    const ceiling = ofInterval(bound);
    if (lowest === undefined || ceiling.bytes < lowest.bytes) lowest = ceiling;
  }
  if (perSession === 0) return lowest;
  const session = ofSession(perSession, already);
  if (lowest === undefined) return session;
  return {
    bytes: Math.min(lowest.bytes, session.bytes),
    refusal: (size) => (size > lowest.bytes ? lowest : session).refusal(size),
  };
}
