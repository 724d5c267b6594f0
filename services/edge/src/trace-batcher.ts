/**
 * Trace events on their way to TRACE, subject `trace.edge`: gathered for a moment, sent without waiting for an acknowledgement, dropped and
 * counted when the stream is away or more come than may wait. What became of a message outlasts that, since nobody else tells it: up to 1,000 such
 * events, the oldest, wait until the stream is back. Trace never slows mail and never makes memory grow beyond these bounds.
 */
import type { Clock, Timer } from '@postern/clock';
import { TraceBatch, type TraceEvent } from '@postern/proto/mail/v1/trace';

export interface TraceBatcherOptions {
  readonly clock: Clock;
  /** False = not sent. */
  readonly send: (bytes: Uint8Array) => boolean;
  readonly onDropped: (count: number) => void;
}

export interface TraceBatcher {
  add(event: TraceEvent): void;
  /** Sends what is gathered. */
  flush(): void;
}

const maxBatch = 500;
const maxGathered = 20_000;
const lingerMs = 200;
/** Room a batch may take; NATS refuses messages above 1 MiB. */
const maxBatchBytes = 512 * 1024;
const maxKept = 1_000;
const tryAgainMs = 1_000;
const outlasting: ReadonlySet<string> = new Set([
  'edge.message.accepted',
  'edge.message.rejected',
  'edge.message.uncertain',
]);

export function createTraceBatcher(options: TraceBatcherOptions): TraceBatcher {
  let gathered: TraceEvent[] = [];
  let kept: TraceEvent[] = [];
  let timer: Timer | undefined;
  const keep = (events: readonly TraceEvent[]): void => {
    const lasting = events.filter(({ event }) => outlasting.has(event)).slice(0, maxKept - kept.length);
    kept.push(...lasting);
    if (lasting.length < events.length) options.onDropped(events.length - lasting.length);
  };
  const sendBatch = (events: TraceEvent[]): void => {
    const bytes = TraceBatch.encode({ events }).finish();
    if (bytes.length > maxBatchBytes && events.length > 1) {
      const half = events.length >> 1;
      sendBatch(events.slice(0, half));
      sendBatch(events.slice(half));
    } else if (!options.send(bytes)) keep(events);
  };
  const flush = (): void => {
    timer?.cancel();
    timer = undefined;
    const events = kept.length === 0 ? gathered : [...kept, ...gathered];
    gathered = [];
    kept = [];
    for (let at = 0; at < events.length; at += maxBatch) sendBatch(events.slice(at, at + maxBatch));
    if (kept.length > 0) timer = options.clock.setTimer(tryAgainMs, flush, { unref: true });
  };
  return {
    add(event) {
      if (gathered.length >= maxGathered) return options.onDropped(1);
      gathered.push(event);
      if (gathered.length >= maxBatch) flush();
      else timer ??= options.clock.setTimer(lingerMs, flush, { unref: true });
    },
    flush,
  };
}
