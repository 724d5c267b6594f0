/**
 * Counters, gauges and histograms with closed label sets, on top of prom-client. Label values are declared, so the
 * number of series is known at start; a value outside its set is counted as `other`.
 * On the hot path bind once (`counter.with({ outcome: 'listed' })`) and keep the child: inc() is then one addition.
 */
import {
  collectDefaultMetrics,
  Counter as PromCounter,
  Gauge as PromGauge,
  Histogram as PromHistogram,
  Registry,
} from 'prom-client';
import { Labelled, type LabelSets, type LabelValues } from './labels.js';
import type { MetricReadings } from './merged-metrics.js';

export interface BoundCounter {
  inc(by?: number): void;
}

export interface BoundGauge {
  set(value: number): void;
  inc(by?: number): void;
  dec(by?: number): void;
}

export interface BoundHistogram {
  observe(value: number): void;
}

export interface Bindable<L extends LabelSets, B> {
  with(labels: LabelValues<L>): B;
}

export type Counter<L extends LabelSets> = Bindable<L, BoundCounter>;
export type Gauge<L extends LabelSets> = Bindable<L, BoundGauge>;
export type Histogram<L extends LabelSets> = Bindable<L, BoundHistogram>;

export interface MetricOptions {
  /** `postern_<service>_<noun>_<unit|total>` */
  readonly name: string;
  /** The documentation of the metric. */
  readonly help: string;
}

export interface LabelledOptions<L extends LabelSets> extends MetricOptions {
  readonly labels: L;
}

/** What several processes of one pod say together; their sum unless the gauge is about something they share. */
export type GaugeMerge = 'sum' | 'min' | 'max' | 'average' | 'first';

export interface GaugeOptions {
  /** @default sum */
  readonly merge?: GaugeMerge;
}

export interface HistogramOptions {
  readonly buckets?: readonly number[];
}

export interface MetricDescription extends MetricOptions {
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly labels: Readonly<Record<string, string>>;
}

/** Seconds, from a cache hit to a slow remote server. */
export const secondsBuckets: readonly number[] = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
];
/** Bytes, from a short note to the largest message. */
export const bytesBuckets: readonly number[] = [
  1024, 4096, 16_384, 65_536, 131_072, 524_288, 2_097_152, 8_388_608, 33_554_432, 134_217_728,
];

const namePattern = /^postern_[a-z0-9]+(_[a-z0-9]+)+$/;

class Cell implements BoundCounter, BoundGauge {
  value = 0;
  collected = 0;

  inc(by = 1): void {
    this.value += by;
  }

  dec(by = 1): void {
    this.value -= by;
  }

  set(value: number): void {
    this.value = value;
  }
}

export class Metrics {
  readonly registry = new Registry();
  readonly #described: MetricDescription[] = [];

  counter(options: MetricOptions): BoundCounter;
  counter<const L extends LabelSets>(options: LabelledOptions<L>): Counter<L>;
  counter(options: MetricOptions & { readonly labels?: LabelSets }): BoundCounter | Counter<LabelSets> {
    const cells = this.#declare('counter', options, () => new Cell());
    new PromCounter({
      name: options.name,
      help: options.help,
      labelNames: cells.names,
      registers: [this.registry],
      collect() {
        for (const [labels, cell] of cells.all()) {
          this.inc(labels, cell.value - cell.collected);
          cell.collected = cell.value;
        }
      },
    });
    return options.labels === undefined ? cells.with({}) : cells;
  }

  gauge(options: MetricOptions & GaugeOptions & { readonly read?: () => number }): BoundGauge;
  gauge<const L extends LabelSets>(options: LabelledOptions<L> & GaugeOptions): Gauge<L>;
  gauge(
    options: MetricOptions & GaugeOptions & { readonly labels?: LabelSets; readonly read?: () => number },
  ): BoundGauge | Gauge<LabelSets> {
    const cells = this.#declare('gauge', options, () => new Cell());
    new PromGauge({
      name: options.name,
      help: options.help,
      labelNames: cells.names,
      aggregator: options.merge ?? 'sum',
      registers: [this.registry],
      collect() {
        if (options.read) cells.with({}).set(options.read());
        for (const [labels, cell] of cells.all()) this.set(labels, cell.value);
      },
    });
    return options.labels === undefined ? cells.with({}) : cells;
  }

  histogram(options: MetricOptions & HistogramOptions): BoundHistogram;
  histogram<const L extends LabelSets>(options: LabelledOptions<L> & HistogramOptions): Histogram<L>;
  histogram(
    options: MetricOptions & HistogramOptions & { readonly labels?: LabelSets },
  ): BoundHistogram | Histogram<LabelSets> {
    const histogram = new PromHistogram({
      name: options.name,
      help: options.help,
      labelNames: Object.keys(options.labels ?? {}),
      buckets: [...(options.buckets ?? secondsBuckets)],
      registers: [this.registry],
    });
    const bound = this.#declare('histogram', options, (labels): BoundHistogram => histogram.labels(labels));
    return options.labels === undefined ? bound.with({}) : bound;
  }

  /** The exposition text of everything registered. */
  text(): Promise<string> {
    return this.registry.metrics();
  }

  /** The same as values, for another process to merge. */
  readings(): Promise<MetricReadings> {
    return this.registry.getMetricsAsJSON();
  }

  get contentType(): string {
    return this.registry.contentType;
  }

  /** Everything declared so far, for docs/reference/metrics.md and for checks of dashboards. */
  describe(): readonly MetricDescription[] {
    return this.#described;
  }

  /** CPU, memory, event loop delay, garbage collection of the process. */
  addProcessMetrics(): void {
    collectDefaultMetrics({ register: this.registry, eventLoopMonitoringPrecision: 20 });
  }

  #declare<B>(
    type: MetricDescription['type'],
    options: MetricOptions & { readonly labels?: LabelSets },
    create: (labels: Readonly<Record<string, string>>) => B,
  ): Labelled<B> {
    if (!namePattern.test(options.name))
      throw new TypeError(`metric ${options.name} is not named postern_<service>_<noun>_<unit>`);
    const labelled = new Labelled(options.labels ?? {}, create);
    this.#described.push({ name: options.name, help: options.help, type, labels: labelled.describe() });
    return labelled;
  }
}

/** Metrics of a library, made once per registry however often the library is used. */
export function perMetrics<M>(create: (metrics: Metrics) => M): (metrics: Metrics) => M {
  const made = new WeakMap<Metrics, { readonly metrics: M }>();
  return (metrics) => {
    const known = made.get(metrics) ?? { metrics: create(metrics) };
    made.set(metrics, known);
    return known.metrics;
  };
}

export function metricsMarkdown(descriptions: readonly MetricDescription[]): string {
  const rows = [...descriptions]
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ name, type, help, labels }) => {
      const sets = Object.entries(labels).map(([label, values]) => `${label}: ${values}`);
      return `| \`${name}\` | ${type} | ${sets.join('<br>')} | ${help.replaceAll('|', '\\|')} |`;
    });
  const head = [
    '# Metrics',
    '',
    'Generated from the declarations.',
    '',
    '| name | type | labels | meaning |',
    '|---|---|---|---|',
  ];
  return `${[...head, ...rows].join('\n')}\n`;
}
