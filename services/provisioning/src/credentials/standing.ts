/**
 * Could this login be used now? Asked of one that a trusted filter names by XCLIENT: who it is has been proved there, whether it may still send is known
 * here. Nothing is proved by the answer, so nothing else may ask: a scope of the edge is needed, as for all of this service.
 */
import type { Clock } from '@postern/clock';
import type { GetStandingRequest, GetStandingResponse } from '@postern/proto/directory/v1/credential_service';
import { canonical } from '../addresses.js';
import { operatorScope, type WithTenant } from '../database/tenant-scope.js';

interface StandingRow {
  readonly tenant: string;
  readonly disabled: boolean;
  readonly expires_at: Date | null;
  readonly tenant_state: string;
}

function faultOf(row: StandingRow, now: number): string {
  if (row.disabled) return 'disabled';
  if (row.expires_at !== null && row.expires_at.getTime() <= now) return 'expired';
  return row.tenant_state === 'active' ? '' : 'tenant suspended';
}

export function createStanding(parts: {
  readonly withTenant: WithTenant;
  readonly clock: Clock;
}): (request: GetStandingRequest) => Promise<GetStandingResponse> {
  const unusable = (reason: string, known: boolean): GetStandingResponse => ({
    usable: false,
    authenticatedUser: '',
    tenant: '',
    reason,
    known,
  });
  return async ({ username }) => {
    const address = canonical(username);
    if (address === undefined) return unusable('unknown user', false);
    const [row] = await parts.withTenant(operatorScope, (tx) =>
      tx.rows<StandingRow>(
        `SELECT u.tenant, u.disabled, u.expires_at, t.state AS tenant_state
         FROM users u JOIN tenants t ON t.name = u.tenant WHERE u.address = $1`,
        [address],
      ),
    );
    if (row === undefined) return unusable('unknown user', false);
    const reason = faultOf(row, parts.clock.now());
    return reason === ''
      ? { usable: true, authenticatedUser: address, tenant: row.tenant, reason, known: true }
      : unusable(reason, true);
  };
}
