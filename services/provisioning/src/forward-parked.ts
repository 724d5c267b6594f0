/** What queue could not work on: looked at by readers, retried and dropped by administrators, each within the tenant of the key; both are audited. */
import { PosternError } from '@postern/errors';
import type { GrpcClient } from '@postern/grpc';
import type {
  DropParkedRequest,
  DropParkedResponse,
  GetParkedRequest,
  GetParkedResponse,
  ListParkedRequest,
  ListParkedResponse,
  RetryParkedRequest,
  RetryParkedResponse,
} from '@postern/proto/provisioning/v1/provisioning_service';
import type { QueueServiceClient } from '@postern/proto/queue/v1/queue_service';
import type { Caller } from './access.js';
import { audit } from './audit.js';
import type { ForwardParts } from './forward.js';
import { confined, scopeSigner, told } from './forwarded-call.js';
import { apiMethod } from './resources/api-method.js';

const longestReason = 200;

export function parkedMethods(parts: ForwardParts, client: GrpcClient<QueueServiceClient> | undefined) {
  const scopeOf = scopeSigner(parts.scopeKey, parts.clock);
  const queue = (): GrpcClient<QueueServiceClient> => {
    if (client === undefined) throw new PosternError('unimplemented', 'provisioning.queue.address is not configured');
    return client;
  };
  const record = (caller: Caller, method: string, tenant: string, detail: object): Promise<void> =>
    parts.withTenant(caller.scope, (tx) => audit(tx, caller, { tenant, method, resource: 'parked', detail }));
  return {
    listParked: apiMethod<ListParkedRequest, ListParkedResponse>('reader', async (request, caller, { signal }) => {
      const query = confined(caller, request.query ?? { tenant: '', pageSize: 0, pageToken: '' });
      const call = queue().call(queue().rpc.listParked, query, { signal, scope: scopeOf(caller) });
      return { result: await told('queue', call) };
    }),
    getParked: apiMethod<GetParkedRequest, GetParkedResponse>('reader', async (request, caller, { signal }) => {
      const query = confined(caller, request.query);
      const call = queue().call(queue().rpc.getParked, query, { signal, scope: scopeOf(caller) });
      return { result: await told('queue', call) };
    }),
    retryParked: apiMethod<RetryParkedRequest, RetryParkedResponse>('admin', async (request, caller, { signal }) => {
      const query = { ...confined(caller, request.query), actor: caller.keyId };
      const { id, reason } = query;
      const call = queue().call(queue().rpc.retryParked, query, { signal, scope: scopeOf(caller) });
      const result = await told('queue', call);
      await record(caller, 'RetryParked', query.tenant, { id, reason: reason.slice(0, longestReason), ...result });
      return { result };
    }),
    dropParked: apiMethod<DropParkedRequest, DropParkedResponse>('admin', async (request, caller, { signal }) => {
      const query = { ...confined(caller, request.query), actor: caller.keyId };
      const { id, reason, bounce } = query;
      const call = queue().call(queue().rpc.dropParked, query, { signal, scope: scopeOf(caller) });
      const result = await told('queue', call);
      await record(caller, 'DropParked', query.tenant, {
        id,
        reason: reason.slice(0, longestReason),
        bounce,
        ...result,
      });
      return { result };
    }),
  };
}
