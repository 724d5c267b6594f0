/**
 * Runs one check within its time: its own timeout or what is left of the request, whichever ends first. It hears of a little less, so that it
 * concludes with what it knows by then. One that is late all the same or throws has its declared outcome; it goes on alone and nobody waits
 * for it. Supplies metrics and the time taken.
 */
import type { Clock, Timer } from '@postern/clock';
import type { Resolver } from '@postern/dns';
import type { Finding, Stage } from '@postern/proto/policy/v1/policy_service';
import { type CheckDefinition, type CheckName, type Observation, skipped } from './check.js';
import type { CheckTools } from './check-tools.js';
import type { Directory } from './directory/directory.js';
import type { OnHurried } from './hurried-checks.js';
import { patienceOf } from './patience.js';
import type { Replay } from './recording/replay.js';
import type { CheckPolicies } from './snapshot/check-policy.js';
import { domainOf, type Subject } from './subject.js';

export interface CheckObserver {
  observed(check: CheckName, outcome: string, seconds: number): void;
  failed(check: CheckName, error: unknown): void;
  unusable(zone: string, answer: string): void;
  /** Edges wait less long for a verdict than the check may take. */
  readonly hurried: OnHurried;
  /** A recipient was told to come in a transaction of its own; unfinished = there was no time to find out whether it should. */
  apart(because: 'rule' | 'check' | 'both' | 'unfinished'): void;
}

export interface CheckServices {
  readonly resolver: Resolver;
  readonly directory: Directory;
  readonly clock: Clock;
  readonly observer: CheckObserver;
  readonly tools: CheckTools;
  /** A recorded session is judged again: checks about state found this then. */
  readonly replay?: Replay | undefined;
}

export interface CheckResult {
  readonly check: CheckDefinition;
  /** In force for the session, or for the recipient the finding is about. */
  readonly policies: CheckPolicies;
  readonly finding: Finding;
  readonly expandsTo: readonly string[];
}

export interface CheckOrder {
  readonly check: CheckDefinition;
  /** In force for the session, or for the recipient the finding is about. */
  readonly policies: CheckPolicies;
  readonly stage: Stage;
  /** Milliseconds left of the request. */
  readonly remainingMs: number;
  /** Simulation: nothing may be written anywhere. */
  readonly dryRun: boolean;
}

const late = Symbol('late');

export async function runCheck(services: CheckServices, order: CheckOrder, subject: Subject): Promise<CheckResult[]> {
  const { clock, observer } = services;
  const { check, policies } = order;
  const then = services.replay?.found(check.name);
  if (then !== undefined)
    return then.map((finding) => ({
      ...{ check, policies },
      finding: { ...finding, stage: order.stage, rule: '', action: '' },
      expandsTo: services.replay?.expandsTo(finding.recipient) ?? [],
    }));
  const runs = partsOf(order, subject).map(async (part): Promise<CheckResult[]> => {
    const begun = clock.monotonic();
    const observations = await observe(services, order, part);
    const seconds = (clock.monotonic() - begun) / 1_000;
    if (!order.dryRun) for (const { outcome } of observations) observer.observed(check.name, outcome, seconds);
    return observations.map((observation) => ({
      check,
      policies,
      finding: findingOf(check.name, observation, order.stage, Math.round(seconds * 1_000_000)),
      expandsTo: observation.expandsTo ?? [],
    }));
  });
  return runs.length === 1 && runs[0] !== undefined ? runs[0] : (await Promise.all(runs)).flat();
}

/** What is asked with one timeout. */
interface Part {
  readonly subject: Subject;
  /** 0 = the check's own. */
  readonly timeout: number;
}

/** A check that speaks about recipients waits for each as long as the settings of its domain say. */
function partsOf({ check, policies }: CheckOrder, subject: Subject): readonly Part[] {
  const { policies: all } = subject.snapshot;
  const concerned = all.differ ? check.concerns?.(subject) : undefined;
  const byTimeout = new Map<number, Set<string>>();
  for (const address of concerned ?? []) {
    const { timeout } = all.ofDomain(domainOf(address))[check.settings];
    const addresses = byTimeout.get(timeout);
    if (addresses === undefined) byTimeout.set(timeout, new Set([address]));
    else addresses.add(address);
  }
  const [only = policies[check.settings].timeout] = byTimeout.keys();
  if (byTimeout.size <= 1) return [{ subject, timeout: only }];
  return [...byTimeout].map(([timeout, addresses]) => ({ subject: subjectAbout(subject, addresses), timeout }));
}

function subjectAbout(subject: Subject, addresses: ReadonlySet<string>): Subject {
  const { facts, asked } = subject;
  return {
    ...subject,
    facts: { ...facts, recipients: facts.recipients.filter(({ address }) => addresses.has(address)) },
    asked: asked.filter(({ address }) => addresses.has(address)),
  };
}

async function observe(
  { clock, resolver, directory, observer, tools }: CheckServices,
  order: CheckOrder,
  { subject, timeout }: Part,
): Promise<readonly Observation[]> {
  const { check, policies, remainingMs, dryRun } = order;
  const deadlineMs = Math.min(timeout || check.timeoutMs, remainingMs);
  if (deadlineMs <= 0) return fallback(order, subject, 'timeout');
  const own = { deadlineMs: patienceOf(deadlineMs), dryRun, unusable: observer.unusable };
  const context = { resolver, clock, directory, tools, ...own };
  let timer: Timer | undefined;
  try {
    const work = check.evaluate(context, subject, policies);
    // What needs no waiting needs no timer.
    if (!(work instanceof Promise)) return work;
    const over = Promise.withResolvers<typeof late>();
    timer = clock.setTimer(deadlineMs, () => over.resolve(late));
    const ended = await Promise.race([work, over.promise]);
    return ended === late ? fallback(order, subject, 'timeout') : ended;
  } catch (error) {
    observer.failed(check.name, error);
    return fallback(order, subject, 'fault');
  } finally {
    timer?.cancel();
  }
}

/** Of a check of recipients as the settings of each one's domain have it. */
function fallback({ check, policies }: CheckOrder, subject: Subject, reason: string): readonly Observation[] {
  const evidence = { reason };
  return (
    check.concerns?.(subject).map((recipient) => {
      const own = subject.snapshot.policies.ofDomain(domainOf(recipient));
      return { outcome: check.late(own), evidence, recipient };
    }) ?? [{ outcome: check.late(policies), evidence }]
  );
}

export function skippedFinding(check: CheckDefinition, stage: Stage): Finding {
  return findingOf(check.name, { outcome: skipped, evidence: {} }, stage, 0);
}

function findingOf(check: string, observation: Observation, stage: Stage, durationUs: number): Finding {
  const { outcome, evidence, recipient = '' } = observation;
  return { check, outcome, evidence: { ...evidence }, recipient, rule: '', durationUs, stage, action: '' };
}
