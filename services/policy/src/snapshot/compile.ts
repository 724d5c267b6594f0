/**
 * A snapshot made ready for judging: checks with their defaults, domains by name, rules as closures. Done once per change, swapped whole; an
 * evaluation takes the current one at its start and keeps it. Throws where the operator's own rules cannot be used: the old snapshot stays.
 */
import type { Domain, Snapshot } from '@postern/proto/config/v1/snapshot';
import { type CheckPolicies, checkPolicies } from './check-policy.js';
import type { RuleBook, RuleCompiler } from './rule-book.js';

export interface CompiledSnapshot {
  readonly version: number;
  readonly hostname: string;
  readonly checks: CheckPolicies;
  readonly rules: RuleBook;
  readonly dnsServers: readonly string[];
  /** `name` as lower-case A-label. */
  domain(name: string): Domain | undefined;
}

export function compileSnapshot(snapshot: Snapshot, rules: RuleCompiler): CompiledSnapshot {
  const domains = new Map(snapshot.domains.map((domain) => [domain.name.toLowerCase(), domain]));
  return {
    version: snapshot.version,
    hostname: snapshot.hostname,
    checks: checkPolicies(snapshot.checks),
    rules: rules.compile(snapshot.rules),
    dnsServers: snapshot.dns?.servers ?? [],
    domain: (name) => domains.get(name),
  };
}
