/**
 * Makes DKIM signatures, one per key, over one pass of the body: relaxed/relaxed, rsa-sha256 or ed25519-sha256.
 * Fields that matter to a reader are oversigned: named once more than they occur, so that adding one breaks the
 * signature (RFC 6376 §8.15). Trace fields and those that relays change are left out (§5.4.1).
 */
import { createPrivateKey, type KeyObject } from 'node:crypto';
import type { Clock } from '@postern/clock';
import { HeaderField } from '@postern/mail-message';
import { BodyHash } from './body-hash.js';
import { canonicalField, canonicalSignatureField, selectFields } from './canonical-header.js';
import type { SignatureAlgorithm } from './signature.js';
import { makeSignature } from './verify-signature.js';

export interface SigningKey {
  readonly domain: string;
  readonly selector: string;
  readonly privateKey: KeyObject;
}

export interface SigningOptions {
  readonly keys: readonly SigningKey[];
  readonly clock: Clock;
  /** Sets x=. Default: no expiry. */
  readonly lifetimeSeconds?: number;
  /** Named once more than they occur, even when they do not occur. */
  readonly oversigned?: readonly string[];
  /** Named once more than they occur, where they occur. */
  readonly signed?: readonly string[];
}

const OVERSIGNED = ['From', 'Subject', 'To', 'Cc', 'Reply-To'];
const SIGNED = [
  'Date',
  'Message-ID',
  'Sender',
  'In-Reply-To',
  'References',
  'MIME-Version',
  'Content-Type',
  'Content-Transfer-Encoding',
  'Content-Disposition',
  'List-Id',
  'List-Unsubscribe',
  'List-Unsubscribe-Post',
  'List-Post',
];

export class DkimSigner {
  readonly #options: SigningOptions;
  readonly #fields: readonly HeaderField[];
  readonly #body = new BodyHash('relaxed', 'sha256');

  constructor(fields: readonly HeaderField[], options: SigningOptions) {
    this.#fields = fields;
    this.#options = options;
  }

  update(chunk: Uint8Array): void {
    this.#body.update(chunk);
  }

  /** Whole header fields with their line ends, one per key in order, to be put on top of the message. */
  finish(): string[] {
    const bodyHash = this.#body.digest().toString('base64');
    const names = namesToSign(this.#fields, this.#options);
    let signed = '';
    for (const field of selectFields(this.#fields, names)) signed += canonicalField(field, 'relaxed');
    return this.#options.keys.map((key) => this.#sign(key, bodyHash, names, signed));
  }

  #sign(
    { domain, selector, privateKey }: SigningKey,
    bodyHash: string,
    names: readonly string[],
    signed: string,
  ): string {
    const { clock, lifetimeSeconds } = this.#options;
    const algorithm = algorithmOf(privateKey);
    const now = Math.floor(clock.now() / 1000);
    const times = lifetimeSeconds === undefined ? `t=${now}` : `t=${now}; x=${now + lifetimeSeconds}`;
    const field =
      `DKIM-Signature: v=1; a=${algorithm}; c=relaxed/relaxed; d=${domain};\r\n\ts=${selector}; ${times};\r\n` +
      `\th=${fold(names, ':')};\r\n\tbh=${bodyHash};\r\n\tb=`;
    const colon = field.indexOf(':');
    const unsigned = new HeaderField('DKIM-Signature', Buffer.from(field, 'latin1'), colon + 1);
    const text = signed + canonicalSignatureField(unsigned, 'relaxed');
    const signature = makeSignature(algorithm, privateKey, text).toString('base64');
    return `${field}${fold(signature.match(/.{1,72}/g) ?? [], '')}\r\n`;
  }
}

export function readSigningKey(domain: string, selector: string, pem: string): SigningKey {
  const privateKey = createPrivateKey(pem);
  algorithmOf(privateKey);
  return { domain, selector, privateKey };
}

function algorithmOf(key: KeyObject): SignatureAlgorithm {
  if (key.asymmetricKeyType === 'rsa') return 'rsa-sha256';
  if (key.asymmetricKeyType === 'ed25519') return 'ed25519-sha256';
  throw new TypeError(`a DKIM key is RSA or Ed25519, not ${key.asymmetricKeyType}`);
}

function namesToSign(fields: readonly HeaderField[], { oversigned = OVERSIGNED, signed = SIGNED }: SigningOptions) {
  const counts = new Map<string, number>();
  for (const { key } of fields) counts.set(key, (counts.get(key) ?? 0) + 1);
  const names: string[] = [];
  for (const name of oversigned) names.push(...repeat(name, (counts.get(name.toLowerCase()) ?? 0) + 1));
  for (const name of signed) {
    const count = counts.get(name.toLowerCase()) ?? 0;
    if (count > 0) names.push(...repeat(name, count + 1));
  }
  return names;
}

const repeat = (name: string, count: number): string[] => new Array<string>(count).fill(name);

/** Joins, going to a new line before 76 columns. */
function fold(parts: readonly string[], separator: string): string {
  let text = '';
  let column = 8;
  for (const [index, part] of parts.entries()) {
    const piece = index < parts.length - 1 ? part + separator : part;
    if (column + piece.length > 76 && index > 0) {
      text += '\r\n\t ';
      column = 9;
    }
    text += piece;
    column += piece.length;
  }
  return text;
}
