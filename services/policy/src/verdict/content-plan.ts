/**
 * What the edge must send at the end of data: the header section, or the whole message (design.md, step 4). The header section always: an
 * Authentication-Results field in our name is removed whoever sends it, a logged-in client included (invariant 8); where it is
 * wanted for that alone, `content-waiver.ts` spares the edge the question for messages without such a field.
 */
import { ContentPlan } from '@postern/proto/policy/v1/policy_service';
import { listsOf } from '../dns-lists/dns-list.js';
import { wishedChecks } from '../forced-checks.js';
import { rulesOf } from '../rules/rule-facts.js';
import type { CheckPolicies } from '../snapshot/check-policy.js';
import { domainOf, type Subject } from '../subject.js';

export interface ContentNeeds {
  readonly dkim: boolean;
  readonly domainkeys: boolean;
  readonly arc: boolean;
  /** Rules or checks look at parts or links. */
  readonly parts: boolean;
}

type ContentCheck = 'greylist' | 'dkim' | 'domainkeys' | 'dmarc' | 'arc' | 'uribl';
type Asking = Pick<Subject, 'isOutsider' | 'snapshot' | 'facts' | 'findings'>;

export function contentPlan(subject: Subject, skips: ReadonlySet<string>): ContentPlan {
  const { dkim, domainkeys, arc, parts } = contentNeeds(subject, skips);
  return dkim || domainkeys || arc || parts ? ContentPlan.BODY : ContentPlan.HEADERS;
}

export function contentNeeds(
  { isOutsider, snapshot, facts, findings }: Asking,
  skips: ReadonlySet<string>,
): ContentNeeds {
  const hasRules =
    snapshot.rules.has('body') &&
    facts.recipients.some((recipient) => rulesOf({ snapshot, facts, findings }, recipient).has('body'));
  const wished = wishedChecks(findings);
  const isNamed = (name: ContentCheck): boolean =>
    snapshot.rules.asks('body').has(name) &&
    facts.recipients.some((recipient) => rulesOf({ snapshot, facts, findings }, recipient).asks('body').has(name));
  const isWished = (name: ContentCheck): boolean => !skips.has(name) && (wished.has(name) || isNamed(name));
  const wishes = {
    dkim: isWished('dkim') || isWished('dmarc'),
    domainkeys: isWished('domainkeys'),
    arc: isWished('arc'),
  };
  if (!isOutsider) return { ...wishes, parts: hasRules || isWished('uribl') };
  const { differ, server } = snapshot.policies;
  const policies: readonly CheckPolicies[] = differ
    ? [server, ...facts.recipients.map(({ address }) => snapshot.policies.ofDomain(domainOf(address)))]
    : [server];
  const asks = (name: ContentCheck): boolean => !skips.has(name) && policies.some((policy) => policy[name].enabled);
  const isListed = asks('uribl') && policies.some(({ uribl }) => uribl.enabled && listsOf(uribl).length > 0);
  return {
    dkim:
      wishes.dkim ||
      asks('dkim') ||
      asks('dmarc') ||
      (asks('greylist') && policies.some(({ greylist }) => greylist.enabled && greylist.signature)),
    domainkeys: wishes.domainkeys || asks('domainkeys'),
    arc: wishes.arc || asks('arc') || policies.some(({ dmarc }) => dmarc.enabled && dmarc.trustedArcSealers.length > 0),
    parts: hasRules || isListed || isWished('uribl'),
  };
}
