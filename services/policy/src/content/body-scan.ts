/**
 * Looks into the parts of a message while its body streams by: how many, of which types, which attachments, and the hosts its text links to; into messages
 * and multiparts that are themselves encoded too. RFC 2045, RFC 2046 §5.1. Holds one line and the header section of one part; text is read up
 * to a bound, other parts are only measured. Parts, depth and header sections of parts are bounded, and where a bound ends the looking it is said.
 */
import { type HeaderSection, readHeaderSection } from '@postern/mail-message';
import { type Level, readDelimiter } from './delimiter.js';
import { LookedAt, type Part } from './looked-at.js';
import type { MimeFacts } from './mime-facts.js';
import { describePart } from './part-description.js';
import { isDecoded, TransferDecoder } from './transfer-decoder.js';

const LF = 0x0a;
const longestLine = 8_192;
const longestHeader = 65_536;
const deepest = 50;
/** Encoded messages in encoded messages: each costs another pass. */
const deepestEncoded = 5;
const delimiterStart = Buffer.from('\n--');

/** What an encoded part has within. */
interface Within {
  readonly decoder: TransferDecoder;
  readonly scan: BodyScan;
  /** Levels around it, its own included. */
  readonly level: number;
}

export class BodyScan {
  readonly #levels: Level[] = [];
  readonly #found: LookedAt;
  readonly #depth: number;
  #within: Within[] = [];
  #part: Part | undefined;
  #header: Buffer[] | undefined;
  /** Of the header section that is held. */
  #isInDigest = false;
  #headerSize = 0;
  #held: Buffer = Buffer.alloc(0);
  #lineBegins = true;

  private constructor(found: LookedAt, depth: number) {
    this.#found = found;
    this.#depth = depth;
  }

  static of(section: HeaderSection): BodyScan {
    const scan = new BodyScan(new LookedAt(), 0);
    scan.#open(section);
    return scan;
  }

  write(chunk: Buffer): void {
    let rest = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    this.#held = Buffer.alloc(0);
    while (rest.length > 0) {
      if (this.#found.isIncomplete) return;
      const taken = this.#skip(rest) || this.#block(rest);
      if (taken > 0) {
        rest = rest.subarray(taken);
        continue;
      }
      const end = rest.indexOf(LF) + 1;
      if (end === 0 && rest.length < longestLine) {
        this.#held = Buffer.from(rest);
        return;
      }
      const line = rest.subarray(0, end === 0 ? rest.length : end);
      this.#line(line);
      this.#lineBegins = end !== 0;
      rest = rest.subarray(line.length);
    }
  }

  end(): void {
    this.#close();
    this.#found.links.finish();
  }

  get facts(): MimeFacts {
    return this.#found.facts;
  }

  get hosts(): ReadonlySet<string> {
    return this.#found.links.hosts;
  }

  #close(): void {
    if (this.#held.length > 0) this.#line(this.#held);
    this.#held = Buffer.alloc(0);
    if (this.#header !== undefined) this.#openHeld();
    this.#leave(0);
  }

  /** Octets of a part nobody reads, up to the next line that may be a delimiter; 0 = the next line has to be looked at. */
  #skip(rest: Buffer): number {
    if (this.#header !== undefined || this.#within.length > 0 || this.#part?.isText === true || rest.length < 3)
      return 0;
    if (this.#lineBegins && rest[0] === 0x2d && rest[1] === 0x2d) return 0;
    const found = this.#levels.length === 0 ? -1 : rest.indexOf(delimiterStart);
    // Two octets stay: a delimiter may begin in them.
    const length = found === -1 ? rest.length - 2 : found + 1;
    if (length <= 0) return 0;
    if (this.#part !== undefined) this.#part.size += length;
    this.#lineBegins = rest[length - 1] === LF;
    return length;
  }

  /** Octets of whole lines none of which can be a delimiter, read as one: short lines would cost a call each. 0 = the next line has to be looked at. */
  #block(rest: Buffer): number {
    if (this.#header !== undefined || rest.length < 2) return 0;
    if (this.#lineBegins && rest[0] === 0x2d && rest[1] === 0x2d) return 0;
    const window = rest.subarray(0, longestLine);
    const found = this.#levels.length === 0 ? -1 : window.indexOf(delimiterStart);
    const length = (found === -1 ? window.lastIndexOf(LF) : found) + 1;
    if (length === 0) return 0;
    this.#body(window.subarray(0, length));
    this.#lineBegins = true;
    return length;
  }

  /** Octets behind a header section. */
  #body(octets: Buffer): void {
    for (const { decoder, scan } of this.#within) scan.write(decoder.write(octets));
    const part = this.#part;
    if (part === undefined) return;
    part.size += octets.length;
    if (part.isText) this.#found.links.read(octets, part);
  }

  #line(line: Buffer): void {
    if (this.#lineBegins && line[0] === 0x2d && line[1] === 0x2d && this.#delimiter(line)) return;
    if (this.#header === undefined) this.#body(line);
    else {
      for (const { decoder, scan } of this.#within) scan.write(decoder.write(line));
      this.#header.push(Buffer.from(line));
      this.#headerSize += line.length;
      if (line.length <= 2 && /^\r?\n$/.test(line.toString('latin1'))) this.#openHeld();
      else if (this.#headerSize > longestHeader) {
        this.#found.missed('part header');
        this.#openHeld();
      }
    }
  }

  #delimiter(line: Buffer): boolean {
    const found = readDelimiter(line, this.#levels);
    if (found === undefined) return false;
    const { level, isOpen } = found;
    if (this.#header !== undefined) this.#openHeld();
    this.#leave(level + 1);
    this.#found.links.end();
    // RFC 2046 §5.1.1: the line end before a delimiter belongs to it.
    if (this.#part !== undefined) this.#part.size = Math.max(0, this.#part.size - 2);
    this.#part = undefined;
    this.#levels.length = isOpen ? level + 1 : level;
    if (isOpen) this.#startHeader(this.#levels[level]?.isDigest);
    return true;
  }

  /** Ends what is within parts at this level and below. */
  #leave(level: number): void {
    for (const within of this.#within) {
      if (within.level < level) continue;
      within.scan.write(within.decoder.end());
      within.scan.#close();
    }
    this.#within = this.#within.filter((within) => within.level < level);
  }

  #startHeader(isInDigest = false): void {
    this.#isInDigest = isInDigest;
    if (this.#found.isFull) this.#found.missed('parts');
    this.#header = this.#found.isFull ? undefined : [];
    this.#headerSize = 0;
  }

  #openHeld(): void {
    const section = readHeaderSection(Buffer.concat(this.#header ?? []));
    if (section.end === 'tooManyFields') this.#found.missed('part header');
    this.#header = undefined;
    this.#open(section);
  }

  #open({ fields }: HeaderSection): void {
    const part = this.#found.add(describePart(fields, this.#isInDigest));
    this.#part = part;
    const level = this.#levels.length;
    const isMessage = part.types.some((type) => /^message\/(rfc822|global|news)$/.test(type));
    const encoding = part.encodings.find(isDecoded);
    if (encoding !== undefined && (isMessage || part.boundaries.length > 0)) {
      if (this.#depth >= deepestEncoded) this.#found.missed('depth');
      else {
        const scan = new BodyScan(this.#found, this.#depth + 1);
        if (isMessage) scan.#startHeader();
        else scan.#levels.push(part);
        this.#within.push({ decoder: new TransferDecoder(encoding), scan, level });
      }
    }
    if (part.boundaries.length > 0) {
      if (level < deepest) this.#levels.push(part);
      else this.#found.missed('depth');
    }
    if (isMessage && (part.encodings.length === 0 || !part.encodings.every(isDecoded))) this.#startHeader();
  }
}
