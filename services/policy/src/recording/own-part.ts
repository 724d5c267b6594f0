/**
 * The part of a request and its verdict that concerns one tenant. Kept is what a session needs to be judged again: all but the recipients of others.
 * Shown is less: nothing of the rules, lists and settings of another tenant that submits, nor who logged in there. As message trace has it. Pure.
 */
import { isAbout, operatorTenant, ownerOf, withoutTexts } from '@postern/flow-control/session';
import type { HeaderEdit } from '@postern/proto/mail/v1/envelope';
import type {
  Decision,
  EvaluateRequest,
  EvaluateResponse,
  Finding,
  RecipientFacts,
  RecipientGroup,
  RecordedStep,
  SessionFacts,
  SimulatedReply,
  SimulateResponse,
} from '@postern/proto/policy/v1/policy_service';
import { actionName, isRefusal } from '../verdict/decision.js';

/** Undefined = nothing of it is the tenant's. */
export function ownRequest(
  request: EvaluateRequest,
  tenant: string,
  verdict?: EvaluateResponse,
): EvaluateRequest | undefined {
  const { facts } = request;
  if (facts === undefined) return undefined;
  const recipients = facts.recipients.filter((recipient) => recipient.tenant === tenant);
  const isSender = facts.submittingTenant === tenant;
  if (!isSender && recipients.length === 0) return undefined;
  if (recipients.length === facts.recipients.length) return request;
  const own = new Set(recipients.map(({ address }) => address));
  const othersBefore = placesOfOthers(facts.recipients, tenant, verdict);
  return { ...request, facts: { ...facts, recipients, findings: ownFindings(facts.findings, own), othersBefore } };
}

/** Where the others stood, for facts that count: before each of the tenant's, and all of them. */
function placesOfOthers(all: readonly RecipientFacts[], tenant: string, verdict?: EvaluateResponse): number[] {
  const refused = new Set(
    verdict?.recipients.flatMap(({ address, decision: said }) =>
      said !== undefined && isRefusal(said.action) ? [address] : [],
    ),
  );
  const places: number[] = [];
  let others = 0;
  for (const one of all)
    if (one.tenant === tenant) places.push(others);
    else if (!refused.has(one.address)) others += 1;
  return [...places, others];
}

function ownFindings(findings: readonly Finding[], own: ReadonlySet<string>): Finding[] {
  return findings.filter(({ recipient }) => recipient === '' || own.has(recipient));
}

/** A text filled with facts of a recipient is told of those at hand alone: as one of them has it, or not at all. */
function withOwnText(
  decided: Decision | undefined,
  all: readonly Finding[],
  own: ReadonlySet<string>,
): Decision | undefined {
  if (decided === undefined || decided.text === '') return decided;
  const action = actionName(decided.action);
  const filled = all.filter(
    (finding) => finding.action === action && isOf(decided.decidedBy, finding) && isAbout(finding, 'recipient'),
  );
  if (filled.length === 0) return decided;
  const texts = filled.filter(({ recipient }) => own.has(recipient)).map(textOf);
  return texts.includes(decided.text) ? decided : { ...decided, text: texts[0] ?? '' };
}

const textOf = ({ evidence }: Finding): string => evidence.text ?? evidence.reason ?? '';

/** `before`: of all recipients, where the request has some. */
export function ownVerdict(
  verdict: EvaluateResponse,
  request: EvaluateRequest,
  before = request.facts,
): EvaluateResponse {
  const own = new Set(request.facts?.recipients.map(({ address }) => address));
  const all = [...(before?.findings ?? []), ...verdict.findings];
  return {
    ...verdict,
    decision: withOwnText(verdict.decision, all, own),
    recipients: verdict.recipients.filter(({ address }) => own.has(address)),
    findings: ownFindings(verdict.findings, own),
    groups: verdict.groups
      .map((group) => ({ ...group, recipients: group.recipients.filter((address) => own.has(address)) }))
      .filter(({ recipients }) => recipients.length > 0),
  };
}

/** Who logged in stands in its texts. Rules of the tenant that reads cannot tell it. */
const tellsLogin = (finding: Finding, reader: string): boolean =>
  isAbout(finding, 'submitter') && finding.evidence.tenant !== reader;

const withoutLogin = (finding: Finding, reader: string): Finding =>
  tellsLogin(finding, reader) ? { ...finding, evidence: withoutTexts(finding.evidence) } : finding;

/** Names of the fields that say who logged in. */
const fieldsWithLogin = (findings: readonly Finding[], reader: string): ReadonlySet<string> =>
  new Set(
    findings.filter((finding) => tellsLogin(finding, reader)).map(({ evidence }) => evidence.name?.toLowerCase() ?? ''),
  );

interface Seen {
  /** Another tenant submits it. */
  readonly isOther: boolean;
  isOwn(finding: Finding): boolean;
  /** Of the findings at hand. */
  decision(findings: readonly Finding[], decided: Decision | undefined): Decision | undefined;
}

const isOf = (name: string, { check, rule }: Finding): boolean => (check === 'rule' ? rule === name : check === name);

function seenBy(tenant: string, { submittingTenant, recipients }: SessionFacts): Seen {
  const tenants = new Map(recipients.map((recipient) => [recipient.address, recipient.tenant]));
  const isOwn = (finding: Finding): boolean => {
    const owner = ownerOf(finding, submittingTenant === '' ? undefined : submittingTenant, tenants);
    return owner === operatorTenant || owner === tenant;
  };
  const isOther = submittingTenant !== '' && submittingTenant !== tenant;
  return {
    isOther,
    isOwn,
    decision(findings, decided) {
      if (decided === undefined) return decided;
      // Two tenants may have a rule of the same name: in doubt it is the other's.
      const action = actionName(decided.action);
      const deciding = findings.filter((finding) => finding.action === action && isOf(decided.decidedBy, finding));
      if (deciding.every(isOwn)) {
        const names = isOther && deciding.some((finding) => tellsLogin(finding, tenant));
        return names ? { ...decided, text: '' } : decided;
      }
      // The client was told the words of a refusal; why mail was kept apart was told to nobody.
      return { ...decided, decidedBy: 'verdict', text: isRefusal(decided.action) ? decided.text : '' };
    },
  };
}

export function shownVerdict(verdict: EvaluateResponse, facts: SessionFacts, tenant: string): EvaluateResponse {
  const { isOwn, isOther, decision } = seenBy(tenant, facts);
  const all = [...facts.findings, ...verdict.findings];
  const hiddenTags = new Set(
    all.flatMap((finding) => (finding.action === 'tag' && !isOwn(finding) ? [finding.evidence.name ?? ''] : [])),
  );
  const hiddenFields = isOther ? fieldsWithLogin(all, tenant) : new Set<string>();
  const shownEdit = (edit: HeaderEdit): HeaderEdit =>
    hiddenFields.has(edit.name.toLowerCase()) ? { ...edit, value: '', behind: '' } : edit;
  const group = (one: RecipientGroup): RecipientGroup => ({
    ...one,
    decision: decision(all, one.decision),
    rendering:
      one.rendering === undefined
        ? undefined
        : {
            ...one.rendering,
            edits: one.rendering.edits.map(shownEdit),
            tags: one.rendering.tags.filter((tag) => !hiddenTags.has(tag)),
          },
  });
  return {
    ...verdict,
    decision: decision(all, verdict.decision),
    recipients: verdict.recipients.map((one) => ({ ...one, decision: decision(all, one.decision) })),
    findings: verdict.findings.filter(isOwn).map((finding) => (isOther ? withoutLogin(finding, tenant) : finding)),
    groups: verdict.groups.map(group),
  };
}

/** A simulated session of mail the tenant submits, or receives: where other tenants are among the recipients, nothing of theirs. */
export function shownSimulation(told: SimulateResponse, facts: SessionFacts, tenant: string): SimulateResponse {
  const foreign = new Set(facts.recipients.flatMap((one) => (one.tenant === tenant ? [] : [one.address])));
  if (foreign.size === 0) return told;
  const { isOwn } = seenBy(tenant, facts);
  const isForeign = ({ decidedBy, recipient }: SimulatedReply): boolean =>
    facts.findings.some(
      (finding) =>
        isOf(decidedBy, finding) && !isOwn(finding) && (finding.recipient === '' || finding.recipient === recipient),
    );
  return {
    ...told,
    stages: told.stages.map((verdict) => {
      const shown = shownVerdict(verdict, facts, tenant);
      return {
        ...shown,
        recipients: shown.recipients.map((one) => (foreign.has(one.address) ? { ...one, expandsTo: [] } : one)),
      };
    }),
    replies: told.replies.map((reply) => (isForeign(reply) ? { ...reply, decidedBy: 'verdict' } : reply)),
  };
}

/** A kept step as the tenant may read it. */
export function shownStep(step: RecordedStep, tenant: string): RecordedStep {
  const { request, verdict } = step;
  const facts = request?.facts;
  if (request === undefined || facts === undefined) return step;
  const { isOwn, isOther } = seenBy(tenant, facts);
  const shown = { ...facts, findings: facts.findings.filter(isOwn), othersBefore: [] };
  const { origin } = facts;
  const others = {
    ...{ submittingTenant: '', authMechanism: '', clientCertificate: undefined },
    origin: origin === undefined ? undefined : { ...origin, authenticatedUser: '' },
  };
  const foreign = { ...shown, ...others, findings: shown.findings.map((finding) => withoutLogin(finding, tenant)) };
  return {
    ...step,
    request: { ...request, facts: isOther ? foreign : shown },
    verdict: verdict === undefined ? undefined : shownVerdict(verdict, facts, tenant),
  };
}
