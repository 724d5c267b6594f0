/**
 * Sealed secrets (design.md, Trust): AES-256-GCM under a data key per tenant, derived from the key file that only provisioning and
 * delivery hold. Form: nonce 12 | ciphertext | tag 16. Plain text never reaches a log, an error or the database.
 */
import { createCipheriv, createDecipheriv, createHmac, hkdfSync } from 'node:crypto';
import type { Random } from '@postern/clock';
import { PosternError } from '@postern/errors';

const keyBytes = 32;
const nonceBytes = 12;
const tagBytes = 16;
const cachedKeys = 1_000;

export interface Sealer {
  seal(tenant: string, plain: string): Buffer;
  /** Undefined when it was sealed with another key or is damaged. */
  open(tenant: string, sealed: Uint8Array): string | undefined;
  /** Keyed digest for comparisons; `purpose` keeps digests of different uses apart. */
  digest(purpose: string, text: string): Buffer;
}

export function createSealer(key: Buffer, random: Random): Sealer {
  if (key.length !== keyBytes) {
    throw new PosternError('config-invalid', `provisioning.sealKeyFile: ${key.length} bytes; expected ${keyBytes}`);
  }
  const dataKeys = new Map<string, Buffer>();
  const derive = (salt: string, info: string): Buffer => Buffer.from(hkdfSync('sha256', key, salt, info, keyBytes));
  const dataKey = (tenant: string): Buffer => {
    const known = dataKeys.get(tenant);
    if (known !== undefined) return known;
    if (dataKeys.size >= cachedKeys) dataKeys.clear();
    const fresh = derive(tenant, 'postern-secrets');
    dataKeys.set(tenant, fresh);
    return fresh;
  };
  return {
    seal(tenant, plain) {
      const nonce = random.bytes(nonceBytes);
      const cipher = createCipheriv('aes-256-gcm', dataKey(tenant), nonce);
      return Buffer.concat([nonce, cipher.update(plain, 'utf8'), cipher.final(), cipher.getAuthTag()]);
    },
    open(tenant, sealed) {
      if (sealed.length < nonceBytes + tagBytes) return undefined;
      const decipher = createDecipheriv('aes-256-gcm', dataKey(tenant), sealed.subarray(0, nonceBytes));
      decipher.setAuthTag(sealed.subarray(sealed.length - tagBytes));
      try {
        const body = decipher.update(sealed.subarray(nonceBytes, sealed.length - tagBytes));
        return Buffer.concat([body, decipher.final()]).toString('utf8');
      } catch {
        return undefined;
      }
    },
    digest: (purpose, text) => createHmac('sha256', derive('', purpose)).update(text, 'utf8').digest(),
  };
}

/** Key in SECRETS of the password of one host of a route. The operator's next hops are tenant `system`. */
export const routeSecretKey = (tenant: string, route: string, index: number): string =>
  `route.${tenant}.${route}.${index}`;

/** Key in SECRETS of a private DKIM key. Selectors hold no dots, so the parts can be told apart. */
export const dkimSecretKey = (tenant: string, domain: string, selector: string): string =>
  `dkim.${tenant}.${domain}.${selector}`;
