/**
 * One exposition for several processes that are one pod: counters and histograms are summed, gauges as each was declared (`merge`). What a
 * process counted stays after its end: its counters move into what is retired, so that no sum ever goes backwards. The newest values are
 * kept for a process that does not answer. Own values come first: a gauge that merges as `first` is that of the merging process.
 */
import { AggregatorRegistry, type MetricObjectWithValues, type MetricValue } from 'prom-client';
import type { Metrics } from './metrics.js';

type Reading = MetricObjectWithValues<MetricValue<string>>;

/** The values of one process at one moment. */
export type MetricReadings = readonly Reading[];

const partOf = (value: object): unknown => ('metricName' in value ? value.metricName : undefined);

/** Sums of counters and histograms of processes that have ended. */
class Retired {
  readonly #sums = new Map<string, { readonly reading: Reading; readonly values: Map<string, MetricValue<string>> }>();

  add(readings: MetricReadings): void {
    for (const reading of readings) {
      if (`${reading.type}` !== 'counter' && `${reading.type}` !== 'histogram') continue;
      const sum = this.#sums.get(reading.name) ?? { reading, values: new Map() };
      this.#sums.set(reading.name, sum);
      for (const value of reading.values) {
        const key = JSON.stringify([partOf(value), value.labels]);
        sum.values.set(key, { ...value, value: value.value + (sum.values.get(key)?.value ?? 0) });
      }
    }
  }

  readings(): MetricReadings {
    return [...this.#sums.values()].map(({ reading, values }) => ({ ...reading, values: [...values.values()] }));
  }
}

export class MergedMetrics {
  readonly #own: Metrics;
  readonly #newest = new Map<number, MetricReadings>();
  readonly #retired = new Retired();

  /** `own`: those of the process that merges. */
  constructor(own: Metrics) {
    this.#own = own;
  }

  /** The newest values of a living process. */
  take(process: number, readings: MetricReadings): void {
    this.#newest.set(process, readings);
  }

  /** The process has ended; what it counted stays in the sum. */
  retire(process: number): void {
    this.#retired.add(this.#newest.get(process) ?? []);
    this.#newest.delete(process);
  }

  async text(): Promise<string> {
    const own = await this.#own.readings();
    return AggregatorRegistry.aggregate([own, ...this.#newest.values(), this.#retired.readings()]).metrics();
  }

  get contentType(): string {
    return this.#own.contentType;
  }
}

/** Whether something another process sent are readings, in outline: it is the same program. */
export function isReadings(value: unknown): value is MetricReadings {
  return (
    Array.isArray(value) &&
    value.every((one: unknown) => typeof one === 'object' && one !== null && 'name' in one && 'values' in one)
  );
}
