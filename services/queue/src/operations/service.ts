/**
 * QueueService over gRPC: every call carries a signed scope, every statement runs under that scope's row-level security. A request that names a tenant
 * outside the scope is refused; an empty tenant means all the scope allows.
 */
import type { Clock } from '@postern/clock';
import { PosternError } from '@postern/errors';
import { type CallContext, everyTenant, type GrpcServer, unary } from '@postern/grpc';
import {
  type LedgerRequest,
  type LedgerResponse,
  type ListItemsRequest,
  type OperateRequest,
  QueueServiceService,
  type SimulateDeliveryRequest,
  type SummaryRequest,
  type TraceRequest,
} from '@postern/proto/queue/v1/queue_service';
import type { Logger } from '@postern/telemetry';
import type { QueueEvent } from '../events.js';
import { ledgerReport, orphansListed } from '../ledger-report.js';
import type { ParkedParts } from '../parked/parts.js';
import type { PoolWatch } from '../pool-watch.js';
import type { Database } from '../store/database.js';
import type { LevelReader } from '../stream-levels.js';
import { findTraces } from '../trace/timeline.js';
import type { WorkScanner } from '../work-scan.js';
import { listItems } from './list.js';
import { type OperateParts, operate } from './operate.js';
import { parkedMethods } from './parked.js';
import { scopeFor, stored } from './scope.js';
import { type SimulationParts, simulateDelivery } from './simulate-delivery.js';
import { summarize } from './summary.js';

export interface OperationParts {
  readonly clock: Clock;
  readonly database: Database;
  readonly levels: LevelReader;
  readonly scan: WorkScanner;
  readonly pools: Pick<PoolWatch, 'unserved'>;
  readonly log: Logger<QueueEvent>;
  readonly operate: () => OperateParts;
  /** Throws while there is no snapshot yet. */
  readonly policy: () => SimulationParts['policy'];
  readonly parked: () => ParkedParts;
  /** Rows changed: dispatch may have something to do. */
  readonly onOperated: () => void;
}

const tracedStreams = ['SPOOL', 'WORK', 'OUTCOMES', 'TRACE', 'PARKED', 'BODIES'] as const;

export function addQueueService(server: GrpcServer, parts: OperationParts): void {
  const { clock, database } = parts;
  server.add(QueueServiceService, {
    summary: unary((request: SummaryRequest, context) =>
      stored(async () => {
        const scope = scopeFor(context, request.tenant);
        const lanes = await database.scoped(scope, (transaction) =>
          summarize(transaction, request.tenant, clock.now()),
        );
        if (scope !== everyTenant) return { lanes, streams: {}, unservedPools: [] };
        return { lanes, streams: await streamCounts(parts.levels), unservedPools: parts.pools.unserved() };
      }),
    ),
    listItems: unary((request: ListItemsRequest, context) =>
      stored(() =>
        database.scoped(scopeFor(context, request.tenant), (transaction) =>
          listItems(transaction, request, clock.now()),
        ),
      ),
    ),
    operate: unary((request: OperateRequest, context) =>
      stored(async () => {
        const done = await operate(parts.operate(), scopeFor(context, request.tenant), request, clock.now());
        parts.log.info('queue.operation.done', {
          operation: request.operation,
          tenant: request.tenant,
          actor: request.actor,
          reason: request.reason,
          changed: done.changed,
        });
        parts.onOperated();
        return done;
      }),
    ),
    trace: unary((request: TraceRequest, context) =>
      stored(async () => {
        const { id, recipient, reversePath, clientAddress } = request;
        if ([id, recipient, reversePath, clientAddress].every((asked) => asked === ''))
          throw new PosternError('invalid-argument', 'give id, recipient, reverse_path or client_address');
        const scope = scopeFor(context, request.tenant);
        return { messages: await database.scoped(scope, (transaction) => findTraces(transaction, request, scope)) };
      }),
    ),
    simulateDelivery: unary(async (request: SimulateDeliveryRequest, context) => {
      const scope = scopeFor(context, request.tenant);
      const isVisible = (tenant: string): boolean => scope === everyTenant || tenant === scope;
      const foreign = request.candidates.find((rule) => scope !== everyTenant && rule.tenant !== scope);
      if (foreign !== undefined) throw new PosternError('permission-denied', `rule ${foreign.id} is not of ${scope}`);
      return simulateDelivery({ policy: parts.policy(), clock }, request, isVisible);
    }),
    ledger: unary((request: LedgerRequest, context) => stored(() => answerLedger(parts, request, context))),
    ...parkedMethods(parts),
  });
}

async function streamCounts(levels: LevelReader): Promise<Record<string, number>> {
  const counts = await Promise.all(tracedStreams.map(async (name) => [name, (await levels(name)).messages] as const));
  return Object.fromEntries(counts);
}

async function answerLedger(
  parts: OperationParts,
  request: LedgerRequest,
  context: CallContext,
): Promise<LedgerResponse> {
  const scope = scopeFor(context, request.tenant);
  const report = await parts.database.scoped(scope, (transaction) =>
    ledgerReport(transaction, (tenant) => scope === everyTenant || tenant === scope, {
      levels: parts.levels,
      scan: parts.scan,
      nowMs: parts.clock.now(),
      withOrphans: request.withOrphans,
    }),
  );
  return {
    rows: report.rows,
    outcomesInFlight: report.outcomesInFlight,
    streamMessages: report.streamMessages,
    balanced: report.balanced,
    orphans: report.orphans.slice(0, orphansListed).map(({ queueId, recipient, tenant, reply, attempts, at }) => ({
      address: `${queueId} ${recipient}`,
      tenant,
      state: 'open',
      reply,
      attempts,
      atMs: at,
    })),
  };
}
