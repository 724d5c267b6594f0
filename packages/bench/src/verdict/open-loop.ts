/** Messages come by the clock, whether or not earlier ones are done: what a sender waits at a given rate. */
import type { JudgePeer } from './judge-peer.js';
import type { Load } from './load.js';

/** Milliseconds per message, sorted. */
export async function openLoop(peer: JudgePeer, load: Load, rate: number, count: number): Promise<Float64Array> {
  const times = new Float64Array(count);
  const running: Promise<void>[] = [];
  const faults: unknown[] = [];
  const begun = performance.now();
  for (let at = 0; at < count; ) {
    const due = Math.min(count, Math.floor(((performance.now() - begun) * rate) / 1_000) + 1);
    for (; at < due; at++) {
      const number = at;
      const from = performance.now();
      running.push(
        peer.judge(load.letter(number)).then(
          () => {
            times[number] = performance.now() - from;
          },
          (error: unknown) => void faults.push(error),
        ),
      );
    }
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await Promise.all(running);
  if (faults.length > 0) throw faults[0];
  return times.sort();
}
