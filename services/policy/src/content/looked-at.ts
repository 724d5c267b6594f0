/** What looking into a message has found so far, its nested messages included (body-scan.ts). Bounded; the first bound that was met is kept. */
import { LinkReader } from './link-reader.js';
import type { Incomplete, MimeFacts } from './mime-facts.js';
import type { PartDescription } from './part-description.js';

export interface Part extends PartDescription {
  size: number;
}

/** No mail program writes as many (docs/checks.md says what happens beyond). */
const mostParts = 1_000;
const mostTypes = 1_000;
const mostNames = 2_000;
/** Of fields that name things, and of encoded words in them: reading these costs most. */
const mostOctets = 524_288;
const mostWords = 8_000;

export class LookedAt {
  readonly #parts: Part[] = [];
  readonly links = new LinkReader();
  #names = 0;
  #octets = 0;
  #words = 0;
  #incomplete: Incomplete | undefined;

  get isFull(): boolean {
    return this.#parts.length >= mostParts;
  }

  /** A bound was met: what follows is not looked at. */
  get isIncomplete(): boolean {
    return this.#incomplete !== undefined;
  }

  missed(what: Incomplete): void {
    this.#incomplete ??= what;
  }

  add(description: PartDescription): Part {
    const part = { ...description, size: 0 };
    this.#parts.push(part);
    this.#names += part.names.length;
    this.#octets += part.octets;
    this.#words += part.words;
    if (part.isCut) this.missed('part header');
    if (this.#names > mostNames || this.#octets > mostOctets || this.#words > mostWords) this.missed('names');
    return part;
  }

  get facts(): MimeFacts {
    const attachments = this.#parts.filter(({ isAttachment }) => isAttachment);
    return {
      parts: this.#parts.length,
      types: [...new Set(this.#parts.flatMap(({ types }) => types))].slice(0, mostTypes),
      attachments: attachments.flatMap(({ names }) => (names.length === 0 ? [''] : names)).slice(0, mostNames),
      largestAttachment: attachments.reduce((largest, part) => Math.max(largest, decodedSize(part)), 0),
      incomplete: this.#incomplete,
    };
  }
}

/** Decoded octets, without decoding: four characters are three octets, and 76 characters a line have a line end of two. */
function decodedSize({ encodings, size }: Part): number {
  return encodings[0] === 'base64' ? Math.floor(((size - 2 * Math.floor(size / 78)) * 3) / 4) : size;
}
