/**
 * What a supervisor and its workers tell each other over the channel between them. Both are the same program of the same release; what does
 * not have the shape of a message is ignored.
 */
import { isReadings, type MetricReadings } from '@postern/telemetry';

export type FromWorker =
  | { readonly kind: 'started' }
  /** Once a second. `utilisation`: share of the last second its event loop was busy, 0 to 1. */
  | { readonly kind: 'load'; readonly utilisation: number; readonly reasons: readonly string[] }
  | { readonly kind: 'readings'; readonly readings: MetricReadings };

export type ToWorker = { readonly kind: 'drain' } | { readonly kind: 'read' };

const hasKind = (message: unknown): message is { readonly kind: unknown } =>
  typeof message === 'object' && message !== null && 'kind' in message;

export function fromWorker(message: unknown): FromWorker | undefined {
  if (!hasKind(message)) return undefined;
  if (message.kind === 'started') return { kind: 'started' };
  if (message.kind === 'load' && 'utilisation' in message && 'reasons' in message) {
    const { utilisation, reasons } = message;
    if (typeof utilisation !== 'number' || !Array.isArray(reasons)) return undefined;
    return { kind: 'load', utilisation, reasons: reasons.filter((reason) => typeof reason === 'string') };
  }
  if (message.kind === 'readings' && 'readings' in message && isReadings(message.readings))
    return { kind: 'readings', readings: message.readings };
  return undefined;
}

export function toWorker(message: unknown): ToWorker | undefined {
  if (!hasKind(message)) return undefined;
  return message.kind === 'drain' || message.kind === 'read' ? { kind: message.kind } : undefined;
}
