/**
 * A pod of several processes: between `workers.min` and `workers.max` of them share the listeners' ports (SO_REUSEPORT: the kernel spreads new
 * connections), each a whole edge with its own incarnation in the limits, so that a dead one's share is reclaimed as a dead pod's is. This
 * process accepts no mail: it starts, counts and replaces them, answers the one /metrics and /readyz, and passes a drain on.
 */
import { getHeapStatistics } from 'node:v8';
import { systemClock, type Timer } from '@postern/clock';
import {
  type Host,
  lookEveryMs,
  processHost,
  type RunOptions,
  runService,
  type Service,
  WorkerPool,
  type WorkerProcess,
} from '@postern/lifecycle';
import type { Telemetry } from '@postern/telemetry';
import type { EdgeConfig } from '../config.js';
import type { EdgeLogEvent } from '../events.js';
import { edgeWorkerMetrics, workerStates } from './worker-metrics.js';
import { WorkerScale } from './worker-scale.js';

const mebibyte = 1_048_576;
const leastHeapMiB = 192;
/** What workers take to release what they hold after their drain. */
const releaseMs = 8_000;

/** Workers share the memory one process would have had. */
function heapOption(workers: number): string {
  const share = Math.floor(getHeapStatistics().heap_size_limit / mebibyte / workers);
  return `--max-old-space-size=${Math.max(leastHeapMiB, share)}`;
}

const round = (share: number): number => Math.round(share * 1_000) / 1_000;

/** A row of /workers, as posternctl reads it. */
function describe({ number, pid, state }: WorkerProcess): object {
  if (state.kind !== 'running') return { number, pid, state: state.kind, ready: false };
  const { utilisation, reasons } = state;
  return { number, pid, state: state.kind, ready: reasons.length === 0, reasons, load: round(utilisation) };
}

/** Resolves with the exit code of the pod. */
export function superviseWorkers(
  config: EdgeConfig,
  telemetry: Telemetry<EdgeLogEvent>,
  options: RunOptions,
): Promise<number> {
  const { log } = telemetry;
  const { workers: settings } = config.edge;
  const clock = systemClock;
  const metrics = edgeWorkerMetrics(telemetry.metrics);
  const hung = new Set<WorkerProcess>();
  const pool = new WorkerPool({
    nodeOptions: [heapOption(settings.max)],
    metrics: telemetry.metrics,
    drainTimeoutMs: config.lifecycle.drainTimeout,
    onStarted: ({ number, pid }) => log.info('edge.worker.started', { number, pid }),
    onEnded: (worker, how, wanted) => {
      metrics.ended.with({ cause: hung.delete(worker) ? 'hung' : wanted ? 'told' : 'itself' }).inc();
      log[wanted ? 'info' : 'error']('edge.worker.ended', { number: worker.number, pid: worker.pid, how, wanted });
    },
    onHung: (worker) => {
      hung.add(worker);
      log.error('edge.worker.hung', { number: worker.number, pid: worker.pid });
    },
  });
  const scale = new WorkerScale({
    min: settings.min,
    max: settings.max,
    growAt: settings.growAt,
    shrinkAt: settings.shrinkAt,
    growAfterMs: settings.growAfter,
    shrinkAfterMs: settings.shrinkAfter,
  });
  let timer: Timer | undefined;

  const look = (): void => {
    const states = pool.workers.map(({ state }) => state);
    for (const kind of workerStates)
      metrics.workers.with({ state: kind }).set(states.filter((state) => state.kind === kind).length);
    const loads = states.flatMap((state) => (state.kind === 'running' ? [state.utilisation] : []));
    const load = loads.length === 0 ? 0 : loads.reduce((sum, one) => sum + one, 0) / loads.length;
    metrics.load.set(load);
    const wanted = scale.judge(clock.monotonic(), pool.wanted, loads);
    if (wanted === pool.wanted) return;
    log.info('edge.workers.resized', { from: pool.wanted, to: wanted, load: round(load) });
    pool.resize(wanted);
  };

  const service: Service = {
    name: 'edge',
    async start({ signal }) {
      // A stop that is asked for later drains; the signal of the start is aborted then too.
      const giveUp = (): void => pool.kill();
      signal.addEventListener('abort', giveUp);
      await pool.start(settings.min);
      signal.removeEventListener('abort', giveUp);
      timer = clock.setInterval(lookEveryMs, look, { unref: true });
    },
    async drain() {
      timer?.cancel();
      await pool.drain();
    },
    async stop() {
      timer?.cancel();
      pool.kill();
    },
    /** The pod takes mail as long as one of them does. */
    ready() {
      const states = pool.workers.flatMap(({ number, state }) =>
        state.kind === 'running' ? [{ number, ...state }] : [],
      );
      if (states.some(({ reasons }) => reasons.length === 0)) return { ok: true, reasons: [] };
      if (states.length === 0) return { ok: false, reasons: ['no worker serves'] };
      return {
        ok: false,
        reasons: states.flatMap(({ number, reasons }) => reasons.map((reason) => `worker ${number}: ${reason}`)),
      };
    },
  };
  const host: Host = {
    ...processHost,
    // Whatever ends this process in a hurry ends its workers too: nobody would count or replace them.
    exit(code) {
      pool.kill();
      processHost.exit(code);
    },
  };
  return runService(service, telemetry, {
    ...options,
    drainTimeoutMs: options.drainTimeoutMs + releaseMs,
    metrics: pool,
    workers: () => pool.workers.map(describe),
    host,
  });
}
