/**
 * The shape of every check: it reports what it saw, an outcome of a closed set and evidence, and never decides (style.md 3.4). `late` is
 * the declared fallback: the outcome when time ran out or the check threw. Which action an outcome has is in `refusals.ts` and `actions.ts`.
 */
import type { Clock } from '@postern/clock';
import type { Resolver } from '@postern/dns';
import type { Finding } from '@postern/proto/policy/v1/policy_service';
import type { RuleEvent } from '@postern/rules';
import type { CheckTools } from './check-tools.js';
import type { Directory } from './directory/directory.js';
import type { CheckPolicies } from './snapshot/check-policy.js';
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
  readonly tools: CheckTools;
  /** Milliseconds this check may wait for DNS and others; it has a little more to conclude. */
  readonly deadlineMs: number;
  /** Simulation: nothing may be written anywhere. */
  readonly dryRun: boolean;
  /** A list answered with what no list may answer, or fails its test points. */
  readonly unusable: (zone: string, answer: string) => void;
}

/** Settings of a check; two checks may share them. */
export type SettingsName = keyof CheckPolicies;
export type CheckName = SettingsName | 'lists_from' | 'lists_user' | 'lists_user_from' | 'greylist_signed';

interface Definition<N extends SettingsName, O extends string> {
  readonly name: CheckName;
  readonly settings: N;
  /** One sentence for the reference. */
  readonly doc: string;
  readonly stage: RuleEvent;
  readonly outcomes: readonly O[];
  /** By the settings in force where they say what happens while its source is away. */
  readonly late: O | ((policy: CheckPolicies[N]) => O);
  /** Needs nothing but the request, and leaves nothing behind: may be begun while an earlier stage waits. */
  readonly alone?: true;
  /** Used where the settings name none. */
  readonly timeoutMs: number;
  /** The snapshot asks for it somewhere and the subject has what it needs; `policy` is the one it would run with. */
  readonly applies: (subject: Subject, policy: CheckPolicies[N]) => boolean;
  /** Recipients it speaks about one by one; absent = it speaks about the session or message. */
  readonly concerns?: (subject: Subject) => readonly string[];
  readonly evaluate: (
    context: CheckContext,
    subject: Subject,
    policy: CheckPolicies[N],
  ) => Promise<readonly Observation<O>[]> | readonly Observation<O>[];
}

/** A check among others: it takes its own settings out of all. */
export interface CheckDefinition {
  readonly name: CheckName;
  readonly settings: SettingsName;
  readonly doc: string;
  readonly stage: RuleEvent;
  readonly outcomes: readonly string[];
  readonly late: (policies: CheckPolicies) => string;
  readonly alone?: true;
  readonly timeoutMs: number;
  readonly applies: (subject: Subject, policies: CheckPolicies) => boolean;
  readonly concerns?: (subject: Subject) => readonly string[];
  readonly evaluate: (
    context: CheckContext,
    subject: Subject,
    policies: CheckPolicies,
  ) => Promise<readonly Observation[]> | readonly Observation[];
}

/** The action of a finding made only because a condition names it: it has no consequence. */
export const asked = 'asked';

/** Outcome of a check that a rule skipped. */
export const skipped = 'skipped';

export function defineCheck<const N extends SettingsName, const O extends string>(
  definition: Definition<N, O>,
): CheckDefinition {
  const { settings, late, applies, evaluate } = definition;
  return {
    ...definition,
    late: typeof late === 'function' ? (policies) => late(policies[settings]) : () => late,
    applies: (subject, policies) => applies(subject, policies[settings]),
    evaluate: (context, subject, policies) => evaluate(context, subject, policies[settings]),
  };
}

/** The latest finding of a check, of those about the session or message. */
export function lastFinding(findings: readonly Finding[], check: string): Finding | undefined {
  return findings.findLast((finding) => finding.check === check && finding.recipient === '');
}
