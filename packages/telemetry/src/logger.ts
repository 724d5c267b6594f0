/**
 * JSON lines on standard output through pino: time, level, service, event, trace_id, then the fields.
 * The event comes from a catalogue and is checked by the compiler; fields are snake_case
 * (session_id queue_id lane mx reply enhanced_code attempt delay_ms error).
 */
import { type DestinationStream, destination, type Logger as PinoLogger, pino, stdTimeFunctions } from 'pino';
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
  /** Default: standard output, written in the background. */
  readonly destination?: DestinationStream;
  /** Several processes write to the same standard output: what is written at once is what a pipe keeps in one piece. */
  readonly sharesOutput?: boolean;
}

/** PIPE_BUF of Linux. */
const pipePiece = 4_096;

export interface OpenLogger {
  readonly log: Logger;
  /** Writes what is buffered before it returns; for the last words of a process. */
  flush(): void;
}

export function openLogger(options: LoggerOptions): OpenLogger {
  const background =
    options.destination === undefined
      ? destination({ fd: 1, sync: false, ...(options.sharesOutput === true ? { maxWrite: pipePiece } : {}) })
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
  const sink = options.destination ?? background;
  const log = new EventLogger(sink === undefined ? pino(settings) : pino(settings, sink), options.addresses);
  return { log, flush: () => flushQuietly(background) };
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

function flushQuietly(sink: { flushSync(): void } | undefined): void {
  try {
    sink?.flushSync();
  } catch {
    // The stream was never opened or is closed: there is nothing left to write, and nowhere to say so.
  }
}
