/** A message with an ARC chain of one or two sets, sealed here by the letter of RFC 8617 with fields that are canonical as they stand; and its keys. */
import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import type { ZoneData } from '@postern/dns/testing';

const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const key = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32).toString('base64');
const body = 'body\r\n';
const bodyHash = createHash('sha256').update(body).digest('base64');

/** RFC 8463 §3: what is signed is the SHA-256 digest. */
const signatureOf = (text: string): string =>
  sign(null, createHash('sha256').update(text).digest(), privateKey).toString('base64');
const canonical = (field: string): string =>
  `${field.slice(0, field.indexOf(':')).toLowerCase()}:${field.slice(field.indexOf(':') + 2)}`;

export interface Sealing {
  readonly sealer: string;
  /** Of ARC-Authentication-Results behind the instance. */
  readonly results: string;
}

/** Line ends are LF, as the tests of this service want them. */
export function sealedMessage(from: string, sealings: readonly Sealing[]): string {
  const own = [`From: ${from}`, 'Subject: hello'];
  const signed = own.map((field) => `${canonical(field)}\r\n`).join('');
  const fields: string[] = [];
  let before = '';
  for (const [index, { sealer, results }] of sealings.entries()) {
    const i = index + 1;
    const recorded = `ARC-Authentication-Results: i=${i}; ${results}`;
    const names = `d=${sealer}; s=seal`;
    const signature = `ARC-Message-Signature: i=${i}; a=ed25519-sha256; c=relaxed/relaxed; ${names}; h=from:subject; bh=${bodyHash}; b=`;
    const wholeSignature = signature + signatureOf(signed + canonical(signature));
    const seal = `ARC-Seal: i=${i}; a=ed25519-sha256; cv=${i === 1 ? 'none' : 'pass'}; ${names}; b=`;
    const covered = `${before}${canonical(recorded)}\r\n${canonical(wholeSignature)}\r\n`;
    const wholeSeal = seal + signatureOf(covered + canonical(seal));
    before = `${covered}${canonical(wholeSeal)}\r\n`;
    fields.unshift(wholeSeal, wholeSignature, recorded);
  }
  return `${[...fields, ...own].join('\n')}\n\n${body.replaceAll('\r\n', '\n')}`;
}

export const sealZone = (...sealers: readonly string[]): ZoneData =>
  Object.fromEntries(sealers.map((name) => [`seal._domainkey.${name}`, { TXT: [`v=DKIM1; k=ed25519; p=${key}`] }]));
