/**
 * Counts and times of calls made, by service and method. A generated method is known by its function object.
 */
import type { Clock } from '@postern/clock';
import { boundedLabel, type Metrics, perMetrics } from '@postern/telemetry';
import { type Client, type ServiceDefinition, status } from './grpc-js.js';
import { splitPath } from './observe.js';
import { statusName, statusNames } from './status.js';

export const clientMetrics = perMetrics((metrics) => ({
  requests: metrics.counter({
    name: 'postern_grpc_client_requests_total',
    help: 'Calls made, by service, method and status code.',
    labels: { service: boundedLabel(32), method: boundedLabel(128), code: statusNames },
  }),
  seconds: metrics.histogram({
    name: 'postern_grpc_client_request_seconds',
    help: 'Time from the call to its end, streams included.',
    labels: { service: boundedLabel(32), method: boundedLabel(128) },
  }),
}));

interface Names {
  readonly service: string;
  readonly name: string;
}

export class ClientMetrics {
  readonly #metrics: ReturnType<typeof clientMetrics>;
  readonly #clock: Clock;
  readonly #names = new Map<unknown, Names>();

  constructor(
    metrics: Metrics,
    clock: Clock,
    client: Client,
    { service, serviceName }: { readonly service: ServiceDefinition; readonly serviceName: string },
  ) {
    this.#metrics = clientMetrics(metrics);
    this.#clock = clock;
    for (const [property, method] of Object.entries(service)) {
      const found: unknown = Reflect.get(client, property);
      this.#names.set(found, { service: serviceName, name: splitPath(method.path).name });
    }
  }

  /** To be called once when the call has ended; with what it failed, or null. */
  begin(method: unknown): (failure: { readonly code: number } | null) => void {
    const { service, name } = this.#names.get(method) ?? { service: 'other', name: 'other' };
    const begun = this.#clock.monotonic();
    return (failure) => {
      this.#metrics.requests.with({ service, method: name, code: statusName(failure?.code ?? status.OK) }).inc();
      this.#metrics.seconds.with({ service, method: name }).observe((this.#clock.monotonic() - begun) / 1000);
    };
  }
}
