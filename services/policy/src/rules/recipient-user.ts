/**
 * The user whose mail a recipient is, as the directory told the check `recipients`: without its +tag, behind an alias of one user. Read from the findings, which
 * travel from stage to stage; every finding is looked at once.
 */
import type { Finding } from '@postern/proto/policy/v1/policy_service';

interface Read {
  upTo: number;
  readonly users: Map<string, string>;
}

const read = new WeakMap<readonly Finding[], Read>();

export function userBehind(findings: readonly Finding[], address: string): string | undefined {
  const known = read.get(findings) ?? { upTo: 0, users: new Map<string, string>() };
  for (; known.upTo < findings.length; known.upTo += 1) {
    const finding = findings[known.upTo];
    if (finding?.check === 'recipients' && finding.evidence.user !== undefined)
      known.users.set(finding.recipient, finding.evidence.user);
  }
  read.set(findings, known);
  return known.users.get(address);
}
