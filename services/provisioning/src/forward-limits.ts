/** Limits and bans are in Redis, which policy asks: calls about them go there with the scope of the key. What changes something is audited. */
import { PosternError } from '@postern/errors';
import type { GrpcClient } from '@postern/grpc';
import type { LimitServiceClient } from '@postern/proto/policy/v1/limit_service';
import type {
  AddBanRequest,
  AddBanResponse,
  ClearGreylistRequest,
  ClearGreylistResponse,
  LiftBanRequest,
  LiftBanResponse,
  ListBansRequest,
  ListBansResponse,
  ShowGreylistRequest,
  ShowGreylistResponse,
  ShowLimitsRequest,
  ShowLimitsResponse,
} from '@postern/proto/provisioning/v1/provisioning_service';
import type { Caller } from './access.js';
import { canonical } from './addresses.js';
import { audit } from './audit.js';
import type { WithTenant } from './database/tenant-scope.js';
import type { ForwardParts } from './forward.js';
import { scopeSigner, told } from './forwarded-call.js';
import { required } from './request-fields.js';
import { apiMethod } from './resources/api-method.js';

/** Within what the caller may see. */
export function isUser(withTenant: WithTenant, { scope }: Pick<Caller, 'scope'>, login: string): Promise<boolean> {
  const address = canonical(login);
  if (address === undefined) return Promise.resolve(false);
  return withTenant(scope, async (tx) => {
    const rows = await tx.rows<{ readonly address: string }>('SELECT address FROM users WHERE address = $1', [address]);
    return rows.length > 0;
  });
}

export function limitMethods(parts: ForwardParts, client: GrpcClient<LimitServiceClient> | undefined) {
  const scopeOf = scopeSigner(parts.scopeKey, parts.clock);
  const limits = (): GrpcClient<LimitServiceClient> => {
    if (client === undefined)
      throw new PosternError('unimplemented', 'provisioning.policy.addresses is not configured');
    return client;
  };
  const record = (caller: Caller, method: string, detail: object): Promise<void> =>
    parts.withTenant(caller.scope, (tx) =>
      audit(tx, caller, { tenant: '', method, resource: method.endsWith('Greylist') ? 'greylist' : 'ban', detail }),
    );
  return {
    showLimits: apiMethod<ShowLimitsRequest, ShowLimitsResponse>('reader', async (request, caller, { signal }) => {
      const query = required('query', request.query);
      const call = limits().call(limits().rpc.showLimits, query, { signal, scope: scopeOf(caller) });
      const result = await told('policy', call);
      return {
        result,
        unknownUser: result.kind === 'user' && !(await isUser(parts.withTenant, caller, query.subject)),
      };
    }),
    listBans: apiMethod<ListBansRequest, ListBansResponse>('operator', async (request, caller, { signal }) => {
      const call = limits().call(limits().rpc.listBans, request.query ?? {}, { signal, scope: scopeOf(caller) });
      return { result: await told('policy', call) };
    }),
    addBan: apiMethod<AddBanRequest, AddBanResponse>('operator', async (request, caller, { signal }) => {
      const query = { ...required('query', request.query), actor: caller.keyId };
      const call = limits().call(limits().rpc.addBan, query, { signal, scope: scopeOf(caller) });
      const result = await told('policy', call);
      await record(caller, 'AddBan', {
        client: result.client,
        length_ms: query.lengthMs,
        reason: query.reason.slice(0, 200),
      });
      return { result };
    }),
    showGreylist: apiMethod<ShowGreylistRequest, ShowGreylistResponse>(
      'operator',
      async (request, caller, { signal }) => {
        const query = required('query', request.query);
        const call = limits().call(limits().rpc.showGreylist, query, { signal, scope: scopeOf(caller) });
        return { result: await told('policy', call) };
      },
    ),
    clearGreylist: apiMethod<ClearGreylistRequest, ClearGreylistResponse>(
      'operator',
      async (request, caller, { signal }) => {
        const query = required('query', request.query);
        const call = limits().call(limits().rpc.clearGreylist, query, { signal, scope: scopeOf(caller) });
        const result = await told('policy', call);
        await record(caller, 'ClearGreylist', { ...query, cleared: result.cleared });
        return { result };
      },
    ),
    liftBan: apiMethod<LiftBanRequest, LiftBanResponse>('operator', async (request, caller, { signal }) => {
      const query = required('query', request.query);
      const call = limits().call(limits().rpc.liftBan, query, { signal, scope: scopeOf(caller) });
      const result = await told('policy', call);
      await record(caller, 'LiftBan', { client: result.client, was_banned: result.wasBanned });
      return { result };
    }),
  };
}
