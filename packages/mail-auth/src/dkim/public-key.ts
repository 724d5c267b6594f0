/**
 * The public key of a signature: fetched, read, and measured against the policy (RSA of 1024 to 4096 bits).
 * RFC 6376 §3.6.1, §6.1.2; RFC 8301 §3.2; RFC 8463 §3.
 */
import { createPublicKey, type KeyObject } from 'node:crypto';
import { isTemporary, type Resolver } from '@postern/dns';
import type { SignatureAlgorithm } from './signature.js';
import { decodeBase64, parseTagList, splitColons, type TagList } from './tag-list.js';

export interface KeyPolicy {
  /** Default 1024. */
  readonly minRsaBits?: number;
  /** Default 4096. */
  readonly maxRsaBits?: number;
  /** Keys already read, by record text: reading one costs more than a verification. One per policy. */
  readonly keyCache?: PublicKeyCache;
}

export interface PublicKey {
  readonly kind: 'key';
  readonly key: KeyObject;
  readonly bits: number;
  /** t=y: the domain is trying DKIM out. */
  readonly testing: boolean;
  /** t=s: i= must name d= itself. */
  readonly strictIdentity: boolean;
  /** g= of DomainKeys: the one local part it is for; '' = all. DKIM knows none (RFC 6376 §3.6.1). */
  readonly granularity: string;
}

export type KeyResult =
  | PublicKey
  | { readonly kind: 'none'; readonly result: 'temperror' | 'permerror' | 'policy'; readonly reason: string };

/** Bounded, the key longest unused going first. Holds what records say, never that a record is absent. */
export class PublicKeyCache {
  readonly #entries = new Map<string, KeyResult>();
  readonly #maxEntries: number;

  constructor(maxEntries = 1_000) {
    this.#maxEntries = maxEntries;
  }

  read(text: string, algorithm: SignatureAlgorithm, policy: KeyPolicy): KeyResult {
    if (text.length > MAX_CACHED_TEXT) return readKeyRecord(text, algorithm, policy);
    const name = `${algorithm} ${text}`;
    const key = this.#entries.get(name) ?? readKeyRecord(text, algorithm, policy);
    this.#entries.delete(name);
    this.#entries.set(name, key);
    if (this.#entries.size > this.#maxEntries) {
      for (const oldest of this.#entries.keys()) {
        this.#entries.delete(oldest);
        break;
      }
    }
    return key;
  }
}

const MAX_CACHED_TEXT = 2_048;
const MAX_EXPONENT = 0xffff_ffffn;

export async function fetchPublicKey(
  resolver: Resolver,
  { domain, selector, algorithm }: { domain: string; selector: string; algorithm: SignatureAlgorithm },
  policy: KeyPolicy,
): Promise<KeyResult> {
  const found = await resolver.txt(`${selector}._domainkey.${domain}`);
  if (isTemporary(found)) return { kind: 'none', result: 'temperror', reason: `key not available: ${found.kind}` };
  if (found.kind !== 'answer') return permanent('no key');
  // Several records at a selector are not defined; the first that can be read is taken.
  let outcome: KeyResult = permanent('no key');
  for (const text of found.values.slice(0, 4)) {
    outcome = policy.keyCache?.read(text, algorithm, policy) ?? readKeyRecord(text, algorithm, policy);
    if (outcome.kind === 'key') return outcome;
  }
  return outcome;
}

export function readKeyRecord(text: string, algorithm: SignatureAlgorithm, policy: KeyPolicy): KeyResult {
  const tags = parseTagList(text);
  const problem = tags === undefined ? 'tag list' : misfit(tags, algorithm);
  if (tags === undefined || problem !== undefined) return permanent(`key record: ${problem}`);
  const wanted = tags.get('p') ?? '';
  if (wanted === '') return permanent('key revoked');
  const key = readKey(wanted, algorithm);
  if (key === undefined) return permanent('key record: p=');
  const flags = splitColons(tags.get('t') ?? '');
  const testing = flags.includes('y');
  const strictIdentity = flags.includes('s');
  const granularity = tags.get('g') ?? '';
  if (algorithm === 'ed25519-sha256') return { kind: 'key', key, bits: 256, testing, strictIdentity, granularity };
  const { modulusLength: bits = 0, publicExponent = 0n } = key.asymmetricKeyDetails ?? {};
  const { minRsaBits = 1024, maxRsaBits = 4096 } = policy;
  if (bits < minRsaBits) return { kind: 'none', result: 'policy', reason: `key of ${bits} bits is too weak` };
  if (bits > maxRsaBits) return { kind: 'none', result: 'policy', reason: `key of ${bits} bits is too large` };
  if (publicExponent > MAX_EXPONENT) return { kind: 'none', result: 'policy', reason: 'key exponent is too large' };
  return { kind: 'key', key, bits, testing, strictIdentity, granularity };
}

const permanent = (reason: string): KeyResult => ({ kind: 'none', result: 'permerror', reason });

function misfit(tags: TagList, algorithm: SignatureAlgorithm): string | undefined {
  const [first] = tags.keys();
  const version = tags.get('v');
  if (version !== undefined && (version !== 'DKIM1' || first !== 'v')) return 'v=';
  if (!tags.has('p')) return 'p= missing';
  const type = algorithm === 'rsa-sha256' ? 'rsa' : 'ed25519';
  if ((tags.get('k') ?? 'rsa').toLowerCase() !== type) return 'k= of another algorithm';
  const hashes = tags.get('h');
  if (hashes !== undefined && !splitColons(hashes.toLowerCase()).includes('sha256')) return 'h= without sha256';
  const services = splitColons((tags.get('s') ?? '*').toLowerCase());
  return services.includes('*') || services.includes('email') ? undefined : 's= without email';
}

function readKey(text: string, algorithm: SignatureAlgorithm): KeyObject | undefined {
  const octets = decodeBase64(text);
  if (octets === undefined) return undefined;
  try {
    if (algorithm === 'ed25519-sha256') {
      if (octets.length !== 32) return undefined;
      return createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: octets.toString('base64url') }, format: 'jwk' });
    }
    const key = readRsaKey(octets);
    return key.asymmetricKeyType === 'rsa' ? key : undefined;
  } catch {
    return undefined;
  }
}

/** SubjectPublicKeyInfo as everybody publishes it, or the bare RSAPublicKey the RFC speaks of. */
function readRsaKey(der: Buffer): KeyObject {
  try {
    return createPublicKey({ key: der, format: 'der', type: 'spki' });
  } catch {
    return createPublicKey({ key: der, format: 'der', type: 'pkcs1' });
  }
}
