/** Why a message whose bytes came is not taken: the reply, the reason for log and trace, and what was measured against which limit. */
import type { LimitName, TermsRefusal } from '@postern/flow-control/session';
import { type Reply, replies } from '@postern/smtp-core';
import type { LineViolation } from './smtp/line-policy.js';

export interface Refused extends TermsRefusal {
  readonly kind: 'refused';
}

export const refused = (reply: Reply, reason: string, limit?: LimitName): Refused => ({
  kind: 'refused',
  reply,
  reason,
  ...(limit === undefined ? {} : { limit }),
});

/** What the line policy found, in bytes of a line with at most `maxLine` octets. */
export function refusedLines(violation: LineViolation, maxLine: number): Refused {
  if (violation === 'bareNewline') return refused(replies.bareNewlineData, violation);
  if (violation === 'nul') return refused(replies.nulInData, violation);
  return refused(replies.textLineTooLong(maxLine), violation, 'message_line');
}
