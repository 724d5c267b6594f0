/**
 * How many workers a pod wants (row C6). One more when the workers are busy, on average, for a while; one fewer when those left would be idle enough
 * for a longer while. Fewer is judged by the load as it would be then, so that a number is not left only to be wanted again. While a worker starts
 * or its number has just changed nothing is decided.
 */
export interface ScaleSettings {
  readonly min: number;
  readonly max: number;
  /** Busy share of an event loop, 0 to 1. */
  readonly growAt: number;
  readonly shrinkAt: number;
  readonly growAfterMs: number;
  readonly shrinkAfterMs: number;
}

export class WorkerScale {
  readonly #settings: ScaleSettings;
  #busySince: number | undefined;
  #idleSince: number | undefined;

  constructor(settings: ScaleSettings) {
    this.#settings = settings;
  }

  /** The number wanted from now on. `loads`: of those that serve; fewer than are wanted = one is still to come. */
  judge(nowMs: number, wanted: number, loads: readonly number[]): number {
    const { min, max, growAt, shrinkAt, growAfterMs, shrinkAfterMs } = this.#settings;
    const sum = loads.reduce((total, load) => total + load, 0);
    const isSettled = loads.length === wanted;
    const isBusy = isSettled && wanted < max && sum / wanted >= growAt;
    const isIdle = isSettled && wanted > min && sum / (wanted - 1) <= shrinkAt;
    this.#busySince = isBusy ? (this.#busySince ?? nowMs) : undefined;
    this.#idleSince = isIdle ? (this.#idleSince ?? nowMs) : undefined;
    if (this.#busySince !== undefined && nowMs - this.#busySince >= growAfterMs) return this.#decided(wanted + 1);
    if (this.#idleSince !== undefined && nowMs - this.#idleSince >= shrinkAfterMs) return this.#decided(wanted - 1);
    return wanted;
  }

  #decided(count: number): number {
    this.#busySince = undefined;
    this.#idleSince = undefined;
    return count;
  }
}
