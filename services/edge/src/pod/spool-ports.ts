/** Where messages go, and how full and how slow it is: the spool over NATS, with the readings overload is decided by. */
import { createBodyStore } from '@postern/body-store';
import type { Clock } from '@postern/clock';
import { createFillReader, createPublisher, type StreamConnection } from '@postern/stream';
import type { Logger } from '@postern/telemetry';
import type { EdgeLogEvent } from '../events.js';
import { GroupCommit } from '../group-commit.js';
import { collectGarbage } from '../memory-collection.js';
import type { EdgeMetrics } from '../metrics.js';
import { createNatsSpool } from '../nats-spool.js';
import { type OverloadWatch, watchOverload } from '../overload.js';
import type { CompiledSnapshot } from '../snapshot/compile.js';
import type { Spool } from '../spool.js';
import { SpoolLatency } from '../spool-latency.js';

export interface SpoolPortsOptions {
  readonly streams: StreamConnection;
  readonly clock: Clock;
  readonly log: Logger<EdgeLogEvent>;
  readonly metrics: EdgeMetrics;
  readonly snapshot: () => CompiledSnapshot | undefined;
  /** Bodies up to this size travel inside the SPOOL message. */
  readonly inlineLimit: number;
  readonly deadlineMs: number;
  /** Percent of the memory this process may have. */
  readonly memory: () => number;
}

export interface SpoolPorts {
  readonly spool: Spool;
  readonly overload: OverloadWatch;
}

export async function openSpool(options: SpoolPortsOptions): Promise<SpoolPorts> {
  const { streams, clock, log, metrics, snapshot, inlineLimit, deadlineMs, memory } = options;
  const fill = await createFillReader(streams);
  const latency = new SpoolLatency(clock);
  const bodies = await createBodyStore(streams, clock);
  const commits = new GroupCommit({
    publisher: createPublisher(streams, clock),
    clock,
    deadlineMs,
    onWrite: (mails) => metrics.spooledTogether.observe(mails),
  });
  const spool = createNatsSpool({
    bodies,
    commits,
    inlineLimit,
    onCommitted: (seconds, outcome) => metrics.spoolSeconds.with({ outcome }).observe(seconds),
    now: () => clock.monotonic(),
  });
  const overload = watchOverload({
    clock,
    marks: () => snapshot()?.overload,
    spoolLatencyMs: () => latency.read(),
    memory: () => {
      const percent = memory();
      metrics.memory.set(percent / 100);
      return percent;
    },
    // What is damaged has no room for anybody.
    storage: async () => {
      const share = await fill('SPOOL');
      return streams.guard.damage() === undefined ? share : 2;
    },
    collect: collectGarbage,
    onCollected: (seconds) => metrics.collections.observe(seconds),
    onChange: ({ shed, reason }) => {
      metrics.overloaded.set(shed === 'nobody' ? 0 : shed === 'strangers' ? 1 : 2);
      log.warn('edge.overload.changed', { shed, reason: reason || 'over' });
    },
  });
  return { spool: latency.watch(spool), overload };
}
