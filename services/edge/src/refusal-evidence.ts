/**
 * What a refusal rests on, in the words the acceptance of a message has: for each check that decided, that it judges by, or that the deciding rule used,
 * its outcome with the evidence. Only what concerns the refused recipient or the whole message. For the trace, not the log: evidence may name addresses.
 */

import { isAbout, operatorTenant, ownerOf } from '@postern/flow-control/session';
import type { Finding } from '@postern/proto/policy/v1/policy_service';
import type { Reply } from '@postern/smtp-core';
import type { Concerned } from './journal.js';

/** Checks that judge by what others found. */
const restsOn: ReadonlyMap<string, ReadonlySet<string>> = new Map([
  ['dmarc', new Set(['spf', 'dkim', 'arc'])],
  ['greylist_signed', new Set(['dkim'])],
]);
const refusals: ReadonlySet<string> = new Set(['reject', 'tempfail', 'close']);
const mostOutcomes = 10;
const mostText = 500;
/** Recipients a refused message is traced for. */
const mostConcerned = 100;

function told({ outcome, evidence }: Finding): string {
  const text = Object.entries(evidence).map(([name, value]) => `${name}=${value}`);
  return text.length === 0 ? outcome : `${outcome} (${text.join(' ')})`;
}

export interface RefusalFacts {
  /** Check, or rule as `id@version`. */
  readonly decidedBy: string;
  readonly findings: readonly Finding[];
  /** The refused one, or those the message would have been taken for. */
  readonly recipients: readonly { readonly address: string; readonly tenant: string }[];
  readonly submittingTenant: string | undefined;
}

/** The tenant whose rule or settings refused; undefined = the operator's, or nothing of the findings. */
export function refusingTenant({
  decidedBy,
  findings,
  recipients,
  submittingTenant,
}: RefusalFacts): string | undefined {
  const tenants = new Map(recipients.map(({ address, tenant }) => [address, tenant]));
  const named = findings.filter(
    ({ check, rule, recipient }) =>
      (check === decidedBy || (check === 'rule' && rule === decidedBy)) && (recipient === '' || tenants.has(recipient)),
  );
  // Two tenants may have a rule of the same name: it is the one that refused.
  const deciding = named.findLast(({ action }) => refusals.has(action)) ?? named.at(-1);
  const owner = deciding === undefined ? operatorTenant : ownerOf(deciding, submittingTenant, tenants);
  return owner === operatorTenant ? undefined : owner;
}

/** What `tenant` may be told: nothing of other tenants' recipients, rules, lists and settings. */
export function refusalEvidence(
  { decidedBy, findings, recipients, submittingTenant }: RefusalFacts,
  tenant: string,
): Readonly<Record<string, string>> {
  const own = new Map(recipients.filter((one) => one.tenant === tenant).map((one) => [one.address, tenant]));
  const used = findings.filter((finding) => {
    const { check, rule, recipient, outcome } = finding;
    const isBasis = check === decidedBy || rule === decidedBy || restsOn.get(decidedBy)?.has(check) === true;
    // Of a rule that decided its name is told; of one that could not be computed, why.
    if ((check === 'rule' && outcome !== 'failed') || !isBasis) return false;
    if (recipient !== '' && !own.has(recipient)) return false;
    const owner = ownerOf(finding, submittingTenant, own);
    return owner === operatorTenant || owner === tenant;
  });
  const evidence: Record<string, string> = {};
  for (const [check, found] of Map.groupBy(used, (finding) => finding.check))
    evidence[check] = [...new Set(found.map(told))].slice(0, mostOutcomes).join(', ').slice(0, mostText);
  return evidence;
}

/** Who is told of a refused message: of each recipient who submits, else whose rule refused and nobody but it, else the recipient's tenant. */
export function concernedBy(facts: RefusalFacts, reply?: Reply): Concerned[] {
  const { recipients, submittingTenant } = facts;
  const refusing = submittingTenant === undefined ? refusingTenant(facts) : undefined;
  return recipients
    .filter(({ tenant }) => refusing === undefined || tenant === refusing)
    .slice(0, mostConcerned)
    .map((one) => {
      const tenant = submittingTenant ?? one.tenant;
      const evidence = refusalEvidence({ ...facts, recipients: [one] }, tenant);
      const shown =
        reply === undefined || submittingTenant !== undefined ? undefined : shownReply(facts, reply, one.tenant);
      return { recipient: one.address, tenant, evidence, ...(shown === undefined ? {} : { reply: shown }) };
    });
}

/**
 * There may be one reply for all. Where a rule filled its text with facts of a recipient, other tenants read their own text or none; who logged in reads
 * nobody but its tenant. `findings`: of all the recipients the reply was for. Undefined = as it was told.
 */
export function shownReply(
  { decidedBy, findings, recipients, submittingTenant }: RefusalFacts,
  reply: Reply,
  tenant: string,
): Reply | undefined {
  const deciding = findings.filter(({ rule, action }) => rule === decidedBy && refusals.has(action));
  // Rules of a tenant name no login of another one.
  const names = (finding: Finding): boolean => finding.evidence.tenant !== tenant && isAbout(finding, 'submitter');
  if (submittingTenant !== undefined && submittingTenant !== tenant && deciding.some(names))
    return { ...reply, text: 'refused by a rule about who submits the message' };
  const filled = deciding.filter((finding) => isAbout(finding, 'recipient'));
  if (filled.length === 0) return undefined;
  const own = new Set(recipients.filter((one) => one.tenant === tenant).map(({ address }) => address));
  const texts = filled.filter(({ recipient }) => own.has(recipient)).map(({ evidence }) => evidence.text ?? '');
  const line = [reply.text].flat().join('\n');
  if (texts.some((text) => text !== '' && line.includes(text))) return undefined;
  return { ...reply, text: texts[0] ?? 'refused by a rule about another recipient' };
}
