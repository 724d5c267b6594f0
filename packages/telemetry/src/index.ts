export { eventLevels } from './event-levels.js';
export { defineEvents, type EventCatalogue, type EventOf, eventsMarkdown } from './events.js';
export { type BoundedLabel, boundedLabel, type LabelSets, type LabelValues } from './labels.js';
export type { LogFields, Logger, LogLevel } from './logger.js';
export { isReadings, MergedMetrics, type MetricReadings } from './merged-metrics.js';
export {
  type Bindable,
  type BoundCounter,
  type BoundGauge,
  type BoundHistogram,
  bytesBuckets,
  type Counter,
  type Gauge,
  type GaugeMerge,
  type Histogram,
  type MetricDescription,
  Metrics,
  metricsMarkdown,
  perMetrics,
  secondsBuckets,
} from './metrics.js';
export { type AddressForm, describeError, redactAddress } from './redaction.js';
export {
  startTelemetry,
  type Telemetry,
  type TelemetryOptions,
  type TelemetrySettings,
  telemetryEvents,
  telemetryMetrics,
} from './telemetry.js';
export { formatTraceparent, parseTraceparent, type TraceContext } from './trace-context.js';
export { type Attributes, type Parent, type Span, Tracer } from './tracer.js';
