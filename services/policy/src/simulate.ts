/**
 * A described session, judged step by step by the same code that judges mail (invariant 10): a verdict for each stage, each seeing what the
 * ones before found. Ends after the stage that refuses. Nothing is stored, counted against a limit, or sent.
 */
import { isIP } from 'node:net';
import { PosternError } from '@postern/errors';
import { findBodyOffset } from '@postern/mail-message';
import { RecipientClass } from '@postern/proto/mail/v1/envelope';
import {
  type EvaluateResponse,
  type Finding,
  type RecipientFacts,
  type SessionFacts,
  type SimulateRequest,
  type SimulateResponse,
  Stage,
} from '@postern/proto/policy/v1/policy_service';
import type { Judge } from './judge.js';
import type { RecordingStore } from './recording/recording-store.js';
import { replaySession } from './recording/replay.js';
import type { CompiledSnapshot } from './snapshot/compile.js';
import { domainOf } from './subject.js';
import { isRefusal } from './verdict/decision.js';

const deadlineMs = 10_000;

function stepsOf({ facts, content }: SimulateRequest): Stage[][] {
  const steps: Stage[][] = [[Stage.CONNECT], [Stage.EHLO]];
  if (facts?.origin !== undefined && facts.origin.authenticatedUser !== '') steps.push([Stage.AUTH]);
  if (facts?.hasReversePath === true) steps.push([Stage.MAIL]);
  if ((facts?.recipients.length ?? 0) > 0) steps.push([Stage.RCPT]);
  if (content.length === 0) return steps;
  const bodyOffset = findBodyOffset(Buffer.from(content));
  steps.push(bodyOffset === -1 || bodyOffset === content.length ? [Stage.HEADERS] : [Stage.HEADERS, Stage.BODY]);
  return steps;
}

const refuses = ({ decision }: EvaluateResponse): boolean => decision !== undefined && isRefusal(decision.action);

/** What the edge would know afterwards: the findings, and the recipients that were taken. */
function after(facts: SessionFacts, verdict: EvaluateResponse): SessionFacts {
  const findings: Finding[] = [...facts.findings, ...verdict.findings];
  if (verdict.recipients.length === 0) return { ...facts, findings };
  const refused = new Set(
    verdict.recipients
      .filter(({ decision }) => decision !== undefined && isRefusal(decision.action))
      .map((r) => r.address),
  );
  const recipients = facts.recipients.filter(({ address }) => !refused.has(address));
  return { ...facts, findings, recipients: recipients.map((recipient) => ({ ...recipient, asked: false })) };
}

/** Recipients as the edge would class them, where the caller did not say. */
function classed(recipient: RecipientFacts, submittingTenant: string, snapshot: CompiledSnapshot): RecipientFacts {
  const domain = snapshot.domain(domainOf(recipient.address));
  const recipientClass =
    recipient.recipientClass === RecipientClass.UNSPECIFIED
      ? domain === undefined
        ? RecipientClass.RELAY
        : RecipientClass.LOCAL
      : recipient.recipientClass;
  return {
    ...recipient,
    recipientClass,
    tenant: recipient.tenant || (domain?.tenant ?? submittingTenant),
    asked: true,
  };
}

/** A tenant sees how its own mail is judged, and learns nothing about the recipients and rules of others. */
function refuseForeign(tenant: string, facts: SessionFacts, snapshot: CompiledSnapshot): void {
  if (tenant === '') return;
  const denied = (what: string): never => {
    throw new PosternError('permission-denied', `${what} is not of tenant ${tenant}`);
  };
  if (facts.submittingTenant !== '' && facts.submittingTenant !== tenant) denied('the submitting tenant');
  for (const { address, tenant: owner } of facts.recipients) {
    const domain = snapshot.domain(domainOf(address));
    if (owner !== tenant || (domain !== undefined && domain.tenant !== tenant)) denied(address);
  }
}

const mostCandidates = 100;

/** The snapshot with the rules that are tried; a tenant tries its own only. */
function withCandidates({ candidates, tenant }: SimulateRequest, snapshot: CompiledSnapshot): CompiledSnapshot {
  if (candidates.length === 0) return snapshot;
  if (candidates.length > mostCandidates) {
    throw new PosternError(
      'invalid-argument',
      `${candidates.length} candidate rules; expected at most ${mostCandidates}`,
    );
  }
  const foreign = candidates.find((rule) => tenant !== '' && (rule.scope === 'server' || rule.tenant !== tenant));
  if (foreign !== undefined)
    throw new PosternError('permission-denied', `rule ${foreign.id} is not of tenant ${tenant}`);
  return { ...snapshot, rules: snapshot.rules.trying(candidates) };
}

export async function simulate(
  judge: Judge,
  request: SimulateRequest,
  inUse: CompiledSnapshot | undefined,
  recordings: RecordingStore,
): Promise<SimulateResponse> {
  if (inUse === undefined) throw new PosternError('policy-unavailable', 'no snapshot yet');
  if (request.recorded !== '') {
    if (request.tenant === '') throw new PosternError('invalid-argument', 'a recording is of a tenant: name it');
    const steps = await recordings.read(request.tenant, request.recorded);
    return replaySession(judge, steps, withCandidates(request, inUse));
  }
  if (request.facts === undefined) throw new PosternError('invalid-argument', 'facts are missing');
  const client = request.facts.origin?.clientAddress ?? '';
  if (isIP(client) === 0)
    throw new PosternError(
      'invalid-argument',
      `client address ${JSON.stringify(client)} is not allowed; expected an IP address`,
    );
  const snapshot = withCandidates(request, inUse);
  const { submittingTenant } = request.facts;
  const stages: EvaluateResponse[] = [];
  let facts: SessionFacts = {
    ...request.facts,
    findings: [],
    recipients: request.facts.recipients.map((recipient) => classed(recipient, submittingTenant, snapshot)),
  };
  refuseForeign(request.tenant, facts, snapshot);
  for (const [index, step] of stepsOf(request).entries()) {
    if (step.includes(Stage.HEADERS) && facts.recipients.length === 0) break;
    const verdict = await judge.evaluate(
      {
        sessionId: 'simulation',
        sequence: index + 1,
        stages: step,
        facts,
        content: step.includes(Stage.HEADERS) ? request.content : Buffer.alloc(0),
        contentSize: request.content.length,
        snapshotVersion: 0,
        traceparent: '',
      },
      deadlineMs,
      snapshot,
    );
    stages.push(verdict);
    if (refuses(verdict)) break;
    facts = after(facts, verdict);
  }
  return { stages, asked: [], recorded: [] };
}
