/**
 * Notices that edges wait less long for a verdict (`edge.policy.deadline`) than a check may take: it is cut short then, which is said once a snapshot.
 * Only edges know their deadline; of twenty requests the longest is taken for it, since a request that is tried again has less.
 */
import type { CheckName } from './check.js';
import type { CompiledSnapshot } from './snapshot/compile.js';

export type OnHurried = (check: CheckName, timeoutMs: number, deadlineMs: number) => void;

const enough = 20;

export class HurryWatch {
  #snapshot: CompiledSnapshot | undefined;
  #requests = 0;
  #longestMs = 0;
  readonly #onHurried: OnHurried;

  constructor(onHurried: OnHurried) {
    this.#onHurried = onHurried;
  }

  asked(snapshot: CompiledSnapshot, deadlineMs: number): void {
    if (snapshot !== this.#snapshot) {
      this.#snapshot = snapshot;
      this.#requests = 0;
    }
    this.#longestMs = this.#requests === 0 ? deadlineMs : Math.max(this.#longestMs, deadlineMs);
    this.#requests++;
    if (this.#requests === enough) this.#tell(snapshot);
  }

  #tell({ policies: { server } }: CompiledSnapshot): void {
    const { recipients: _recipients, ...settings } = server;
    for (const [check, { enabled, timeout }] of entriesOf(settings))
      if (enabled && timeout > this.#longestMs) this.#onHurried(check, timeout, this.#longestMs);
  }
}

const entriesOf = <K extends string, V>(record: Readonly<Record<K, V>>): [K, V][] => {
  const entries: [K, V][] = [];
  for (const key in record) if (Object.hasOwn(record, key)) entries.push([key, record[key]]);
  return entries;
};
