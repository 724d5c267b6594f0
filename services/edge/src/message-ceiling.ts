/**
 * What one message of a session cannot exceed besides the size limit (rows C2 and C4). More than a whole interval's bytes of its address, user or
 * tenant would be put off for ever, so it is refused for good, and so is more than a session may bring (552 5.3.4, RFC 3463 §3.4); what only
 * this session has no room for is welcome in the next one (421). Recipients beyond those of an interval are asked to come with another message (452),
 * not put off for ever. Known at MAIL, asks nobody. Pure.
 */
import type { TermsRefusal } from '@postern/flow-control/session';
import { replies } from '@postern/smtp-core';
import type { MessageBound } from './message-limits.js';

export interface MessageCeiling {
  /** Octets of the message. */
  readonly bytes: number;
  /** Of a message of `size`, which is above. */
  refusal(size: number): TermsRefusal;
}

type Named = Pick<TermsRefusal, 'reason' | 'limit'>;

const ofSessionBytes: Named = { reason: 'session bytes limit', limit: 'bytes_per_session' };

function ofInterval({ scope, whom, bytes, interval }: MessageBound): MessageCeiling {
  const named: Named = { reason: `${scope} bytes limit`, limit: `bytes_per_${scope}` };
  const what = `${whom} may send in ${interval}`;
  return {
    bytes,
    refusal: (size) => ({
      reply: replies.tooBigFor(bytes, what),
      ...named,
      measured: { size: String(size), limit: String(bytes), interval },
    }),
  };
}

/** `already`: bytes the session brought. */
function ofSession(limit: number, already: number): MessageCeiling {
  const bytes = Math.max(0, limit - already);
  return {
    bytes,
    refusal: (size) =>
      size > limit
        ? {
            reply: replies.tooBigFor(limit, 'a session may bring'),
            ...ofSessionBytes,
            measured: { size: String(size), limit: String(limit) },
          }
        : {
            reply: replies.sessionFull,
            ...ofSessionBytes,
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

export interface RecipientCeiling {
  readonly recipients: number;
  readonly refusal: TermsRefusal;
}

/** The lowest of the intervals; undefined = none. */
export function recipientCeiling(bounds: readonly MessageBound[]): RecipientCeiling | undefined {
  let lowest: MessageBound | undefined;
  for (const bound of bounds)
    if (bound.recipients > 0 && bound.recipients < (lowest?.recipients ?? Infinity)) lowest = bound;
  if (lowest === undefined) return undefined;
  const { scope, whom, recipients, interval } = lowest;
  return {
    recipients,
    refusal: {
      reply: replies.tooManyRecipients(`${recipients} recipients in ${interval} from ${whom}`),
      reason: `${scope} recipients limit`,
      measured: { limit: String(recipients), interval },
      limit: `recipients_per_${scope}`,
    },
  };
}
