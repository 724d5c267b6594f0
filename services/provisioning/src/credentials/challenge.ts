/**
 * Challenge material for SCRAM-SHA-256. An unknown user gets a salt derived from the name under the cluster's key: the same one every time
 * and on every pod, so that asking does not tell who exists (RFC 5802 §9 leaves it to us).
 */
import type { GetChallengeRequest, GetChallengeResponse } from '@postern/proto/directory/v1/credential_service';
import { canonical } from '../addresses.js';
import { operatorScope, type WithTenant } from '../database/tenant-scope.js';
import type { Sealer } from '../secrets/seal.js';
import { isScram, readScramVerifier, scramIterations } from './password.js';

const saltBytes = 16;

export function createChallenges(parts: {
  readonly withTenant: WithTenant;
  readonly sealer: Sealer;
}): (request: GetChallengeRequest) => Promise<GetChallengeResponse> {
  return async ({ username, mechanism }) => {
    if (!isScram(mechanism)) return { salt: Buffer.alloc(0), iterations: 0, available: false };
    const address = canonical(username);
    const rows = await parts.withTenant(operatorScope, (tx) =>
      tx.rows<{ scram: string | null }>('SELECT scram FROM users WHERE address = $1', [address ?? '']),
    );
    const verifier = readScramVerifier(rows[0]?.scram ?? '');
    if (verifier !== undefined) return { salt: verifier.salt, iterations: verifier.iterations, available: true };
    const salt = parts.sealer.digest('scram-fake-salt', address ?? username).subarray(0, saltBytes);
    return { salt, iterations: scramIterations, available: true };
  };
}
