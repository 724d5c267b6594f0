/** Metrics of the supervisor of a pod with several workers; everything else of the pod is the sum of what its workers count. */
import type { Metrics } from '@postern/telemetry';

const states = ['starting', 'running', 'draining'] as const;

export const edgeWorkerMetrics = (metrics: Metrics) => ({
  workers: metrics.gauge({
    name: 'postern_edge_worker_processes',
    help: 'Worker processes of this pod by state; none where a pod is one process.',
    labels: { state: states },
  }),
  load: metrics.gauge({
    name: 'postern_edge_worker_load_ratio',
    help: 'Share of the last second that the event loops of the workers were busy, on average; what their number goes by.',
  }),
  ended: metrics.counter({
    name: 'postern_edge_worker_ends_total',
    help: 'Workers that ended by what made them: told to, by themselves, or hung.',
    labels: { cause: ['told', 'itself', 'hung'] },
  }),
});

export const workerStates = states;
