/** Why two recipients have to come apart, in words for the tenant of the later one: of another tenant's rules and settings nothing but that there are any. */
import type { RecipientFacts } from '@postern/proto/policy/v1/policy_service';
import type { ContentChain } from './content-chain.js';

export interface Judged {
  readonly recipient: RecipientFacts;
  readonly chain: ContentChain;
}

interface Named {
  readonly kind: 'rule' | 'check';
  /** undefined = the operator's. */
  readonly tenant: string | undefined;
  readonly name: string;
}

export interface Difference {
  readonly because: 'rule' | 'check' | 'both';
  readonly reason: string;
}

const mostNamed = 5;

/** Of the one, and not of the other. */
function only({ recipient, chain }: Judged, { chain: other }: Judged): Named[] {
  const rules = new Set(other.rules.map(({ key }) => key));
  const checks = new Set(other.checks.map(({ key }) => key));
  return [
    ...chain.rules
      .filter(({ key }) => !rules.has(key))
      .map(({ rule, tenant, target }): Named => {
        return { kind: 'rule', tenant, name: target === '' ? `rule ${rule}` : `rule ${rule} of ${target}` };
      }),
    ...chain.checks
      .filter(({ key }) => !checks.has(key))
      .map(({ check }): Named => ({ kind: 'check', tenant: recipient.tenant, name: `check ${check}` })),
  ];
}

function listed(named: readonly Named[], reader: string): string {
  const told = named.filter(({ tenant }) => tenant === undefined || tenant === reader).map(({ name }) => name);
  const rest = told.length < named.length ? ['rules or checks of another tenant'] : [];
  return [...new Set([...told.slice(0, mostNamed), ...rest])].join(' or ');
}

export function differenceOf(later: Judged, first: Judged): Difference {
  const reader = later.recipient.tenant;
  const [own, others] = [only(later, first), only(first, later)];
  const kinds = new Set([...own, ...others].map(({ kind }) => kind));
  const because = kinds.size > 1 ? 'both' : kinds.has('check') ? 'check' : 'rule';
  const parts = [
    ...(own.length > 0 ? [`${listed(own, reader)} could refuse this copy alone`] : []),
    ...(others.length > 0 ? [`${listed(others, reader)} could refuse the copies before alone`] : []),
  ];
  return { because, reason: parts.length > 0 ? parts.join('; ') : 'the same rules are asked in another order' };
}
