/**
 * The shape of every check: it reports what it saw, an outcome of a closed set and evidence, and never decides (style.md 3.4). `late` is
 * the declared fallback: the outcome when time ran out or the check threw. Which action an outcome has is in `actions.ts`.
 */
import type { Clock } from '@postern/clock';
import type { Resolver } from '@postern/dns';
import type { Finding } from '@postern/proto/policy/v1/policy_service';
import type { RuleEvent } from '@postern/rules';
import type { Directory } from './directory/directory.js';
import type { CheckPolicy } from './snapshot/check-policy.js';
import type { Subject } from './subject.js';

export interface Observation<O extends string = string> {
  readonly outcome: O;
  /** Closed names per check. */
  readonly evidence: Readonly<Record<string, string>>;
  /** The recipient it concerns; absent = the session or message. */
  readonly recipient?: string;
  /** Final addresses of the recipient, where the directory expanded it. */
  readonly expandsTo?: readonly string[];
}

export interface CheckContext {
  readonly resolver: Resolver;
  readonly clock: Clock;
  readonly directory: Directory;
  /** Milliseconds this check has; it need not watch them, but may ask DNS no longer. */
  readonly deadlineMs: number;
  /** A list answered with what no list may answer. */
  readonly unusable: (zone: string, answer: string) => void;
}

export interface CheckDefinition<O extends string = string> {
  readonly name: CheckName;
  /** One sentence for the reference. */
  readonly doc: string;
  readonly stage: RuleEvent;
  readonly outcomes: readonly O[];
  readonly late: O;
  /** Used where the snapshot names none. */
  readonly timeoutMs: number;
  readonly applies: (subject: Subject) => boolean;
  /** Recipients it speaks about one by one; absent = it speaks about the session or message. */
  readonly concerns?: (subject: Subject) => readonly string[];
  readonly evaluate: (
    context: CheckContext,
    subject: Subject,
    policy: CheckPolicy,
  ) => Promise<readonly Observation<O>[]>;
}

export type CheckName = 'dnsbl' | 'spf' | 'recipients' | 'dkim' | 'dmarc';

/** Outcome of a check that a rule skipped. */
export const skipped = 'skipped';

export function defineCheck<const O extends string>(definition: CheckDefinition<O>): CheckDefinition {
  return definition;
}

/** The latest finding of a check, of those about the session or message. */
export function lastFinding(findings: readonly Finding[], check: string): Finding | undefined {
  return findings.findLast((finding) => finding.check === check && finding.recipient === '');
}
