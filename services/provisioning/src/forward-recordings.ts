/** Recorded sessions: the tenant's wish is here, the recordings are in Redis, which policy asks. They hold mail: only administrators read them. */
import { PosternError } from '@postern/errors';
import type { GrpcClient } from '@postern/grpc';
import type { PolicyServiceClient } from '@postern/proto/policy/v1/policy_service';
import type {
  GetSessionRecordingRequest,
  GetSessionRecordingResponse,
  ListSessionRecordingsRequest,
  ListSessionRecordingsResponse,
  SetSessionRecordingRequest,
  SetSessionRecordingResponse,
} from '@postern/proto/provisioning/v1/provisioning_service';
import { tenantOf } from './access.js';
import { audit } from './audit.js';
import type { ForwardParts } from './forward.js';
import { scopeSigner, told } from './forwarded-call.js';
import { required, textField } from './request-fields.js';
import { apiMethod } from './resources/api-method.js';
import { readTenant } from './resources/tenants.js';
import { noteSnapshot } from './snapshot/outbox.js';

export function recordingMethods(parts: ForwardParts, client: GrpcClient<PolicyServiceClient> | undefined) {
  const { withTenant } = parts;
  const scopeOf = scopeSigner(parts.scopeKey, parts.clock);
  const policy = (): GrpcClient<PolicyServiceClient> => {
    if (client === undefined)
      throw new PosternError('unimplemented', 'provisioning.policy.addresses is not configured');
    return client;
  };
  return {
    setSessionRecording: apiMethod<SetSessionRecordingRequest, SetSessionRecordingResponse>(
      'admin',
      ({ tenant: named, on }, caller) => {
        const tenant = tenantOf(caller, named);
        return withTenant(caller.scope, async (tx) => {
          await readTenant(tx, tenant);
          await tx.run('UPDATE tenants SET records_sessions = $2 WHERE name = $1', [tenant, on]);
          await noteSnapshot(tx, tenant);
          await audit(tx, caller, { tenant, method: 'SetSessionRecording', resource: tenant, detail: { on } });
          return { tenant, on };
        });
      },
    ),
    listSessionRecordings: apiMethod<ListSessionRecordingsRequest, ListSessionRecordingsResponse>(
      'admin',
      async (request, caller, { signal }) => {
        const tenant = tenantOf(caller, request.query?.tenant ?? '');
        const on = await withTenant(caller.scope, async (tx) => {
          await readTenant(tx, tenant);
          const [row] = await tx.rows<{ records_sessions: boolean }>(
            'SELECT records_sessions FROM tenants WHERE name = $1',
            [tenant],
          );
          return row?.records_sessions ?? false;
        });
        const call = policy().call(policy().rpc.listRecordings, { tenant }, { signal, scope: scopeOf(caller) });
        return { result: await told('policy', call), on };
      },
    ),
    getSessionRecording: apiMethod<GetSessionRecordingRequest, GetSessionRecordingResponse>(
      'admin',
      async (request, caller, { signal }) => {
        const { tenant: named, sessionId } = required('query', request.query);
        const tenant = tenantOf(caller, named);
        textField('query.session_id', sessionId, /^[0-9A-Za-z]{1,64}$/, 'the id of a session');
        const query = { tenant, sessionId };
        const call = policy().call(policy().rpc.getRecording, query, { signal, scope: scopeOf(caller) });
        const result = await told('policy', call);
        await withTenant(caller.scope, (tx) =>
          audit(tx, caller, { tenant, method: 'GetSessionRecording', resource: sessionId }),
        );
        return { result };
      },
    ),
  };
}
