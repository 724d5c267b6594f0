/** Reads its configuration, wires the service, runs it until it is told to stop. */
import { answersCommand, loadConfig } from '@postern/config';
import { main, runService } from '@postern/lifecycle';
import { startTelemetry } from '@postern/telemetry';
import { provisioningConfig } from './config.js';
import { events } from './events.js';
import { wire } from './wire.js';

await main(async () => {
  if (answersCommand(provisioningConfig)) return;
  const config = loadConfig(provisioningConfig);
  const telemetry = startTelemetry(config.telemetry, 'provisioning', { events });
  await runService(wire(config, telemetry), telemetry, {
    drainTimeoutMs: config.lifecycle.drainTimeout,
    metricsAddress: config.telemetry.metrics,
  });
});
