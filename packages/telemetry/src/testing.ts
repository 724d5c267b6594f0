/**
 * Telemetry for tests: log lines are kept as objects, nothing is exported, no process metrics are collected.
 */
import type { LogLevel } from './logger.js';
import { startTelemetry, type Telemetry } from './telemetry.js';

export type LogLine = Readonly<Record<string, unknown>>;

export interface CapturedTelemetry extends Telemetry {
  readonly lines: readonly LogLine[];
  /** Lines of one event. */
  events(name: string): readonly LogLine[];
}

export function captureTelemetry(service = 'test', level: LogLevel = 'debug'): CapturedTelemetry {
  const lines: LogLine[] = [];
  const destination = { write: (line: string) => void lines.push(JSON.parse(line)) };
  const telemetry = startTelemetry({ level, traceSampleRatio: 0 }, service, { destination, processMetrics: false });
  return { ...telemetry, lines, events: (name) => lines.filter((line) => line.event === name) };
}
