/**
 * greylist_signed: greylisting at the end of data, where the domain of a valid DKIM signature can be the origin; for recipients whose settings say
 * `signature` and whose origin SPF did not tell. One outcome for the message, since it has one reply: what holds up one recipient holds up all. Of
 * recipients that are spared all are asked too, and nobody waits for them.
 */
import type { DkimResult } from '@postern/mail-auth';
import { sparedBy } from '../actions.js';
import { defineCheck } from '../check.js';
import { neighbourhood } from '../network-set.js';
import { within } from '../patience.js';
import { carriedAction } from '../rules/rule-finding.js';
import type { CheckPolicies } from '../snapshot/check-policy.js';
import { domainOf, type Subject } from '../subject.js';
import { askGreylist, greylistOutcomes, waitsForSignature, whenAway } from './greylist.js';

const mostRecipients = 64;

export const greylistSigned = defineCheck({
  name: 'greylist_signed',
  settings: 'greylist',
  doc: 'Has this signer, or its network, sent from this sender to these recipients before? Same settings as `greylist`.',
  stage: 'body',
  outcomes: greylistOutcomes,
  late: whenAway,
  timeoutMs: 500,
  applies: (subject, policy) => concerned(subject, policy).length > 0,
  async evaluate(context, subject, policy) {
    // A key that does not come in time is no signature: the network is the origin, and slow DNS is no way around the greylist.
    const signatures = await within(context.clock, context.deadlineMs / 2, subject.content?.dkim());
    const origin =
      signerOf(signatures, domainOf(subject.facts.reversePath)) ?? neighbourhood(subject.origin.clientAddress);
    const asked = await Promise.all(
      concerned(subject, policy).map((recipient) => askGreylist(context, subject, { recipient, policy, origin })),
    );
    const spared = sparedRecipients(subject);
    const counted = asked.filter(({ recipient = '' }) => !spared.has(recipient));
    const seen = counted.length === 0 ? asked : counted;
    const outcome = greylistOutcomes.find((one) => seen.some((answer) => answer.outcome === one)) ?? 'exempt';
    return [{ outcome, evidence: seen.find((answer) => answer.outcome === outcome)?.evidence ?? {} }];
  },
});

function concerned(subject: Subject, policy: CheckPolicies['greylist']): readonly string[] {
  const { isOutsider, content, facts, snapshot } = subject;
  if (!isOutsider || content === undefined || facts.reversePath === '' || !waitsForSignature(subject, policy))
    return [];
  return facts.recipients
    .map(({ address }) => address)
    .filter((address) => snapshot.policies.ofDomain(domainOf(address)).greylist === policy)
    .slice(0, mostRecipients);
}

/** By rules of their own, or lists. */
function sparedRecipients({ findings }: Subject): ReadonlySet<string> {
  const spared = new Set<string>();
  for (const finding of findings) {
    const action = finding.recipient === '' ? undefined : carriedAction(finding);
    const isRule = action?.kind === 'skip' && action.check.startsWith('greylist');
    if (isRule || [...sparedBy(finding)].includes('greylist')) spared.add(finding.recipient);
  }
  return spared;
}

/** The signer that is the sender's domain, else the first by name: the same whatever order signatures stand in. */
function signerOf(signatures: readonly DkimResult[] | undefined, sender: string): string | undefined {
  const passing = (signatures ?? []).filter(({ result }) => result === 'pass').map(({ domain }) => domain);
  return passing.find((domain) => domain === sender || sender.endsWith(`.${domain}`)) ?? passing.toSorted()[0];
}
