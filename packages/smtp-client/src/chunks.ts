/**
 * Sends a binary message in counted chunks, RFC 3030 §2-3: the only way in which octets that are no lines may leave. Each chunk is answered before
 * the next one goes; the last one is held until the fence was asked. Nothing is stuffed and nothing is looked at: the count alone says what is content.
 */
import { type ContentResult, mayFinish } from './content.js';
import type { OutboundMessage } from './outcome.js';
import type { Wire } from './wire.js';

const chunkOctets = 65_536;

/** Gathers small pieces; large ones pass as they are. */
async function* chunksOf(content: AsyncIterable<Buffer> | Iterable<Buffer>): AsyncGenerator<Buffer> {
  let held: Buffer[] = [];
  let octets = 0;
  for await (const piece of content) {
    held.push(piece);
    octets += piece.length;
    if (octets < chunkOctets) continue;
    yield Buffer.concat(held, octets);
    held = [];
    octets = 0;
  }
  yield Buffer.concat(held, octets);
}

class ChunkWriter {
  bytes = 0;

  constructor(
    private readonly wire: Wire,
    private readonly timeoutMs: number,
  ) {}

  write(chunk: Buffer, last: boolean): void {
    this.bytes += chunk.length;
    this.wire.write(Buffer.concat([Buffer.from(`BDAT ${chunk.length}${last ? ' LAST' : ''}\r\n`), chunk]));
  }

  /** Null = the chunk was taken. */
  async answer(): Promise<ContentResult | null> {
    const answer = await this.wire.nextReply(this.timeoutMs);
    if (!answer.ok) return { kind: 'failed', bytes: this.bytes, fault: answer.fault };
    if (answer.reply.code === 250) return null;
    return { kind: 'refused', bytes: this.bytes, reply: answer.reply };
  }
}

/** As `sendContent`: after `sent` the reply to the last chunk is still to come. */
export async function sendChunks(message: OutboundMessage, wire: Wire, timeoutMs: number): Promise<ContentResult> {
  const writer = new ChunkWriter(wire, timeoutMs);
  let held: Buffer | undefined;
  try {
    for await (const chunk of chunksOf(message.content())) {
      if (held !== undefined) {
        writer.write(held, false);
        const stop = await writer.answer();
        if (stop !== null) return stop;
      }
      held = chunk;
    }
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    return { kind: 'sourceFailed', bytes: writer.bytes, detail };
  }
  if (!(await mayFinish(message))) return { kind: 'fenced', bytes: writer.bytes };
  writer.write(held ?? Buffer.alloc(0), true);
  return { kind: 'sent', bytes: writer.bytes };
}
