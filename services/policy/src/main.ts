/** Reads its configuration, wires the service, runs it until it is told to stop. */
import { answersCommand, loadConfig } from '@postern/config';
import { main, runService } from '@postern/lifecycle';
import { startTelemetry } from '@postern/telemetry';
import { policyConfig } from './config.js';
import { policyEvents } from './events.js';
import { wire } from './wire.js';

await main(async () => {
  if (answersCommand(policyConfig)) return;
  const config = loadConfig(policyConfig);
  const telemetry = startTelemetry(config.telemetry, 'policy', { events: policyEvents });
  await runService(wire(config, telemetry), telemetry, {
    drainTimeoutMs: config.lifecycle.drainTimeout,
    metricsAddress: config.telemetry.metrics,
  });
});
