/** Reads its configuration, wires the service, runs it until it is told to stop: alone, as a supervisor of workers, or as one of them. */
import { answersCommand, loadConfig } from '@postern/config';
import { main, runService, runWorker, workerNumber } from '@postern/lifecycle';
import { startTelemetry } from '@postern/telemetry';
import { edgeConfig } from './config.js';
import { edgeEvents } from './events.js';
import { wire } from './wire.js';
import { superviseWorkers } from './workers/supervisor.js';

await main(async () => {
  if (answersCommand(edgeConfig)) return;
  const config = loadConfig(edgeConfig);
  const worker = workerNumber();
  const telemetry = startTelemetry(config.telemetry, 'edge', {
    events: edgeEvents,
    ...(worker === undefined ? {} : { worker }),
  });
  const options = { drainTimeoutMs: config.lifecycle.drainTimeout, metricsAddress: config.telemetry.metrics };
  if (worker !== undefined) await runWorker(wire(config, telemetry), telemetry, options);
  else if (config.edge.workers.max > 1) await superviseWorkers(config, telemetry, options);
  else await runService(wire(config, telemetry), telemetry, options);
});
