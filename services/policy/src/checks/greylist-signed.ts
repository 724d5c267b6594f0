/**
 * greylist_signed: greylisting at the end of data, where the domain of a valid DKIM signature can be the origin; for recipients whose settings say
 * `signature` and whose origin SPF did not tell. One outcome for the message, since it has one reply: what holds up one recipient holds up all.
 */
import type { Clock, Timer } from '@postern/clock';
import type { DkimResult } from '@postern/mail-auth';
import { defineCheck } from '../check.js';
import { neighbourhood } from '../network-set.js';
import type { CheckPolicies } from '../snapshot/check-policy.js';
import { domainOf, type Subject } from '../subject.js';
import { askGreylist, greylistOutcomes, waitsForSignature } from './greylist.js';

const mostRecipients = 64;

export const greylistSigned = defineCheck({
  name: 'greylist_signed',
  settings: 'greylist',
  doc: 'Has this signer, or its network, sent from this sender to these recipients before? Same settings as `greylist`.',
  stage: 'body',
  outcomes: greylistOutcomes,
  late: 'unavailable',
  timeoutMs: 500,
  applies: (subject, policy) => concerned(subject, policy).length > 0,
  async evaluate(context, subject, policy) {
    const signatures = await within(context.clock, context.deadlineMs / 2, subject.content?.dkim());
    const origin =
      signerOf(signatures, domainOf(subject.facts.reversePath)) ?? neighbourhood(subject.origin.clientAddress);
    const asked = await Promise.all(
      concerned(subject, policy).map((recipient) => askGreylist(context, subject, { recipient, policy, origin })),
    );
    const outcome = greylistOutcomes.find((one) => asked.some((seen) => seen.outcome === one)) ?? 'exempt';
    return [{ outcome, evidence: asked.find((seen) => seen.outcome === outcome)?.evidence ?? {} }];
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

/** The signer that is the sender's domain, else the first by name: the same whatever order signatures stand in. */
function signerOf(signatures: readonly DkimResult[] | undefined, sender: string): string | undefined {
  const passing = (signatures ?? []).filter(({ result }) => result === 'pass').map(({ domain }) => domain);
  return passing.find((domain) => domain === sender || sender.endsWith(`.${domain}`)) ?? passing.toSorted()[0];
}

/** A key that does not come in time is no signature: the network is the origin, and slow DNS is no way around the greylist. */
async function within<T>(clock: Clock, ms: number, work: Promise<T> | undefined): Promise<T | undefined> {
  let timer: Timer | undefined;
  const over = new Promise<undefined>((resolve) => {
    timer = clock.setTimer(ms, () => resolve(undefined));
  });
  try {
    return await Promise.race([work, over]);
  } finally {
    timer?.cancel();
  }
}
