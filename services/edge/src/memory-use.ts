/**
 * How much of the memory it may have this process uses: the heap, what the heap keeps outside it (bytes of messages, mostly), and what the process had before
 * it served anybody. Not the resident size: that stays high for long after bytes were let go of, and an overload by it would not end. What it may have is the
 * limit of its control group, else the setting, else the machine's memory; workers of a pod share it.
 */
import { totalmem } from 'node:os';
import { getHeapStatistics } from 'node:v8';

export interface MemorySources {
  /** Octets the control group allows; 0, or more than the machine has: no limit. */
  readonly constrained: () => number;
  readonly machine: () => number;
  readonly atStart: () => { readonly rss: number; readonly heapTotal: number; readonly external: number };
  readonly now: () => { readonly heapUsed: number; readonly external: number };
}

const system: MemorySources = {
  constrained: () => process.constrainedMemory(),
  machine: totalmem,
  atStart: () => process.memoryUsage(),
  // Not `memoryUsage()`: that reads the resident size from the system each time.
  now: () => {
    const { used_heap_size: heapUsed, external_memory: external } = getHeapStatistics();
    return { heapUsed, external };
  },
};

/** `configured`: octets, 0 = not set. `processes`: that share them. The answer: percent in use. */
export function memoryUse(configured: number, processes: number, sources = system): () => number {
  const machine = sources.machine();
  const constrained = sources.constrained();
  const isConstrained = constrained > 0 && constrained < machine;
  const allowed = (isConstrained ? constrained : configured || machine) / processes;
  const { rss, heapTotal, external } = sources.atStart();
  const base = Math.max(0, rss - heapTotal - external);
  return () => {
    const now = sources.now();
    return (100 * (base + now.heapUsed + now.external)) / allowed;
  };
}
