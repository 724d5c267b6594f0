/**
 * JSON lines on standard output through pino: time, level, service, event, trace_id, then the fields.
 * The event comes from a catalogue and is checked by the compiler; fields are snake_case
 * (session_id queue_id lane mx reply enhanced_code attempt delay_ms error).
 */
import type { Clock } from '@postern/clock';
import { type DestinationStream, type Logger as PinoLogger, pino, stdTimeFunctions } from 'pino';
import { LogSink } from './log-sink.js';
import type { BoundCounter } from './metrics.js';
import { type AddressForm, redactFields } from './redaction.js';

export type LogFields = Readonly<Record<string, unknown>>;

export interface Logger<E extends string = string> {
  debug(event: E, fields?: LogFields): void;
  info(event: E, fields?: LogFields): void;
  warn(event: E, fields?: LogFields): void;
  error(event: E, fields?: LogFields): void;
  /** A logger that adds these fields to every line. */
  child(bindings: LogFields): Logger<E>;
  /** True when debug lines are written: to skip what only they need. */
  readonly debugging: boolean;
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

export interface LoggerOptions {
  readonly level: LogLevel;
  readonly service: string;
  readonly addresses: AddressForm;
  readonly traceId: () => string | undefined;
  readonly clock: Clock;
  readonly linesDropped: BoundCounter;
  /** Default: standard output, written in the background. */
  readonly destination?: DestinationStream;
  /** Several processes write to the same standard output: what is written at once is what a pipe keeps in one piece. */
  readonly sharesOutput?: boolean;
}

/** PIPE_BUF of Linux. */
const pipePiece = 4_096;
const diskPiece = 16_384;

export interface OpenLogger {
  readonly log: Logger;
  /** Waits until what is buffered is written, not long; for the last words of a process. */
  flush(): Promise<void>;
}

export function openLogger(options: LoggerOptions): OpenLogger {
  const output =
    options.destination === undefined
      ? new LogSink({
          fd: 1,
          pieceBytes: options.sharesOutput === true ? pipePiece : diskPiece,
          clock: options.clock,
          dropped: () => options.linesDropped.inc(),
          resumed: (lines) => log.warn('telemetry.log.resumed', { lines_dropped: lines }),
        })
      : undefined;
  const settings = {
    level: options.level,
    base: { service: options.service },
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    mixin: () => {
      const traceId = options.traceId();
      return traceId === undefined ? {} : { trace_id: traceId };
    },
  };
  const sink = options.destination ?? output;
  const log = new EventLogger(sink === undefined ? pino(settings) : pino(settings, sink), options.addresses);
  return { log, flush: () => output?.flush() ?? Promise.resolve() };
}

class EventLogger implements Logger {
  readonly #pino: PinoLogger;
  readonly #addresses: AddressForm;

  constructor(logger: PinoLogger, addresses: AddressForm) {
    this.#pino = logger;
    this.#addresses = addresses;
  }

  get debugging(): boolean {
    return this.#pino.isLevelEnabled('debug');
  }

  debug(event: string, fields?: LogFields): void {
    if (this.#pino.isLevelEnabled('debug')) this.#pino.debug(this.#line(event, fields));
  }

  info(event: string, fields?: LogFields): void {
    if (this.#pino.isLevelEnabled('info')) this.#pino.info(this.#line(event, fields));
  }

  warn(event: string, fields?: LogFields): void {
    if (this.#pino.isLevelEnabled('warn')) this.#pino.warn(this.#line(event, fields));
  }

  error(event: string, fields?: LogFields): void {
    if (this.#pino.isLevelEnabled('error')) this.#pino.error(this.#line(event, fields));
  }

  child(bindings: LogFields): Logger {
    return new EventLogger(this.#pino.child(redactFields(bindings, this.#addresses)), this.#addresses);
  }

  #line(event: string, fields: LogFields | undefined): object {
    return fields === undefined ? { event } : { event, ...redactFields(fields, this.#addresses) };
  }
}
