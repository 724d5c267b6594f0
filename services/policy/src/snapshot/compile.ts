/**
 * A snapshot made ready for judging: checks with their defaults, domains by name, rules as closures. Done once per change, swapped whole; an
 * evaluation takes the current one at its start and keeps it. Throws where the operator's own rules cannot be used: the old snapshot stays.
 */
import { compileTerms, type SessionTerms } from '@postern/flow-control/session';
import { Checks, type Domain, type NamedNextHop, type Snapshot } from '@postern/proto/config/v1/snapshot';
import { type RuleBook, type RuleCompiler, rightsOf } from '@postern/rules';
import { type StayTogether, stayTogether } from '../apart/stay-together.js';
import type { RecordingBounds } from '../recording/recording-store.js';
import { type OnRefusedSettings, type ScopedPolicies, scopedPolicies } from './check-policy.js';

export interface RecordingInUse extends RecordingBounds {
  /** Those whose sessions are recorded. */
  readonly tenants: ReadonlySet<string>;
  /** Largest content kept. */
  readonly content: number;
}

const recordingOf = ({ recording, tenants }: Snapshot): RecordingInUse => ({
  tenants: new Set(tenants.filter(({ recordsSessions }) => recordsSessions).map(({ name }) => name)),
  sessions: recording?.sessions || 100,
  bytes: recording?.bytes || 16_777_216,
  ageMs: recording?.ageMs || 86_400_000,
  content: recording?.content || 1_048_576,
});

export interface CompiledSnapshot {
  readonly version: number;
  readonly hostname: string;
  readonly policies: ScopedPolicies;
  readonly rules: RuleBook;
  /** Directory entries of users may hold lists. */
  readonly usersSetChecks: boolean;
  readonly recording: RecordingInUse;
  readonly stayTogether: StayTogether;
  /** The settings of checks with those of one scope in place of its own: a domain, a tenant, or, with neither, the operator. */
  policiesTrying(tried: TriedChecks): ScopedPolicies;
  /** What a session would decide by itself; made when a simulation first asks. */
  terms(): SessionTerms;
  /** `name` as lower-case A-label. */
  domain(name: string): Domain | undefined;
  nextHop(name: string): NamedNextHop | undefined;
}

export interface TriedChecks {
  /** '' = the operator's. */
  readonly tenant: string;
  /** A domain of the tenant, as the snapshot spells it; '' = all of the tenant. */
  readonly domain: string;
  /** As JSON. */
  readonly document: string;
}

function withTried(
  { checks, tenants, domains }: Snapshot,
  { tenant, domain, document }: TriedChecks,
): Pick<Snapshot, 'checks' | 'tenants' | 'domains'> {
  if (tenant === '') return { checks: Checks.fromPartial({ ...checks, document }), tenants, domains };
  if (domain === '')
    return {
      checks,
      domains,
      tenants: tenants.map((one) => (one.name === tenant ? { ...one, checks: document } : one)),
    };
  return { checks, tenants, domains: domains.map((one) => (one.name === domain ? { ...one, checks: document } : one)) };
}

export function compileSnapshot(
  snapshot: Snapshot,
  rules: RuleCompiler,
  onRefused: OnRefusedSettings,
): CompiledSnapshot {
  const hops = new Map(snapshot.nextHops.map((hop) => [hop.name, hop]));
  const domains = new Map(snapshot.domains.map((domain) => [domain.name.toLowerCase(), domain]));
  let terms: SessionTerms | undefined;
  return {
    version: snapshot.version,
    hostname: snapshot.hostname,
    policies: scopedPolicies(snapshot, onRefused),
    rules: rules.compile(snapshot.rules, rightsOf(snapshot.tenants)),
    usersSetChecks: snapshot.usersSetChecks,
    recording: recordingOf(snapshot),
    stayTogether: stayTogether(snapshot),
    // What of others' settings is left out has been told when the snapshot came.
    policiesTrying: (tried) => scopedPolicies(withTried(snapshot, tried), () => undefined),
    terms: () => {
      terms ??= compileTerms(snapshot);
      return terms;
    },
    domain: (name) => domains.get(name),
    nextHop: (name) => hops.get(name),
  };
}
