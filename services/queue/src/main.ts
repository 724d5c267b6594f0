/** Reads its configuration, wires the service, runs it until it is told to stop. `main.js rebuild --config FILE` makes rows anew from BODIES instead. */
import { answersCommand, loadConfig } from '@postern/config';
import { main, runService } from '@postern/lifecycle';
import { startTelemetry } from '@postern/telemetry';
import { queueConfig } from './config.js';
import { queueEvents } from './events.js';
import { runRebuild } from './rebuild-command.js';
import { wire } from './wire.js';

await main(async () => {
  if (answersCommand(queueConfig, { commands: { rebuild: 'make rows anew from BODIES, and end' } })) return;
  const [first, ...rest] = process.argv.slice(2);
  const rebuilding = first === 'rebuild';
  const config = loadConfig(queueConfig, rebuilding ? { argv: rest } : {});
  const telemetry = startTelemetry(config.telemetry, 'queue', { events: queueEvents });
  if (rebuilding) {
    await runRebuild(config, telemetry);
    return;
  }
  await runService(wire(config, telemetry), telemetry, {
    drainTimeoutMs: config.lifecycle.drainTimeout,
    metricsAddress: config.telemetry.metrics,
  });
});
