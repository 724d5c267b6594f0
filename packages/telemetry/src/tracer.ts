/**
 * Spans, by hand: named like the steps of a message. The current span follows asynchronous calls. Without an exporter
 * a span is two lazily made ids and costs well under a microsecond; with one, the OpenTelemetry SDK records it.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import type { Random } from '@postern/clock';
import type { SpanExport } from './span-export.js';
import { formatTraceparent, parseTraceparent, type TraceContext, TraceIds } from './trace-context.js';

export type Attributes = Readonly<Record<string, string | number | boolean>>;

export interface Span extends TraceContext {
  /** What the next service is told. */
  readonly traceparent: string;
  set(attributes: Attributes): void;
  fail(error: unknown): void;
  end(): void;
}

export type Parent = TraceContext | string;

export class Tracer {
  readonly #current = new AsyncLocalStorage<TraceContext>();
  readonly #ids: TraceIds;
  readonly #spanExport: SpanExport | undefined;

  constructor(random: Random, spanExport?: SpanExport) {
    this.#ids = new TraceIds(random);
    this.#spanExport = spanExport;
  }

  /** Parent: the one given (a span or a traceparent), else the current one, else a new trace begins. */
  startSpan(name: string, attributes: Attributes = {}, parent?: Parent): Span {
    const context = typeof parent === 'string' ? parseTraceparent(parent) : (parent ?? this.#current.getStore());
    return this.#spanExport?.startSpan(name, attributes, context) ?? new SilentSpan(this.#ids, context);
  }

  /** Runs `work` with `span` as the current one. The caller ends the span. */
  run<T>(span: TraceContext, work: () => T): T {
    return this.#current.run(span, work);
  }

  /** Starts, runs, ends; a thrown error is noted on the span and thrown on. */
  async span<T>(name: string, attributes: Attributes, work: (span: Span) => Promise<T> | T): Promise<T> {
    const span = this.startSpan(name, attributes);
    try {
      return await this.#current.run(span, () => work(span));
    } catch (error) {
      span.fail(error);
      throw error;
    } finally {
      span.end();
    }
  }

  /** Continues the trace of the caller; without a valid traceparent a new one begins. */
  withRemoteParent<T>(traceparent: string | undefined, work: () => T): T {
    const remote = traceparent === undefined ? undefined : parseTraceparent(traceparent);
    return this.#current.run(remote ?? new SilentSpan(this.#ids, undefined), work);
  }

  /** The traceparent to send with a request or a message: of the current span, else of a new trace. */
  injectTraceparent(): string {
    return formatTraceparent(this.#current.getStore() ?? new SilentSpan(this.#ids, undefined));
  }

  current(): TraceContext | undefined {
    return this.#current.getStore();
  }

  shutdown(): Promise<void> {
    return this.#spanExport?.shutdown() ?? Promise.resolve();
  }
}

class SilentSpan implements Span {
  readonly #ids: TraceIds;
  readonly sampled: boolean;
  #traceId: string | undefined;
  #spanId: string | undefined;

  constructor(ids: TraceIds, parent: TraceContext | undefined) {
    this.#ids = ids;
    this.#traceId = parent?.traceId;
    this.sampled = parent?.sampled ?? false;
  }

  get traceId(): string {
    this.#traceId ??= this.#ids.traceId();
    return this.#traceId;
  }

  get spanId(): string {
    this.#spanId ??= this.#ids.spanId();
    return this.#spanId;
  }

  get traceparent(): string {
    return formatTraceparent(this);
  }

  set(): void {}

  fail(): void {}

  end(): void {}
}
