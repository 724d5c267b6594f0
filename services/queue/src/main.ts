/** Reads its configuration, wires the service, runs it until it is told to stop. `main.js rebuild --config FILE` makes rows anew from BODIES. */
import { loadConfig } from '@postern/config';
import { main, runService } from '@postern/lifecycle';
import { startTelemetry } from '@postern/telemetry';
import { queueConfig } from './config.js';
import { queueEvents } from './events.js';
import { wire } from './wire.js';

await main(async () => {
  const config = loadConfig(queueConfig);
  const telemetry = startTelemetry(config.telemetry, 'queue', { events: queueEvents });
  await runService(wire(config, telemetry), telemetry, {
    drainTimeoutMs: config.lifecycle.drainTimeout,
    metricsAddress: config.telemetry.metrics,
  });
});
