export { failpoint } from './failpoint.js';
export { type Host, processHost, type StopSignal } from './host.js';
export { main } from './main.js';
export { type ProbeOptions, type Probes, type Readiness, serveProbes } from './probes.js';
export { type RunOptions, runService, type Service, type ServiceContext } from './run-service.js';
export { lifecycleEvents, type ServiceState, serviceStates } from './state.js';
export { runWorker, workerNumber } from './workers/run-worker.js';
export { lookEveryMs, WorkerPool, type WorkerPoolOptions } from './workers/worker-pool.js';
export type { WorkerProcess, WorkerState } from './workers/worker-process.js';
