/**
 * The content of one message as it is judged: its header section, held and bounded; its body only passes by, hashed for DKIM. Nothing of the
 * body is kept; where the whole message came inline its bytes can be looked into. RFC 5322 §2.1.
 */
import type { Clock } from '@postern/clock';
import type { Resolver } from '@postern/dns';
import { type DkimResult, DkimVerifier } from '@postern/mail-auth';
import { type HeaderField, type HeaderSection, readHeaderSection } from '@postern/mail-message';
import { type MimeFacts, mimeFacts } from './mime-facts.js';

export const headerBytes = 262_144;
const headerFields = 10_000;
const maxKeyQueries = 30;

export interface ContentContext {
  readonly resolver: Resolver;
  readonly clock: Clock;
  /** Milliseconds for key lookups. */
  readonly dkimTimeoutMs: number;
  /** Signatures are to be verified. */
  readonly wantsDkim: boolean;
}

export class MessageContent {
  readonly section: HeaderSection;
  readonly #verifier: DkimVerifier | undefined;
  #dkim: Promise<readonly DkimResult[]> | undefined;
  #signatures: readonly DkimResult[] = [];
  #whole: Buffer | undefined;
  #mime: MimeFacts | undefined;
  #size: number;

  /** `bytes` begin with the header section; what follows it is the beginning of the body, or all of it. */
  constructor(bytes: Buffer, context: ContentContext) {
    this.section = readHeaderSection(bytes, { maxBytes: headerBytes, maxFields: headerFields });
    this.#size = bytes.length;
    if (!context.wantsDkim) return;
    const { clock, dkimTimeoutMs } = context;
    const resolver = context.resolver.withBudget({ queries: maxKeyQueries, deadlineMs: dkimTimeoutMs });
    this.#verifier = new DkimVerifier(this.section.fields, { resolver, clock });
    if (this.section.bodyOffset < bytes.length) this.#verifier.update(bytes.subarray(this.section.bodyOffset));
  }

  /** A message that came whole within its request. */
  static inline(bytes: Buffer, context: ContentContext): MessageContent {
    const content = new MessageContent(bytes, context);
    content.#whole = bytes;
    return content;
  }

  get fields(): readonly HeaderField[] {
    return this.section.fields;
  }

  /** Octets seen; for a header section alone the size the edge told. */
  get size(): number {
    return this.#size;
  }

  /** The size of a message of which only the header section came. */
  told(size: number): this {
    this.#size = Math.max(size, this.#size);
    return this;
  }

  /** The next octets of the body. */
  write(chunk: Buffer): void {
    this.#size += chunk.length;
    this.#verifier?.update(chunk);
  }

  /** To be asked for after the last octet. */
  dkim(): Promise<readonly DkimResult[]> {
    this.#dkim ??= this.#verify();
    return this.#dkim;
  }

  /** What verifying has come to so far: nothing until it is done, so that nobody waits twice. */
  get signatures(): readonly DkimResult[] {
    return this.#signatures;
  }

  async #verify(): Promise<readonly DkimResult[]> {
    this.#signatures = (await this.#verifier?.finish()) ?? [];
    return this.#signatures;
  }

  /** Undefined where the message did not come whole: larger than the inline limit, or its header section alone. */
  get mime(): MimeFacts | undefined {
    if (this.#whole !== undefined) this.#mime ??= mimeFacts(this.#whole);
    return this.#mime;
  }
}
