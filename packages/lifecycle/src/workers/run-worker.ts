/**
 * One of several processes that do the same work under a supervisor: no operations port of its own, its metrics, load and readiness go over
 * the channel. It drains when it is told to, by the channel or SIGTERM, and when its supervisor is gone; a SIGINT of the terminal is the
 * supervisor's to pass on. With exit 0 its last metrics go first, so that nothing it counted is missing from the sum.
 */
import { performance } from 'node:perf_hooks';
import { systemClock } from '@postern/clock';
import type { Telemetry } from '@postern/telemetry';
import { type Host, processHost } from '../host.js';
import type { Readiness } from '../probes.js';
import { runService, type Service } from '../run-service.js';
import { type FromWorker, toWorker } from './messages.js';

/** Name of the environment variable that makes a process a worker. */
export const workerVariable = 'POSTERN_WORKER';
const loadEveryMs = 1_000;
const lastWordsMs = 1_000;

/** Number of this worker; undefined = this process is none. */
export function workerNumber(): number | undefined {
  const number = Number(process.env[workerVariable]);
  return process.connected === true && Number.isInteger(number) && number > 0 ? number : undefined;
}

function send(message: FromWorker, sent: () => void = () => undefined): void {
  if (process.connected !== true || process.send === undefined) sent();
  else process.send(message, undefined, {}, sent);
}

async function sendReadings({ metrics }: Telemetry): Promise<void> {
  const readings = await metrics.readings();
  await new Promise<void>((resolve) => send({ kind: 'readings', readings }, resolve));
}

function workerHost(telemetry: Telemetry): Host {
  return {
    ...processHost,
    onSignal(handle) {
      let asked = false;
      const drain = (): void => {
        if (asked) return;
        asked = true;
        handle('SIGTERM');
      };
      process.on('SIGINT', () => undefined);
      process.on('SIGTERM', drain);
      process.on('disconnect', drain);
      process.on('message', (message) => {
        const told = toWorker(message);
        if (told?.kind === 'drain') drain();
        if (told?.kind === 'read') void sendReadings(telemetry);
      });
    },
    exit(code) {
      if (code !== 0) processHost.exit(code);
      systemClock.setTimer(lastWordsMs, () => processHost.exit(code));
      void sendReadings(telemetry).finally(() => processHost.exit(code));
    },
  };
}

/** Runs the service of a worker; resolves with its exit code. */
export function runWorker(
  service: Service,
  telemetry: Telemetry,
  options: { readonly drainTimeoutMs: number },
): Promise<number> {
  let state: 'starting' | 'running' | 'draining' = 'starting';
  let before = performance.eventLoopUtilization();
  const readiness = (): Readiness => (state === 'running' ? service.ready() : { ok: false, reasons: [state] });
  const tellLoad = (): void => {
    const now = performance.eventLoopUtilization();
    const { utilization: utilisation } = performance.eventLoopUtilization(now, before);
    before = now;
    send({ kind: 'load', utilisation, reasons: readiness().reasons });
  };
  const reported: Service = {
    ...service,
    name: service.name,
    async start(context) {
      await service.start(context);
      state = 'running';
      send({ kind: 'started' });
      tellLoad();
      systemClock.setInterval(loadEveryMs, tellLoad, { unref: true });
    },
    drain(context) {
      state = 'draining';
      return service.drain(context);
    },
    stop: (context) => service.stop(context),
    ready: readiness,
  };
  return runService(reported, telemetry, { drainTimeoutMs: options.drainTimeoutMs, host: workerHost(telemetry) });
}
