/**
 * How long signed bodies of tens of megabytes hold up the event loop of the policy process, and small messages with it. The process tells its
 * longest delay since the last question (`nodejs_eventloop_lag_max_seconds`, measured at a timer of 20 ms, which is taken off).
 */
import { percentile } from '../closed-loop.js';
import { coreWaitSeconds } from '../process-tree.js';
import type { Load } from './load.js';
import { openLoop } from './open-loop.js';
import type { PosternPeer } from './postern-peer.js';

const timerMs = 20;
const uploadsAtOnce = 4;
const uploadsEach = 3;
const smallRate = 50;

async function lags({ metrics }: PosternPeer): Promise<{ readonly max: number; readonly p99: number }> {
  const text = await (await fetch(new URL('/metrics', metrics))).text();
  const read = (name: string): number =>
    Number(new RegExp(`^nodejs_eventloop_lag_${name}_seconds (\\S+)`, 'm').exec(text)?.[1] ?? Number.NaN) * 1_000 -
    timerMs;
  return { max: read('max'), p99: read('p99') };
}

export async function measureStalls(peer: PosternPeer, load: Load, size: number): Promise<string[]> {
  const letter = load.largeLetter(size);
  const lines: string[] = [];
  for (const large of [false, true]) {
    await lags(peer);
    const [waited, begun] = [await coreWaitSeconds(peer.pids), performance.now()];
    const uploads = Array.from({ length: large ? uploadsAtOnce : 0 }, async () => {
      for (let at = 0; at < uploadsEach; at++) await peer.upload(letter);
    });
    const times = await openLoop(peer, load, smallRate, 150);
    const { max, p99 } = await lags(peer);
    const perSecond = ((await coreWaitSeconds(peer.pids)) - waited) / ((performance.now() - begun) / 1e6);
    await Promise.all(uploads);
    const what = large ? `${uploadsAtOnce} uploads of ${size / 1_000_000} MB at once` : 'without large bodies';
    const small = `small verdicts p50 ${percentile(times, 0.5).toFixed(1)}, p99 ${percentile(times, 0.99).toFixed(1)} ms`;
    lines.push(
      `- ${what}: event loop of policy held up at most ${max.toFixed(1)} ms (p99 ${p99.toFixed(1)}), without a core ${perSecond.toFixed(0)} ms a second; ${small}`,
    );
  }
  return lines;
}
