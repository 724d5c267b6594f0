/**
 * Brings together what the directory and the next hop say about one recipient: whom the directory does not have and the next hop knows is `forwarded`,
 * and not refused; while the next hop cannot be asked nobody is unknown. A call-forward that was late says nothing about those the directory has.
 */
import type { Finding } from '@postern/proto/policy/v1/policy_service';
import { asked as forFacts } from '../check.js';

const had: ReadonlySet<string> = new Set(['exists', 'tagged', 'expanded', 'catch_all', 'disabled', 'expansion_failed']);

export function settleForwarded(findings: readonly Finding[]): void {
  const asked = findings.filter(({ check, action }) => check === 'callforward' && action !== forFacts);
  if (asked.length === 0) return;
  const listed = new Map(
    findings.flatMap((finding) => (finding.check === 'recipients' ? [[finding.recipient, finding]] : [])),
  );
  for (const finding of asked) {
    const own = listed.get(finding.recipient);
    if (own === undefined) continue;
    if (finding.outcome === 'unavailable' && had.has(own.outcome)) finding.outcome = 'listed';
    else if (finding.outcome === 'known' && own.outcome === 'unknown') own.outcome = 'forwarded';
    else if (finding.outcome === 'unavailable' && own.outcome === 'unknown') own.outcome = 'unavailable';
  }
}
