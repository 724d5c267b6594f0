/** State of the cluster as provisioning sees it: what the streams really guarantee, what can be reached, what waits to be published. */
import type { Clock } from '@postern/clock';
import { Snapshot } from '@postern/proto/config/v1/snapshot';
import type {
  DependencyStatus,
  GetStatusRequest,
  GetStatusResponse,
  RefusedFile,
  StreamStatus,
} from '@postern/proto/provisioning/v1/provisioning_service';
import { askStatus, type Bucket, readDurability, type StreamConnection } from '@postern/stream';
import { operatorScope, type WithTenant } from './database/tenant-scope.js';
import type { Forwarding } from './forward.js';
import type { Refusal, RefusalNote } from './operator/refusal.js';
import type { OperatorDocument } from './operator/schema.js';
import { apiMethod } from './resources/api-method.js';
import { settingsNotInEffect } from './resources/check-settings.js';
import { serviceViews, viewsUnknown } from './service-views.js';
import { snapshotKey } from './snapshot/snapshot-publisher.js';

export interface StatusParts {
  readonly withTenant: WithTenant;
  readonly connection: StreamConnection;
  readonly config: Bucket;
  readonly natsMonitors: readonly string[];
  readonly forwarding: Forwarding;
  readonly refusal: RefusalNote;
  /** Fields of the operator file that wait for a new start. */
  readonly postponed: () => readonly string[];
  readonly operator: () => Pick<OperatorDocument, 'checks'>;
  readonly clock: Clock;
  /** Names a question that is asked over NATS. */
  readonly newId: () => string;
}

const askMs = 3_000;

type Answer<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly reason: string };

export function statusMethods(parts: StatusParts) {
  const { withTenant, connection, config, natsMonitors, forwarding, refusal, postponed, operator, clock, newId } =
    parts;
  /** Nothing that is away holds up what can be said. */
  const ask = async <T>(work: Promise<T>): Promise<Answer<T>> => {
    const late = Promise.withResolvers<Answer<T>>();
    const timer = clock.setTimer(askMs, () => late.resolve({ ok: false, reason: `no answer in ${askMs} ms` }));
    const answer = work.then(
      (value): Answer<T> => ({ ok: true, value }),
      (error: unknown): Answer<T> => ({ ok: false, reason: error instanceof Error ? error.message : String(error) }),
    );
    try {
      return await Promise.race([answer, late.promise]);
    } finally {
      timer.cancel();
    }
  };
  const readPending = (): Promise<number> =>
    withTenant(operatorScope, async (tx) => {
      const [row] = await tx.rows<{ n: number }>('SELECT count(*)::int AS n FROM outbox');
      return row?.n ?? 0;
    });
  const readLeftOut = (): Promise<string[]> =>
    withTenant(operatorScope, (tx) => settingsNotInEffect(tx, operator().checks));
  const readVersion = async (): Promise<number> => {
    const value = (await config.get(snapshotKey))?.value;
    return value === undefined ? 0 : Snapshot.decode(value).version;
  };
  return {
    getStatus: apiMethod<GetStatusRequest, GetStatusResponse>('operator', async (_request, caller) => {
      const [pending, version, streams, queue, policy, signs, refused, heard, leftOut] = await Promise.all([
        ask(readPending()),
        ask(readVersion()),
        ask(readDurability(connection, natsMonitors)),
        ask(forwarding.reachable('queue')),
        ask(forwarding.reachable('policy')),
        ask(forwarding.signs(caller)),
        ask(refusal.current()),
        ask(askStatus(connection, newId(), clock)),
        ask(readLeftOut()),
      ]);
      const shown = refused.ok ? refused.value : undefined;
      return {
        snapshotVersion: version.ok ? version.value : 0,
        streams: streams.ok
          ? streams.value.map(
              (report): StreamStatus => ({
                name: report.name,
                replicas: report.replicas,
                replicasCurrent: report.replicasCurrent,
                storage: report.storage,
                sync: report.sync,
                messages: report.messages,
                bytes: report.bytes,
                maxBytes: report.maxBytes,
              }),
            )
          : [],
        dependencies: [
          dependency('database', pending),
          dependency('nats', streams.ok ? version : streams),
          reached('queue', queue),
          reached('policy', policy),
        ],
        outboxPending: pending.ok ? pending.value : 0,
        suspicions: signs.ok ? [...signs.value.suspicions] : [],
        staleRules: signs.ok ? signs.value.staleRules : '',
        services:
          heard.ok && connection.state() === 'connected'
            ? serviceViews(heard.value)
            : viewsUnknown('they are asked through NATS, which is away'),
        postponedFields: [...postponed()],
        settingsNotInEffect: leftOut.ok ? leftOut.value : [],
        refusedOperatorFile: shown === undefined ? undefined : refusedFile(shown, clock),
      };
    }),
  };
}

const refusedFile = ({ problems, atMs }: Refusal, clock: Clock): RefusedFile => ({
  problems: [...problems],
  ageMs: Math.max(0, clock.now() - atMs),
});

function dependency(name: string, answer: Answer<unknown>): DependencyStatus {
  return { name, state: answer.ok ? 'ok' : 'away', detail: answer.ok ? '' : answer.reason };
}

function reached(name: string, answer: Answer<boolean | undefined>): DependencyStatus {
  const up = answer.ok ? answer.value : false;
  if (up === undefined) return { name, state: 'degraded', detail: 'no address is configured' };
  return { name, state: up ? 'ok' : 'away', detail: up ? '' : 'cannot be reached' };
}
