/**
 * Everything a session tells the world goes through here once: log, metric and trace see the same event with the same facts.
 * Names are dotted and past tense; details have closed names. Never a password, never message content.
 */
import type { LimitName, RefusingLimit } from '@postern/flow-control/session';
import type { Reply } from '@postern/smtp-core';
import type { Ending } from './abort-reason.js';
import type { Session } from './session.js';

export type EdgeEventName =
  | 'edge.session.opened'
  | 'edge.session.refused'
  | 'edge.session.closed'
  | 'edge.session.aborted'
  | 'edge.session.forwarded'
  | 'edge.proxy.refused'
  | 'edge.tls.established'
  | 'edge.tls.failed'
  | 'edge.certificate.disregarded'
  | 'edge.login.succeeded'
  | 'edge.login.refused'
  | 'edge.login.unavailable'
  | 'edge.command.rejected'
  | 'edge.sender.rejected'
  | 'edge.recipient.accepted'
  | 'edge.recipient.rejected'
  | 'edge.message.accepted'
  | 'edge.message.rejected'
  | 'edge.message.uncertain'
  | 'edge.refusals.untold'
  | 'edge.answer.delayed'
  | 'edge.policy.bypassed'
  | 'edge.rule.failed'
  | 'edge.rule.unfinished';

export interface EdgeEventFacts {
  readonly queueId?: string;
  readonly tenant?: string;
  readonly reversePath?: string;
  readonly recipient?: string;
  readonly reply?: Reply;
  /** As the tenant may read it that is told, where what the client heard names somebody of another one. */
  readonly shownReply?: Reply | undefined;
  /** Closed names: reason, rule, command, mechanism, user, size, limit, recipients, cipher, duration_ms, decided_by. */
  readonly detail?: Readonly<Record<string, string>>;
  /** Of a session we ended, where it was no limit. */
  readonly ending?: Ending;
  /** Of a session we ended: the limit that was passed, also where what it refused was told and counted before. */
  readonly passed?: LimitName | undefined;
  /** The limit that refused, where it was one; counted. */
  readonly limit?: RefusingLimit;
  /** What the checks found that decided, by name of the check; for the trace only, it may name addresses. */
  readonly evidence?: Readonly<Record<string, string>>;
  /** Nobody was told anything and nothing more is known: for log and metric only. Health checks come every second. */
  readonly untraced?: true;
  /** Of an event of several recipients: whom it concerns. The trace has an event for each, so that each tenant finds its own. */
  readonly each?: readonly Concerned[];
}

export interface Concerned {
  readonly recipient: string;
  readonly tenant: string;
  readonly evidence: Readonly<Record<string, string>>;
  /** As this tenant may read it, where what the client was told names somebody of another one. */
  readonly reply?: Reply;
}

export interface Journal {
  record(event: EdgeEventName, session: Session, facts?: EdgeEventFacts): void;
}
