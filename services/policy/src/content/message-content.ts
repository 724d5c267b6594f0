/**
 * The content of one message as it is judged: its header section, held and bounded; its body only passes by, hashed for DKIM. Nothing of the
 * body is kept; where the whole message came inline its bytes can be looked into. RFC 5322 §2.1.
 */
import type { Clock } from '@postern/clock';
import type { Resolver } from '@postern/dns';
import {
  type ArcResult,
  ArcVerifier,
  type BodyDigests,
  type DkimResult,
  DkimVerifier,
  type DomainKeysResult,
  DomainKeysVerifier,
  OwnDigests,
  type PendingSignature,
  type PublicKeyCache,
} from '@postern/mail-auth';
import {
  fieldsNamed,
  type HeaderField,
  type HeaderSection,
  headerFromDomains,
  parseAddressList,
  readHeaderSection,
} from '@postern/mail-message';
import { BodyScan } from './body-scan.js';
import type { Incomplete, MimeFacts } from './mime-facts.js';

export const headerBytes = 262_144;
const headerFields = 10_000;
const maxKeyQueries = 30;
const mostAuthors = 60;

export interface ContentContext {
  readonly resolver: Resolver;
  readonly clock: Clock;
  /** Milliseconds for key lookups. */
  readonly dkimTimeoutMs: number;
  /** Signatures are to be verified. */
  readonly wantsDkim: boolean;
  readonly dkim: {
    readonly maxSignatures: number;
    readonly minRsaBits: number;
    readonly maxRsaBits: number;
    readonly keyCache?: PublicKeyCache;
  };
  /** A DomainKeys signature is to be verified. */
  readonly wantsDomainKeys: boolean;
  /** The ARC chain is to be verified. */
  readonly wantsArc: boolean;
  /** Parts or links are asked about: a body that does not come at once is looked into while it passes. */
  readonly wantsParts: boolean;
}

export class MessageContent {
  readonly section: HeaderSection;
  readonly #digests: BodyDigests;
  readonly #verifier: DkimVerifier | undefined;
  #dkim: Promise<readonly DkimResult[]> | undefined;
  #signatures: readonly DkimResult[] = [];
  #signers: readonly PendingSignature[] | undefined;
  readonly #arc: ArcVerifier | undefined;
  readonly #domainkeys: DomainKeysVerifier | undefined;
  #domainkeysResult: Promise<DomainKeysResult> | undefined;
  #arcResult: Promise<ArcResult> | undefined;
  #whole: Buffer | undefined;
  #scan: BodyScan | undefined;
  readonly #wantsParts: boolean;
  #scanned = false;
  #size: number;

  /** `bytes` begin with the header section; what follows it is the beginning of the body, or all of it. */
  constructor(bytes: Buffer, context: ContentContext, digests: BodyDigests = new OwnDigests(), isInline = false) {
    this.#digests = digests;
    this.#wantsParts = context.wantsParts;
    this.section = readHeaderSection(bytes, { maxBytes: headerBytes, maxFields: headerFields });
    this.#size = bytes.length;
    const { clock, dkimTimeoutMs, wantsDkim, wantsDomainKeys, wantsArc } = context;
    const { bodyOffset, fields } = this.section;
    if (wantsDkim || wantsDomainKeys || wantsArc) {
      const resolver = context.resolver.withBudget({ queries: maxKeyQueries, deadlineMs: dkimTimeoutMs });
      if (wantsDkim) this.#verifier = new DkimVerifier(fields, { resolver, clock, digests, ...context.dkim });
      if (wantsDomainKeys) this.#domainkeys = new DomainKeysVerifier(fields, { resolver, digests, ...context.dkim });
      if (wantsArc) this.#arc = new ArcVerifier(fields, { resolver, digests, ...context.dkim });
    }
    if (context.wantsParts && !isInline) this.#scan = BodyScan.of(this.section);
    if (bodyOffset < bytes.length) void this.#pass(bytes.subarray(bodyOffset), false);
  }

  /** A message that came whole within its request. */
  static inline(bytes: Buffer, context: ContentContext): MessageContent {
    const content = new MessageContent(bytes, context, new OwnDigests(), true);
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

  /** The next octets of the body, given away. A promise: wait for it before the next ones. */
  write(chunk: Buffer): Promise<void> | undefined {
    this.#size += chunk.length;
    return this.#pass(chunk, true);
  }

  /** The rest will not come. */
  drop(): void {
    this.#digests.drop();
  }

  #pass(chunk: Buffer, isGiven: boolean): Promise<void> | undefined {
    this.#scan?.write(chunk);
    return this.#digests.wanted ? this.#digests.update(chunk, isGiven) : undefined;
  }

  /** Who claims to have sealed the message; proven only where the chain passes. */
  get claimedSealers(): readonly string[] {
    return this.#arc?.claimedSealers ?? [];
  }

  /** To be asked for after the last octet; undefined = was not wanted. */
  arc(): Promise<ArcResult> | undefined {
    this.#arcResult ??= this.#arc?.finish();
    return this.#arcResult;
  }

  /** To be asked for after the last octet; undefined = was not wanted. */
  domainkeys(): Promise<DomainKeysResult> | undefined {
    this.#domainkeysResult ??= this.#domainkeys?.finish();
    return this.#domainkeysResult;
  }

  /** Each signature by itself, to be asked for after the last octet. */
  signers(): readonly PendingSignature[] {
    this.#signers ??= this.#verifier?.conclude() ?? [];
    return this.#signers;
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
    this.#signatures = await Promise.all(this.signers().map(({ result }) => result));
    return this.#signatures;
  }

  /** Why somebody who looks into the parts would not see all of them; undefined where nobody was known to look. */
  get incomplete(): Incomplete | undefined {
    return this.#wantsParts ? this.mime?.incomplete : undefined;
  }

  /** Undefined where only the header section came, or nobody was known to ask. */
  get mime(): MimeFacts | undefined {
    return this.#looked()?.facts;
  }

  /** Hosts in From, Reply-To and the text, in this order. */
  *hosts(): Iterable<string> {
    yield* headerFromDomains(this.fields).claimedDomains.slice(0, mostAuthors);
    for (const { value } of fieldsNamed(this.fields, 'reply-to').slice(0, 3))
      for (const { domain } of parseAddressList(value, { maxMailboxes: 20 }).mailboxes) yield domain.toLowerCase();
    yield* this.#looked()?.hosts ?? [];
  }

  /** A body that came at once is looked into when somebody asks. */
  #looked(): BodyScan | undefined {
    if (this.#scanned) return this.#scan;
    this.#scanned = true;
    if (this.#whole !== undefined) {
      this.#scan = BodyScan.of(this.section);
      this.#scan.write(this.#whole.subarray(this.section.bodyOffset));
    }
    this.#scan?.end();
    return this.#scan;
  }
}
