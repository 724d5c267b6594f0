/**
 * Trace events on their way to TRACE, subject `trace.edge`: gathered for a moment, sent without waiting for an acknowledgement, dropped and
 * counted when the stream is away or more come than may wait. Trace never slows mail and never makes memory grow.
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

export function createTraceBatcher(options: TraceBatcherOptions): TraceBatcher {
  let gathered: TraceEvent[] = [];
  let timer: Timer | undefined;
  const sendBatch = (events: TraceEvent[]): void => {
    const bytes = TraceBatch.encode({ events }).finish();
    if (bytes.length > maxBatchBytes && events.length > 1) {
      const half = events.length >> 1;
      sendBatch(events.slice(0, half));
      sendBatch(events.slice(half));
    } else if (!options.send(bytes)) options.onDropped(events.length);
  };
  const flush = (): void => {
    timer?.cancel();
    timer = undefined;
    const events = gathered;
    gathered = [];
    for (let at = 0; at < events.length; at += maxBatch) sendBatch(events.slice(at, at + maxBatch));
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
