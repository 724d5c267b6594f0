/**
 * Streams a message's content after 354, up to and with the final dot. RFC 5321 §4.1.1.4.
 * Small pieces are gathered, so that a small message is one write with its dot; each block the socket does not take
 * at once has a deadline. The fence is asked when everything but the last block is with the socket.
 */
import type { ServerReply } from '@postern/smtp-core';
import { DotStuffer } from './dot-stuffing.js';
import type { WireFault } from './failure.js';
import type { OutboundMessage } from './outcome.js';
import type { Wire } from './wire.js';

export type ContentResult =
  | { readonly kind: 'sent'; readonly bytes: number }
  | { readonly kind: 'fenced' | 'bareNewline'; readonly bytes: number }
  | { readonly kind: 'sourceFailed'; readonly bytes: number; readonly detail: string }
  /** The server answered before the end: it will not have the message. */
  | { readonly kind: 'refused'; readonly bytes: number; readonly reply: ServerReply }
  | { readonly kind: 'failed'; readonly bytes: number; readonly fault: WireFault };

const BLOCK_BYTES = 65_536;

class BlockWriter {
  readonly #wire: Wire;
  readonly #timeoutMs: number;
  #held: Buffer[] = [];
  #heldBytes = 0;
  bytes = 0;

  constructor(wire: Wire, timeoutMs: number) {
    this.#wire = wire;
    this.#timeoutMs = timeoutMs;
  }

  /** Null, or a promise to wait for before the next chunk. */
  add(bytes: Buffer): Promise<WireFault | null> | null {
    this.#held.push(bytes);
    this.#heldBytes += bytes.length;
    this.bytes += bytes.length;
    return this.#heldBytes >= BLOCK_BYTES ? this.flush() : null;
  }

  flush(): Promise<WireFault | null> | null {
    const [first] = this.#held;
    if (first === undefined) return null;
    const block = this.#held.length === 1 ? first : Buffer.concat(this.#held, this.#heldBytes);
    this.#held = [];
    this.#heldBytes = 0;
    return this.#wire.write(block) ? null : this.#wire.drain(this.#timeoutMs);
  }
}

type Stop = Exclude<ContentResult, { readonly kind: 'sent' }>;

/** A reply or fault that ends the content early. Any reply before the dot means the server gave up on it. */
function interruption(wire: Wire, bytes: number): Stop | null {
  const reply = wire.takeReply();
  if (reply !== null) return { kind: 'refused', bytes, reply };
  return wire.fault === null ? null : { kind: 'failed', bytes, fault: wire.fault };
}

async function pump(
  message: OutboundMessage,
  wire: Wire,
  writer: BlockWriter,
  stuffer: DotStuffer,
): Promise<Stop | null> {
  for await (const chunk of message.content()) {
    const stuffed = stuffer.push(chunk);
    if (!stuffed.ok) return { kind: 'bareNewline', bytes: writer.bytes };
    const wait = writer.add(stuffed.bytes);
    if (wait !== null) await wait;
    const stop = interruption(wire, writer.bytes);
    if (stop !== null) return stop;
  }
  return null;
}

/** The fence. One that fails holds: closing costs a retry, going on may cost a duplicate. */
export async function mayFinish(message: OutboundMessage): Promise<boolean> {
  try {
    return message.beforeFinalDot === undefined || (await message.beforeFinalDot());
  } catch {
    return false;
  }
}

/** Sends the content. Anything but `sent` means: the final dot was not written, and the connection must be closed. */
export async function sendContent(
  message: OutboundMessage,
  wire: Wire,
  blockTimeoutMs: number,
): Promise<ContentResult> {
  const writer = new BlockWriter(wire, blockTimeoutMs);
  const stuffer = new DotStuffer();
  try {
    const stop = await pump(message, wire, writer, stuffer);
    if (stop !== null) return stop;
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    return { kind: 'sourceFailed', bytes: writer.bytes, detail };
  }
  const end = stuffer.finish();
  if (!end.ok) return { kind: 'bareNewline', bytes: writer.bytes };
  if (!(await mayFinish(message))) return { kind: 'fenced', bytes: writer.bytes };
  const late = interruption(wire, writer.bytes);
  if (late !== null) return late;
  // From here on the server may have the message: whoever waits for its reply deals with a fault.
  await (writer.add(end.bytes) ?? writer.flush());
  return { kind: 'sent', bytes: writer.bytes };
}
