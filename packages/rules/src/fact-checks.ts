/**
 * Facts that a check of policy finds out, and which. A condition that names one has the check asked where settings leave it off, so that a rule never
 * judges by an empty value that only means nobody looked. Pure data.
 */
import { checkOfFact } from './check-facts.js';
import type { RuleEvent } from './event.js';
import type { FactName } from './fact-table.js';
import type { RuleSet } from './rule-set.js';

const checks: ReadonlyMap<string, string> = new Map(
  Object.entries({
    ptr: 'ptr',
    country: 'country',
    'dnsbl.listed': 'dnsbl',
    'dnsbl.zones': 'dnsbl',
    'dnsbl.texts': 'dnsbl',
    'spf.result': 'spf',
    'dkim.result': 'dkim',
    'dkim.domains': 'dkim',
    'dmarc.result': 'dmarc',
    'dmarc.policy': 'dmarc',
    'arc.result': 'arc',
    'uribl.domains': 'uribl',
    'uribl.zones': 'uribl',
  } satisfies Partial<Record<FactName, string>>),
);

const none: ReadonlySet<string> = new Set();

/** Names of the checks that rules of this event want to know about. */
export function askedChecks(sets: readonly RuleSet[], event: RuleEvent): ReadonlySet<string> {
  const names = sets.flatMap(({ events }) => {
    const rules = events.get(event);
    if (rules === undefined) return [];
    const { general, byRecipientDomain, bySenderDomain } = rules;
    return [general, ...byRecipientDomain.values(), ...bySenderDomain.values()]
      .flat()
      .flatMap(({ rule }) => [...rule.facts])
      .flatMap((fact) => checkOfFact(fact) ?? checks.get(fact) ?? []);
  });
  return names.length === 0 ? none : new Set(names);
}
