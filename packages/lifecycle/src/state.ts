/**
 * The states of a process. `failed` and `stopped` are final; from every other state a fault leads to `failed`.
 */
import { defineEvents, type Metrics, type Telemetry } from '@postern/telemetry';

export const serviceStates = ['starting', 'running', 'draining', 'drained', 'stopped', 'failed'] as const;
export type ServiceState = (typeof serviceStates)[number];

export const lifecycleEvents = defineEvents('lifecycle', {
  'lifecycle.state.changed': 'The process went to another state; `from`, `to` and why.',
  'lifecycle.drain.expired': 'Work in flight did not finish within drainTimeout; the process stops all the same.',
  'lifecycle.stop.failed': 'Releasing resources failed after the drain; the process ends all the same.',
  'lifecycle.fault.caught': 'An exception or rejection nobody handled; the process ends with code 1.',
});

export const lifecycleMetrics = (metrics: Metrics) => ({
  state: metrics.gauge({
    name: 'postern_lifecycle_state_active',
    help: '1 for the state the process is in, 0 for the others.',
    labels: { state: serviceStates },
    merge: 'first',
  }),
});

const following: Readonly<Record<ServiceState, readonly ServiceState[]>> = {
  starting: ['running', 'draining', 'failed'],
  running: ['draining', 'failed'],
  draining: ['drained', 'failed'],
  drained: ['stopped', 'failed'],
  stopped: [],
  failed: [],
};

/** Holds the state; every change is a log line and moves the gauge. */
export class StateHolder {
  #state: ServiceState = 'starting';
  readonly #telemetry: Telemetry;
  readonly #show: (state: ServiceState) => void;

  constructor(telemetry: Telemetry) {
    this.#telemetry = telemetry;
    const { state: gauge } = lifecycleMetrics(telemetry.metrics);
    this.#show = (shown) => {
      for (const state of serviceStates) gauge.with({ state }).set(state === shown ? 1 : 0);
    };
    this.#show(this.#state);
  }

  get current(): ServiceState {
    return this.#state;
  }

  /** False when the change is not possible from here, such as a second stop. */
  go(to: ServiceState, why: string): boolean {
    const from = this.#state;
    if (!following[from].includes(to)) return false;
    this.#state = to;
    this.#show(to);
    this.#telemetry.log.info('lifecycle.state.changed', { from, to, why });
    return true;
  }
}
