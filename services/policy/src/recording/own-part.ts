/** The part of a request and its verdict that concerns one tenant: a recording never tells a tenant about the recipients of another. Pure. */
import type { EvaluateRequest, EvaluateResponse, Finding } from '@postern/proto/policy/v1/policy_service';

/** Undefined = nothing of it is the tenant's. */
export function ownRequest(request: EvaluateRequest, tenant: string): EvaluateRequest | undefined {
  const { facts } = request;
  if (facts === undefined) return undefined;
  const recipients = facts.recipients.filter((recipient) => recipient.tenant === tenant);
  const isSender = facts.submittingTenant === tenant;
  if (!isSender && recipients.length === 0) return undefined;
  if (recipients.length === facts.recipients.length) return request;
  const own = new Set(recipients.map(({ address }) => address));
  return { ...request, facts: { ...facts, recipients, findings: ownFindings(facts.findings, own) } };
}

function ownFindings(findings: readonly Finding[], own: ReadonlySet<string>): Finding[] {
  return findings.filter(({ recipient }) => recipient === '' || own.has(recipient));
}

export function ownVerdict(verdict: EvaluateResponse, request: EvaluateRequest): EvaluateResponse {
  const own = new Set(request.facts?.recipients.map(({ address }) => address));
  return {
    ...verdict,
    recipients: verdict.recipients.filter(({ address }) => own.has(address)),
    findings: ownFindings(verdict.findings, own),
    groups: verdict.groups
      .map((group) => ({ ...group, recipients: group.recipients.filter((address) => own.has(address)) }))
      .filter(({ recipients }) => recipients.length > 0),
  };
}
