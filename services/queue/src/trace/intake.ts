/**
 * TRACE to `mail.trace_events`: gathers events for a short while and inserts them at once. Trace may be lost and never holds anything up: the stream
 * drops its oldest, what cannot be read or stored is counted and dropped; with PostgreSQL away it stays in the stream and is asked for later.
 */
import type { Clock, Timer } from '@postern/clock';
import { TraceBatch, type TraceEvent } from '@postern/proto/mail/v1/trace';
import type { Delivery } from '@postern/stream';
import type { Database } from '../store/database.js';
import { failureKind } from '../store/health.js';
import { recordTrace, type TraceRow } from '../store/records.js';
import { printable } from '../unit-change.js';

export interface TraceIntakeParts {
  readonly clock: Clock;
  readonly database: Database;
  readonly maxEvents: number;
  readonly onResult: (result: 'stored' | 'dropped', events: number) => void;
}

export interface TraceIntake {
  handle(batch: readonly Delivery[]): Promise<void>;
}

const lingerMs = 100;
const retryDelayMs = 5_000;
const longestText = 1_000;
const detailsKept = 32;

interface Entry {
  readonly message: Delivery;
  readonly rows: readonly TraceRow[];
  readonly finished: () => void;
}

export function createTraceIntake(parts: TraceIntakeParts): TraceIntake {
  let gathered: Entry[] = [];
  let count = 0;
  let busy = false;
  let timer: Timer | undefined;

  const write = async (entries: readonly Entry[]): Promise<void> => {
    const rows = entries.flatMap((entry) => entry.rows);
    try {
      await parts.database.service((transaction) => recordTrace(transaction, rows));
      parts.onResult('stored', rows.length);
      for (const { message } of entries) message.ack();
    } catch (error) {
      if (failureKind(error) !== 'data') for (const { message } of entries) message.nak(retryDelayMs);
      else if (entries.length === 1) {
        parts.onResult('dropped', rows.length);
        for (const { message } of entries) message.ack();
      } else for (const entry of entries) await write([entry]);
    }
  };
  const flush = async (): Promise<void> => {
    timer?.cancel();
    timer = undefined;
    if (busy || gathered.length === 0) return;
    busy = true;
    const entries = gathered;
    gathered = [];
    count = 0;
    await write(entries);
    for (const { finished } of entries) finished();
    busy = false;
    if (gathered.length > 0) schedule();
  };
  const schedule = (): void => {
    timer ??= parts.clock.setTimer(lingerMs, () => {
      timer = undefined;
      void flush();
    });
  };
  const take = (message: Delivery): Promise<void> | undefined => {
    const rows = read(message.data);
    if (rows === undefined) {
      parts.onResult('dropped', 1);
      message.ack();
      return undefined;
    }
    return new Promise((finished) => {
      gathered.push({ message, rows, finished });
      count += rows.length;
      if (busy) return;
      if (count >= parts.maxEvents) void flush();
      else schedule();
    });
  };
  return {
    async handle(batch) {
      await Promise.all(batch.map(take));
    },
  };
}

function read(data: Uint8Array): TraceRow[] | undefined {
  try {
    return TraceBatch.decode(data).events.map(toRow);
  } catch {
    return undefined;
  }
}

const short = (text: string): string => printable(text).slice(0, longestText);

function toRow(event: TraceEvent): TraceRow {
  const detail = Object.entries(event.detail).slice(0, detailsKept);
  return {
    at: event.atMs,
    event: short(event.event),
    sessionId: short(event.sessionId),
    queueId: short(event.queueId),
    tenant: event.tenant === '' ? 'system' : short(event.tenant),
    reversePath: short(event.reversePath),
    recipient: short(event.recipient),
    reply: short(event.reply),
    clientAddress: event.event.startsWith('edge.') ? short(event.detail.client ?? '') : '',
    detail: Object.fromEntries(detail.map(([name, value]) => [short(name), short(value)])),
  };
}
