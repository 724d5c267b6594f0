/**
 * Verifies the ARC chain of one message while its body streams by: the last ARC-Message-Signature and every
 * ARC-Seal. RFC 8617 §5.2. Whether the sealers are trusted is not decided here: `sets` says who sealed what.
 */
import type { Resolver } from '@postern/dns';
import type { HeaderField } from '@postern/mail-message';
import { type BodyDigests, keyOf, OwnDigests } from '../dkim/body-digests.js';
import { canonicalField, canonicalSignatureField } from '../dkim/canonical-header.js';
import { fetchPublicKey, type KeyPolicy, type KeyResult } from '../dkim/public-key.js';
import { signedText } from '../dkim/verify.js';
import { confirms } from '../dkim/verify-signature.js';
import { type ArcChain, type ArcSet, readArcChain } from './chain.js';

export interface ArcResult {
  readonly result: 'none' | 'pass' | 'fail' | 'temperror';
  readonly reason: string | undefined;
  /** Oldest first; empty unless the chain passes. */
  readonly sets: readonly {
    readonly instance: number;
    readonly sealDomain: string;
    /** The value of ARC-Authentication-Results behind its instance. */
    readonly authenticationResults: string;
  }[];
}

export interface ArcContext extends KeyPolicy {
  readonly resolver: Resolver;
  /** Shared with others who want the same body; whoever gives it updates it. */
  readonly digests?: BodyDigests;
}

interface KeyName {
  readonly domain: string;
  readonly selector: string;
  readonly algorithm: 'rsa-sha256' | 'ed25519-sha256';
}

export class ArcVerifier {
  readonly #fields: readonly HeaderField[];
  readonly #context: ArcContext;
  readonly #chain: ArcChain;
  readonly #digests: BodyDigests;
  readonly #keys = new Map<string, Promise<KeyResult>>();

  constructor(fields: readonly HeaderField[], context: ArcContext) {
    this.#fields = fields;
    this.#context = context;
    this.#digests = context.digests ?? new OwnDigests();
    this.#chain = readArcChain(fields);
    if (this.#chain.kind !== 'chain') return;
    const { signature, sets } = this.#chain;
    this.#digests.want({ form: signature.bodyForm, limit: signature.bodyLength });
    void this.#key(signature);
    for (const { seal } of sets) void this.#key(seal);
  }

  get needsBody(): boolean {
    return this.#chain.kind === 'chain';
  }

  /** Who claims to have sealed the message, oldest first; proven only where the chain passes. */
  get claimedSealers(): readonly string[] {
    return this.#chain.kind === 'chain' ? this.#chain.sets.map(({ seal }) => seal.domain) : [];
  }

  update(chunk: Uint8Array): void {
    this.#digests.update(chunk);
  }

  async finish(): Promise<ArcResult> {
    if (this.#chain.kind === 'none') return { result: 'none', reason: undefined, sets: [] };
    if (this.#chain.kind === 'broken') return failed(this.#chain.reason);
    const { sets, signature } = this.#chain;
    const { bodyForm, bodyLength } = signature;
    const body = (await this.#digests.finish()).get(keyOf({ form: bodyForm, limit: bodyLength }));
    if (body === undefined) return { result: 'temperror', reason: 'body could not be hashed', sets: [] };
    if (!signature.bodyHash.equals(body.octets)) return failed('body hash differs');
    if (bodyLength !== undefined && bodyLength !== body.length) return failed('l= is not the whole body');
    const key = await this.#key(signature);
    if (key.kind === 'none') return keyless(key, 'ARC-Message-Signature');
    const text = signedText(this.#fields, signature);
    if (!confirms(signature.algorithm, key.key, text, signature.signature)) {
      return failed('ARC-Message-Signature does not match');
    }
    return (await this.#checkSeals(sets)) ?? { result: 'pass', reason: undefined, sets: sets.map(describe) };
  }

  /** From the last to the first, so that the youngest fault is named. */
  async #checkSeals(sets: readonly ArcSet[]): Promise<ArcResult | undefined> {
    const covered: string[] = [];
    let before = '';
    for (const set of sets) {
      const own = canonicalField(set.resultsField, 'relaxed') + canonicalField(set.signatureField, 'relaxed');
      covered.push(before + own + canonicalSignatureField(set.sealField, 'relaxed'));
      before += own + canonicalField(set.sealField, 'relaxed');
    }
    for (const { instance, seal } of sets.toReversed()) {
      const key = await this.#key(seal);
      if (key.kind === 'none') return keyless(key, `ARC-Seal ${instance}`);
      if (!confirms(seal.algorithm, key.key, covered[instance - 1] ?? '', seal.signature)) {
        return failed(`ARC-Seal ${instance} does not match`);
      }
    }
    return undefined;
  }

  #key(wanted: KeyName): Promise<KeyResult> {
    const name = `${wanted.algorithm} ${wanted.selector} ${wanted.domain}`;
    let key = this.#keys.get(name);
    if (key === undefined) {
      key = fetchPublicKey(this.#context.resolver, wanted, this.#context);
      this.#keys.set(name, key);
    }
    return key;
  }
}

const failed = (reason: string): ArcResult => ({ result: 'fail', reason, sets: [] });

function keyless(key: Extract<KeyResult, { kind: 'none' }>, of: string): ArcResult {
  return { result: key.result === 'temperror' ? 'temperror' : 'fail', reason: `${of}: ${key.reason}`, sets: [] };
}

function describe({ instance, seal, resultsField }: ArcSet): ArcResult['sets'][number] {
  const { value } = resultsField;
  return {
    instance,
    sealDomain: seal.domain,
    authenticationResults: value.slice(value.indexOf(';') + 1).trim(),
  };
}

/** The whole in one call. */
export async function verifyArc(
  fields: readonly HeaderField[],
  body: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  context: ArcContext,
): Promise<ArcResult> {
  const verifier = new ArcVerifier(fields, context);
  if (verifier.needsBody) for await (const chunk of body) verifier.update(chunk);
  return verifier.finish();
}
