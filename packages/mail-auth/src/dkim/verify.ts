/**
 * Verifies the DKIM signatures of one message. The key lookups start with the header section and go on while the
 * body streams by; the body is hashed once per canonical form in use. At most ten signatures are looked at, from
 * the top. A body longer than l= says is not covered by the signature, so such a signature does not pass.
 * RFC 6376 §6. Results in the words of RFC 8601 §2.7.1. Does not judge the message.
 */
import type { Clock } from '@postern/clock';
import type { Resolver } from '@postern/dns';
import type { HeaderField } from '@postern/mail-message';
import { type BodyDigest, type BodyDigests, type DigestsByForm, keyOf, OwnDigests } from './body-digests.js';
import { canonicalField, canonicalSignatureField, selectFields } from './canonical-header.js';
import { fetchPublicKey, type KeyPolicy, type KeyResult } from './public-key.js';
import { type ParsedSignature, parseSignature, type Signature } from './signature.js';
import { confirms } from './verify-signature.js';

export interface DkimResult {
  readonly result: 'pass' | 'fail' | 'neutral' | 'policy' | 'temperror' | 'permerror';
  readonly domain: string;
  readonly selector: string;
  readonly algorithm: string;
  /** i=, '' where the signature could not be read. */
  readonly identity: string;
  /** Bits of the key, 0 where none was used. */
  readonly keyBits: number;
  /** The key says that its domain is only testing (t=y). */
  readonly testing: boolean;
  /** The first characters of b=, which tell two signatures of a domain apart (header.b, RFC 6008). */
  readonly signaturePrefix: string;
  readonly reason: string | undefined;
}

export interface DkimContext extends KeyPolicy {
  readonly resolver: Resolver;
  readonly clock: Clock;
  /** Default 10. */
  readonly maxSignatures?: number;
  /** Shared with others who want the same body; whoever gives it updates it. */
  readonly digests?: BodyDigests;
}

/** One signature, by the domain it speaks for; others may be known sooner. */
export interface PendingSignature {
  readonly domain: string;
  readonly result: Promise<DkimResult>;
}

interface Pending {
  readonly parsed: ParsedSignature;
  readonly key: Promise<KeyResult> | undefined;
}

export class DkimVerifier {
  readonly #fields: readonly HeaderField[];
  readonly #context: DkimContext;
  readonly #pending: readonly Pending[];
  readonly #digests: BodyDigests;

  constructor(fields: readonly HeaderField[], context: DkimContext) {
    this.#fields = fields;
    this.#context = context;
    this.#digests = context.digests ?? new OwnDigests();
    this.#pending = fields
      .filter((field) => field.key === 'dkim-signature')
      .slice(0, context.maxSignatures ?? 10)
      .map((field) => this.#start(parseSignature(field, 'dkim')));
  }

  /** False: no signature wants the body. */
  get needsBody(): boolean {
    return this.#digests.wanted;
  }

  /** The next octets of the body, the empty line not among them. */
  update(chunk: Uint8Array): void {
    this.#digests.update(chunk);
  }

  finish(): Promise<DkimResult[]> {
    return Promise.all(this.conclude().map(({ result }) => result));
  }

  /** As `finish`, each signature by itself: a key that does not come holds up nobody else. Once, after the last octet. */
  conclude(): readonly PendingSignature[] {
    const digests = Promise.resolve(this.#digests.finish());
    return this.#pending.map((pending) => ({
      domain: nameOf(pending.parsed).domain,
      result: digests.then((done) => this.#conclude(pending, done)),
    }));
  }

  #start(parsed: ParsedSignature): Pending {
    if (parsed.kind === 'refused') return { parsed, key: undefined };
    const { signature } = parsed;
    this.#digests.want({ form: signature.bodyForm, limit: signature.bodyLength });
    return { parsed, key: fetchPublicKey(this.#context.resolver, signature, this.#context) };
  }

  async #conclude({ parsed, key }: Pending, digests: DigestsByForm): Promise<DkimResult> {
    if (parsed.kind === 'refused' || key === undefined) {
      return { ...nameOf(parsed), identity: '', keyBits: 0, testing: false, signaturePrefix: '', ...verdictOf(parsed) };
    }
    const { signature } = parsed;
    const found = await key;
    const digest = digests.get(keyOf({ form: signature.bodyForm, limit: signature.bodyLength }));
    return {
      ...nameOf(parsed),
      identity: signature.identity,
      keyBits: found.kind === 'key' ? found.bits : 0,
      testing: found.kind === 'key' && found.testing,
      signaturePrefix: signature.signature.toString('base64').slice(0, 8),
      ...this.#judge(signature, found, digest),
    };
  }

  #judge(signature: Signature, key: KeyResult, body: BodyDigest | undefined): Verdict {
    if (key.kind === 'none') return { result: key.result, reason: key.reason };
    if (key.strictIdentity && signature.identity.slice(signature.identity.lastIndexOf('@') + 1) !== signature.domain) {
      return { result: 'permerror', reason: 'i= is below d=, which the key forbids' };
    }
    const { expiresAt, bodyLength } = signature;
    if (expiresAt !== undefined && expiresAt < this.#context.clock.now() / 1000) {
      return { result: 'policy', reason: 'signature expired' };
    }
    if (body === undefined) return { result: 'temperror', reason: 'body could not be hashed' };
    if (bodyLength !== undefined && bodyLength > body.length) return { result: 'fail', reason: 'l= beyond the body' };
    if (!signature.bodyHash.equals(body.octets)) return { result: 'fail', reason: 'body hash differs' };
    if (!confirms(signature.algorithm, key.key, signedText(this.#fields, signature), signature.signature)) {
      return { result: 'fail', reason: 'signature does not match' };
    }
    if (bodyLength !== undefined && bodyLength < body.length) {
      return { result: 'policy', reason: 'body continues beyond l=' };
    }
    return { result: 'pass', reason: undefined };
  }
}

type Verdict = Pick<DkimResult, 'result' | 'reason'>;

function nameOf(parsed: ParsedSignature): Pick<DkimResult, 'domain' | 'selector' | 'algorithm'> {
  const { domain, selector, algorithm } = parsed.kind === 'signature' ? parsed.signature : parsed;
  return { domain, selector, algorithm };
}

function verdictOf(parsed: ParsedSignature): Verdict {
  return parsed.kind === 'refused'
    ? { result: parsed.result, reason: parsed.reason }
    : { result: 'neutral', reason: 'not processed' };
}

/** What the signature signs: the fields of h=, then its own without b=. RFC 6376 §3.7. */
export function signedText(fields: readonly HeaderField[], signature: Signature): string {
  let text = '';
  for (const field of selectFields(fields, signature.headerNames, signature.field)) {
    text += canonicalField(field, signature.headerForm);
  }
  return text + canonicalSignatureField(signature.field, signature.headerForm);
}

/** The whole in one call. */
export async function verifyDkim(
  fields: readonly HeaderField[],
  body: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  context: DkimContext,
): Promise<DkimResult[]> {
  const verifier = new DkimVerifier(fields, context);
  if (verifier.needsBody) for await (const chunk of body) verifier.update(chunk);
  return verifier.finish();
}
