/**
 * Turns the chunks of a large message into its content while they come: the header section is gathered up to its bound, everything behind it
 * passes through. Memory is bounded by the header limit plus one chunk, whatever the size of the message (invariant 7).
 */
import type { BodyDigests } from '@postern/mail-auth';
import { findBodyOffset } from '@postern/mail-message';
import { type ContentContext, headerBytes, MessageContent } from './message-content.js';

export class ContentReader {
  readonly #context: ContentContext;
  readonly #digests: BodyDigests | undefined;
  #held: Buffer = Buffer.alloc(0);
  #content: MessageContent | undefined;

  constructor(context: ContentContext, digests?: BodyDigests) {
    this.#context = context;
    this.#digests = digests;
  }

  write(chunk: Buffer): Promise<void> | undefined {
    if (this.#content !== undefined) return this.#content.write(chunk);
    const from = Math.max(0, this.#held.length - 3);
    this.#held = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    if (findBodyOffset(this.#held, from) !== -1 || this.#held.length > headerBytes) this.#open();
    return undefined;
  }

  /** The rest will not come. */
  drop(): void {
    this.#content?.drop();
  }

  /** The content, after the last chunk. */
  end(): MessageContent {
    return this.#content ?? this.#open();
  }

  get size(): number {
    return this.#content?.size ?? this.#held.length;
  }

  #open(): MessageContent {
    this.#content = new MessageContent(this.#held, this.#context, this.#digests);
    this.#held = Buffer.alloc(0);
    return this.#content;
  }
}
