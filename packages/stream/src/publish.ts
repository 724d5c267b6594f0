/**
 * Durable publish: stored means the stream acknowledged. A timed-out publish is asked again with the same Msg-Id until the deadline, so
 * the dedup window makes the retry harmless (design.md, step 5; nats.node #628: a TIMEOUT may have been stored).
 * Invariant: `stored` is the only answer that lets a caller say 250 or acknowledge its own input.
 */

import { createInbox, headers, type MsgHdrs } from '@nats-io/nats-core';
import type { Clock } from '@postern/clock';
import { AckInbox } from './ack-inbox.js';
import type { StreamConnection } from './connection.js';
import { readPubAck } from './pub-ack.js';

export type PublishResult =
  | { readonly kind: 'stored'; readonly sequence: number; readonly duplicate: boolean }
  /** The stream said no: full, misconfigured, or damaged. Nothing was stored. */
  | { readonly kind: 'refused'; readonly reason: string }
  /** No answer until the deadline: it may have been stored. */
  | { readonly kind: 'unknown'; readonly reason: string };

export interface PublishOptions {
  /** Nats-Msg-Id: the idempotency key. */
  readonly msgId: string;
  /** Milliseconds in all; default 60,000. */
  readonly deadlineMs?: number;
  /** Milliseconds of one try; default 5,000. */
  readonly tryMs?: number;
  /** Extra headers, e.g. traceparent. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Added when it is asked again: the first try may have been stored, and taken, before a server forgot its Msg-Id. */
  readonly repeatHeaders?: Readonly<Record<string, string>>;
}

export interface Publisher {
  publish(subject: string, data: Uint8Array, options: PublishOptions): Promise<PublishResult>;
}

const retryPauseMs = 200;

function headersOf(msgId: string, extra: Readonly<Record<string, string>> | undefined): MsgHdrs {
  const result = headers();
  result.set('Nats-Msg-Id', msgId);
  if (extra !== undefined) for (const [name, value] of Object.entries(extra)) result.set(name, value);
  return result;
}

export function createPublisher(connection: StreamConnection, clock: Clock): Publisher {
  const acks = new AckInbox(connection.nats, createInbox(connection.inboxPrefix), clock);
  return {
    async publish(subject, data, options) {
      const tryMs = options.tryMs ?? 5_000;
      const end = clock.monotonic() + (options.deadlineMs ?? 60_000);
      let head = headersOf(options.msgId, options.headers);
      const { guard } = connection;
      for (;;) {
        const damage = guard.damage();
        if (damage !== undefined) return { kind: 'refused', reason: damage };
        const above = guard.place(subject);
        const timeout = Math.max(1, Math.min(tryMs, end - clock.monotonic()));
        const answer = await acks.request(subject, data, head, timeout);
        const result = answer.kind === 'message' ? readPubAck(answer.message.data) : answer;
        if (result.kind === 'damaged') {
          guard.report(result.reason);
          // In a cluster the other servers may have it, and one of them answers soon.
          if (guard.damage() !== undefined) return { kind: 'refused', reason: result.reason };
        }
        if (result.kind === 'refused') return result;
        if (result.kind === 'stored') {
          const isSafe = result.duplicate
            ? guard.damage() === undefined
            : guard.isInPlace(subject, result.sequence, above + 1);
          return isSafe ? result : { kind: 'unknown', reason: guard.damage() ?? 'the stream went back' };
        }
        if (connection.nats.isClosed() || end - clock.monotonic() <= retryPauseMs) {
          return { kind: 'unknown', reason: result.reason };
        }
        await clock.sleep(retryPauseMs);
        if (options.repeatHeaders !== undefined)
          head = headersOf(options.msgId, { ...options.headers, ...options.repeatHeaders });
      }
    },
  };
}
