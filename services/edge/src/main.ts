/** Reads its configuration, wires the service, runs it until it is told to stop. */
import { loadConfig, printsConfig } from '@postern/config';
import { main, runService } from '@postern/lifecycle';
import { startTelemetry } from '@postern/telemetry';
import { edgeConfig } from './config.js';
import { edgeEvents } from './events.js';
import { wire } from './wire.js';

await main(async () => {
  if (printsConfig(edgeConfig)) return;
  const config = loadConfig(edgeConfig);
  const telemetry = startTelemetry(config.telemetry, 'edge', { events: edgeEvents });
  await runService(wire(config, telemetry), telemetry, {
    drainTimeoutMs: config.lifecycle.drainTimeout,
    metricsAddress: config.telemetry.metrics,
  });
});
