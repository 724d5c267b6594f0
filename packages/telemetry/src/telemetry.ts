/**
 * Logs, metrics and traces of one process, made once in main and passed down. Nothing here is global.
 */
import { type Random, systemClock, systemRandom } from '@postern/clock';
import type { DestinationStream } from 'pino';
import { defineEvents, type EventCatalogue, type EventOf } from './events.js';
import { type Logger, type LogLevel, openLogger } from './logger.js';
import { Metrics } from './metrics.js';
import type { AddressForm } from './redaction.js';
import { otlpProcessor, SpanExport } from './span-export.js';
import { Tracer } from './tracer.js';

/** The shape of the `telemetry` section of every configuration; where metrics are served is lifecycle's concern. */
export interface TelemetrySettings {
  readonly level: LogLevel;
  readonly otlpUrl?: string;
  readonly traceSampleRatio: number;
  readonly addresses?: AddressForm;
}

export interface Telemetry<E extends string = string> {
  readonly service: string;
  readonly log: Logger<E>;
  readonly metrics: Metrics;
  readonly tracer: Tracer;
  /** Waits until buffered log lines are written, at most half a second. */
  flush(): Promise<void>;
  /** Exports what is left and flushes. Never throws, bounded by the exporter's deadline. */
  shutdown(): Promise<void>;
}

export interface TelemetryOptions<C extends EventCatalogue> {
  /** The service's catalogue: its names become the only events `log` accepts. */
  readonly events?: C;
  readonly random?: Random;
  readonly destination?: DestinationStream;
  /** Default true: CPU, memory, event loop and garbage collection of the process. */
  readonly processMetrics?: boolean;
  /** Number of this process among those of its pod that do the same; every line of the log has it. */
  readonly worker?: number;
}

export const telemetryEvents = defineEvents('telemetry', {
  'telemetry.log.resumed':
    'The log could not be written, or not fast enough (disk full, nobody reads), and now can; `lines_dropped` lines are missing before this one.',
});

export const telemetryMetrics = (metrics: Metrics) => ({
  linesDropped: metrics.counter({
    name: 'postern_telemetry_log_lines_dropped_total',
    help: 'Lines of the log that were dropped because standard output could not be written (disk full) or nobody read it; the service goes on.',
  }),
});

export function startTelemetry<const C extends EventCatalogue = EventCatalogue>(
  settings: TelemetrySettings,
  service: string,
  options: TelemetryOptions<C> = {},
): Telemetry<EventOf<C>> {
  const spanExport =
    settings.otlpUrl === undefined
      ? undefined
      : new SpanExport({ service, ratio: settings.traceSampleRatio, processor: otlpProcessor(settings.otlpUrl) });
  const tracer = new Tracer(options.random ?? systemRandom, spanExport);
  const metrics = new Metrics();
  const { log, flush } = openLogger({
    level: settings.level,
    service,
    addresses: settings.addresses ?? 'full',
    traceId: () => tracer.current()?.traceId,
    clock: systemClock,
    linesDropped: telemetryMetrics(metrics).linesDropped,
    ...(options.destination === undefined ? {} : { destination: options.destination }),
    sharesOutput: options.worker !== undefined,
  });
  if (options.processMetrics !== false) metrics.addProcessMetrics();
  return {
    service,
    log: options.worker === undefined ? log : log.child({ worker: options.worker }),
    metrics,
    tracer,
    flush,
    shutdown: async () => {
      await tracer.shutdown().catch(() => undefined);
      await flush();
    },
  };
}
