/**
 * What a stream answers a publish. A replicated stream remembers the Msg-Id of a message when it proposes it, before a majority has it, and answers a
 * repetition meanwhile as a duplicate without a sequence (nats-server 2.10), or as a conflict (later ones): neither says that anything is stored.
 */
export type PubAckResult =
  | { readonly kind: 'stored'; readonly sequence: number; readonly duplicate: boolean }
  | { readonly kind: 'refused'; readonly reason: string }
  /** The server could not write the stream: see `store-guard.ts`. */
  | { readonly kind: 'damaged'; readonly reason: string }
  /** No answer that decides: ask again. */
  | { readonly kind: 'again'; readonly reason: string };

interface PubAck {
  readonly seq?: unknown;
  readonly duplicate?: unknown;
  readonly error?: { readonly description?: string; readonly err_code?: number };
}

/** JSStreamDuplicateMessageConflict: a message with this Msg-Id is on its way. */
const inFlight = 10_158;
/** JSStreamStoreFailed: at a limit of the stream, or the write itself failed. */
const storeFailed = 10_077;
const atLimit = /^maximum /;
const onItsWay = { kind: 'again', reason: 'on its way, no majority yet' } as const;

export function readPubAck(data: Uint8Array): PubAckResult {
  // No responders: headers only.
  if (data.length === 0) return { kind: 'again', reason: 'no stream answers' };
  let ack: PubAck | null;
  try {
    ack = JSON.parse(Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('utf8'));
  } catch {
    return { kind: 'again', reason: 'the acknowledgement cannot be read' };
  }
  if (typeof ack !== 'object' || ack === null) return { kind: 'again', reason: 'the acknowledgement cannot be read' };
  if (ack.error !== undefined) {
    if (ack.error.err_code === inFlight) return onItsWay;
    const reason = ack.error.description ?? `error ${ack.error.err_code}`;
    return { kind: ack.error.err_code === storeFailed && !atLimit.test(reason) ? 'damaged' : 'refused', reason };
  }
  if (typeof ack.seq !== 'number' || ack.seq <= 0) return onItsWay;
  return { kind: 'stored', sequence: ack.seq, duplicate: ack.duplicate === true };
}
