/** The rules of one event that can match for the domains at hand, in their order: what is filed under another domain is never looked at. */
import { domainForm } from './fact-form.js';
import type { Facts } from './fact-table.js';
import type { EventRules, RankedRule } from './rule-set.js';

const NONE: readonly RankedRule[] = [];

/** General rules and those filed under the domains at hand, merged in the order of their ranks. */
export function candidates(rules: EventRules, facts: Facts): Iterable<RankedRule> {
  const lists = [
    rules.general,
    filed(rules.byRecipientDomain, facts.recipient?.domain),
    filed(rules.bySenderDomain, facts.sender?.domain),
  ].filter(({ length }) => length > 0);
  const [only = NONE] = lists;
  return lists.length < 2 ? only : merged(lists);
}

function* merged(lists: readonly (readonly RankedRule[])[]): Generator<RankedRule> {
  const next = lists.map(() => 0);
  for (;;) {
    let least: RankedRule | undefined;
    let from = 0;
    for (const [index, list] of lists.entries()) {
      const head = list[next[index] ?? 0];
      if (head !== undefined && (least === undefined || head.rank < least.rank)) [least, from] = [head, index];
    }
    if (least === undefined) return;
    next[from] = (next[from] ?? 0) + 1;
    yield least;
  }
}

function filed(index: EventRules['byRecipientDomain'], domain: unknown): readonly RankedRule[] {
  return typeof domain === 'string' && index.size > 0 ? (index.get(domainForm(domain)) ?? NONE) : NONE;
}
