/** Reads its configuration, wires the service, runs it until it is told to stop. */
import { answersCommand, loadConfig } from '@postern/config';
import { main, runService } from '@postern/lifecycle';
import { startTelemetry } from '@postern/telemetry';
import { deliveryConfig } from './config.js';
import { deliveryEvents } from './events.js';
import { wire } from './wire.js';

await main(async () => {
  if (answersCommand(deliveryConfig)) return;
  const config = loadConfig(deliveryConfig);
  const telemetry = startTelemetry(config.telemetry, 'delivery', { events: deliveryEvents });
  await runService(wire(config, telemetry), telemetry, {
    drainTimeoutMs: config.lifecycle.drainTimeout,
    metricsAddress: config.telemetry.metrics,
  });
});
