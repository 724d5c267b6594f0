/**
 * Whose rule, list or settings a finding came from: what one tenant's say is never told to another, also where one message is for both. A rule names
 * its tenant; a check about one recipient was made with the settings of its domain; one about all with those of who submits, else the operator's.
 */
import type { Finding } from '@postern/proto/policy/v1/policy_service';

export const operatorTenant = 'system';

export function ownerOf(
  { check, evidence, recipient }: Finding,
  submittingTenant: string | undefined,
  tenants: ReadonlyMap<string, string>,
): string {
  if (check === 'rule') return evidence.tenant ?? operatorTenant;
  const submitter = submittingTenant ?? operatorTenant;
  return recipient === '' ? submitter : (tenants.get(recipient) ?? submitter);
}
