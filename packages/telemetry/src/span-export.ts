/**
 * Recording and export of spans: OpenTelemetry SDK 3.x, batches over OTLP/HTTP, sampled at the root.
 * Full queues drop spans; a collector that is away costs nothing but the spans. No global provider is registered.
 */
import {
  type Span as OtelSpan,
  type Tracer as OtelTracer,
  ROOT_CONTEXT,
  type SpanContext,
  SpanStatusCode,
  TraceFlags,
  trace,
} from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  BatchSpanProcessor,
  ParentBasedSampler,
  type SpanProcessor,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import { formatTraceparent, type TraceContext } from './trace-context.js';
import type { Attributes, Span } from './tracer.js';

const flushDeadlineMs = 5000;

export interface SpanExportOptions {
  readonly service: string;
  readonly ratio: number;
  readonly processor: SpanProcessor;
}

/** Batches to a collector; a URL without a path gets the standard one. */
export function otlpProcessor(otlpUrl: string): SpanProcessor {
  const url = new URL(otlpUrl);
  if (url.pathname === '/') url.pathname = '/v1/traces';
  return new BatchSpanProcessor({
    exporter: new OTLPTraceExporter({ url: url.href, timeoutMillis: flushDeadlineMs }),
    maxQueueSize: 4096,
    maxExportBatchSize: 512,
    exportTimeoutMillis: flushDeadlineMs,
  });
}

export class SpanExport {
  readonly #provider: TracerProvider;
  readonly #tracer: OtelTracer;

  constructor({ service, ratio, processor }: SpanExportOptions) {
    this.#provider = new TracerProvider({
      resource: resourceFromAttributes({ 'service.name': `postern-${service}` }),
      sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(ratio) }),
      spanProcessors: [processor],
    });
    this.#tracer = this.#provider.getTracer('postern');
  }

  startSpan(name: string, attributes: Attributes, parent: TraceContext | undefined): Span {
    const context = parent === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, remoteContext(parent));
    return new RecordedSpan(this.#tracer.startSpan(name, { attributes }, context));
  }

  shutdown(): Promise<void> {
    return this.#provider.shutdown();
  }
}

function remoteContext({ traceId, spanId, sampled }: TraceContext): SpanContext {
  return { traceId, spanId, traceFlags: sampled ? TraceFlags.SAMPLED : TraceFlags.NONE, isRemote: true };
}

class RecordedSpan implements Span {
  readonly #span: OtelSpan;
  readonly traceId: string;
  readonly spanId: string;
  readonly sampled: boolean;

  constructor(span: OtelSpan) {
    this.#span = span;
    const context = span.spanContext();
    this.traceId = context.traceId;
    this.spanId = context.spanId;
    this.sampled = (context.traceFlags & TraceFlags.SAMPLED) !== 0;
  }

  get traceparent(): string {
    return formatTraceparent(this);
  }

  set(attributes: Attributes): void {
    this.#span.setAttributes(attributes);
  }

  fail(error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    this.#span.setStatus({ code: SpanStatusCode.ERROR, message });
  }

  end(): void {
    this.#span.end();
  }
}
