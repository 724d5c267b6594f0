/**
 * Calls about mail in flight go on to queue and policy, signed with the tenant of the key (design.md, Services). They refuse calls without
 * a scope, and a tenant's scope shows them that tenant only, whatever the request says.
 */
import type { Clock } from '@postern/clock';
import { isPosternError, PosternError } from '@postern/errors';
import { createClient, type GrpcClient } from '@postern/grpc';
import { LimitServiceClient, type ListSuspicionsResponse } from '@postern/proto/policy/v1/limit_service';
import { PolicyServiceClient, type SimulateRequest } from '@postern/proto/policy/v1/policy_service';
import type {
  GetLedgerRequest,
  GetLedgerResponse,
  ListQueueRequest,
  ListQueueResponse,
  OperateQueueRequest,
  OperateQueueResponse,
  QueueSummaryRequest,
  QueueSummaryResponse,
  SimulateSessionRequest,
  SimulateSessionResponse,
  TraceMessageRequest,
  TraceMessageResponse,
} from '@postern/proto/provisioning/v1/provisioning_service';
import { QueueServiceClient } from '@postern/proto/queue/v1/queue_service';
import type { Telemetry } from '@postern/telemetry';
import type { Caller } from './access.js';
import { audit } from './audit.js';
import { operatedOn, operatedResource } from './audit-detail.js';
import type { Transaction, WithTenant } from './database/tenant-scope.js';
import { limitMethods } from './forward-limits.js';
import { parkedMethods } from './forward-parked.js';
import { recordingMethods } from './forward-recordings.js';
import { confined, scopeSigner, told } from './forwarded-call.js';
import { rightsOfTenant } from './operator/file-rules.js';
import type { OperatorDocument } from './operator/schema.js';
import { clientField, invalid } from './request-fields.js';
import { apiMethod } from './resources/api-method.js';
import { readTriedOperatorSettings, readTriedSettings } from './resources/check-settings.js';
import { scopeField } from './resources/tenant-part.js';
import { readRuleDocument } from './rule-document.js';
import { simulatedEnvelope } from './simulated-envelope.js';
import { ruleScope } from './snapshot/compile.js';
import { tellUnverified } from './unverified-domains.js';

export interface ForwardParts {
  readonly withTenant: WithTenant;
  /** The operator settings in effect. */
  readonly operator: () => OperatorDocument;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  /** Absent: the calls are answered `unimplemented`. */
  readonly scopeKey: Buffer | undefined;
  readonly queueAddress: string | undefined;
  readonly policyAddresses: readonly string[];
}

export interface Forwarding {
  readonly methods: ReturnType<typeof forwardMethods> &
    ReturnType<typeof limitMethods> &
    ReturnType<typeof parkedMethods> &
    ReturnType<typeof recordingMethods>;
  /** Whether the callee can be reached now; undefined = it is not configured. */
  reachable(callee: 'queue' | 'policy'): Promise<boolean | undefined>;
  /** What edges suspect of the network, and whether rules are stale; for operators. */
  signs(caller: Caller): Promise<ListSuspicionsResponse>;
  close(): void;
}

const deadlineMs = 15_000;
const probeMs = 1_000;

interface Callees {
  readonly queue: GrpcClient<QueueServiceClient> | undefined;
  readonly policy: GrpcClient<PolicyServiceClient> | undefined;
  readonly limits: GrpcClient<LimitServiceClient> | undefined;
}

/** Rules to try are judged like rules to save, so that a mistake is told in the same words. */
function readCandidates(query: SimulateRequest, operator: OperatorDocument): SimulateRequest {
  const { tenant } = query;
  const candidates = query.candidates.map((rule, index) => {
    const target = scopeField('candidates.target', rule.target);
    if (target !== '' && tenant === '') throw invalid('candidates.target', target, 'no target without a tenant');
    const permitted = rightsOfTenant(operator, tenant);
    const hasAsn = operator.asnDatabase !== undefined;
    const owner = { tenant, scope: target, permitted, hasAsn, field: `candidates[${index}].document` };
    const { document } = readRuleDocument(rule.id, owner, rule.document);
    return {
      ...rule,
      scope: ruleScope(tenant, target),
      tenant,
      target,
      version: Math.max(1, rule.version),
      document: JSON.stringify(document),
    };
  });
  return { ...query, candidates };
}

async function triedChecks(
  { tenant, checks }: SimulateRequest,
  { checks: settings }: OperatorDocument,
  inTransaction: (work: (tx: Transaction) => Promise<string>) => Promise<string>,
): Promise<SimulateRequest['checks']> {
  if (checks === undefined) return undefined;
  const scope = scopeField('checks.scope', checks.scope);
  if (scope.includes('@')) throw invalid('checks.scope', scope, 'a domain: lists of a user are not tried');
  if (scope !== '' && tenant === '') throw invalid('checks.scope', scope, 'no domain without a tenant');
  const { document } = checks;
  if (tenant === '') return { scope, document: readTriedOperatorSettings(document) };
  return { scope, document: await inTransaction((tx) => readTriedSettings(tx, { tenant, scope, document }, settings)) };
}

export function createForwarding(parts: ForwardParts): Forwarding {
  const { telemetry, queueAddress, policyAddresses } = parts;
  const callees: Callees = {
    queue:
      queueAddress === undefined
        ? undefined
        : createClient(QueueServiceClient, {
            address: queueAddress,
            telemetry,
            deadlineMs,
            unavailable: 'store-unavailable',
          }),
    policy:
      policyAddresses.length === 0
        ? undefined
        : createClient(PolicyServiceClient, {
            address: policyAddresses,
            telemetry,
            deadlineMs,
            unavailable: 'policy-unavailable',
          }),
    limits:
      policyAddresses.length === 0
        ? undefined
        : createClient(LimitServiceClient, {
            address: policyAddresses,
            telemetry,
            deadlineMs,
            unavailable: 'policy-unavailable',
          }),
  };
  return {
    methods: {
      ...forwardMethods(parts, callees),
      ...limitMethods(parts, callees.limits),
      ...parkedMethods(parts, callees.queue),
      ...recordingMethods(parts, callees.policy),
    },
    signs: async (caller) => {
      const { limits } = callees;
      if (limits === undefined) return { suspicions: [], staleRules: '' };
      const scope = scopeSigner(parts.scopeKey, parts.clock)(caller);
      return limits.call(limits.rpc.listSuspicions, {}, { scope });
    },
    reachable: async (callee) => {
      const client = callees[callee];
      if (client === undefined) return undefined;
      return new Promise((resolve) => {
        client.rpc.waitForReady(parts.clock.now() + probeMs, (error) => resolve(error === undefined));
      });
    },
    close: () => {
      callees.queue?.close();
      callees.policy?.close();
      callees.limits?.close();
    },
  };
}

function forwardMethods({ withTenant, operator, clock, scopeKey }: ForwardParts, callees: Callees) {
  const scopeOf = scopeSigner(scopeKey, clock);
  const queue = (): GrpcClient<QueueServiceClient> => {
    if (callees.queue === undefined)
      throw new PosternError('unimplemented', 'provisioning.queue.address is not configured');
    return callees.queue;
  };
  const policy = (): GrpcClient<PolicyServiceClient> => {
    if (callees.policy === undefined)
      throw new PosternError('unimplemented', 'provisioning.policy.addresses is not configured');
    return callees.policy;
  };
  return {
    queueSummary: apiMethod<QueueSummaryRequest, QueueSummaryResponse>(
      'reader',
      async (request, caller, { signal }) => {
        const query = confined(caller, request.query ?? { tenant: '' });
        return {
          result: await told('queue', queue().call(queue().rpc.summary, query, { signal, scope: scopeOf(caller) })),
        };
      },
    ),
    listQueue: apiMethod<ListQueueRequest, ListQueueResponse>('reader', async (request, caller, { signal }) => {
      const query = confined(caller, request.query);
      return {
        result: await told('queue', queue().call(queue().rpc.listItems, query, { signal, scope: scopeOf(caller) })),
      };
    }),
    operateQueue: apiMethod<OperateQueueRequest, OperateQueueResponse>('admin', async (request, caller, { signal }) => {
      const query = { ...confined(caller, request.query), actor: caller.keyId };
      const result = await told('queue', queue().call(queue().rpc.operate, query, { signal, scope: scopeOf(caller) }));
      const detail = { ...operatedOn(query), changed: result.changed };
      const resource = operatedResource(query);
      await withTenant(caller.scope, (tx) =>
        audit(tx, caller, { tenant: query.tenant, method: 'OperateQueue', resource, detail }),
      );
      return { result };
    }),
    traceMessage: apiMethod<TraceMessageRequest, TraceMessageResponse>(
      'reader',
      async (request, caller, { signal }) => {
        const asked = confined(caller, request.query);
        const { clientAddress } = asked;
        const query =
          clientAddress === '' ? asked : { ...asked, clientAddress: clientField('client_address', clientAddress) };
        const found = await told('queue', queue().call(queue().rpc.trace, query, { signal, scope: scopeOf(caller) }));
        return { result: await withTenant(caller.scope, (tx) => tellUnverified(tx, found)) };
      },
    ),
    getLedger: apiMethod<GetLedgerRequest, GetLedgerResponse>('reader', async (request, caller, { signal }) => {
      const query = confined(caller, request.query ?? { tenant: '', withOrphans: false });
      return {
        result: await told('queue', queue().call(queue().rpc.ledger, query, { signal, scope: scopeOf(caller) })),
      };
    }),
    simulateSession: apiMethod<SimulateSessionRequest, SimulateSessionResponse>(
      'reader',
      async (request, caller, { signal }) => {
        const asked = readCandidates(confined(caller, request.query), operator());
        const query = {
          ...asked,
          checks: await triedChecks(asked, operator(), (work) => withTenant(caller.scope, work)),
        };
        const options = { signal, scope: scopeOf(caller) };
        const result = await told('policy', policy().call(policy().rpc.simulate, query, options));
        const envelope = query.recorded === '' ? simulatedEnvelope(query, result) : undefined;
        if (envelope === undefined) return { result, deliveries: [], deliveriesUnknown: '' };
        const { tenant, candidates } = query;
        const described = { tenant, envelope, candidates, scene: request.scene };
        try {
          const answer = await told('queue', queue().call(queue().rpc.simulateDelivery, described, options));
          return { result, deliveries: answer.deliveries, deliveriesUnknown: '' };
        } catch (error) {
          // The verdict stands without it.
          if (!isPosternError(error) || error.id === 'invalid-argument') throw error;
          return { result, deliveries: [], deliveriesUnknown: error.detail || error.id };
        }
      },
    ),
  };
}
