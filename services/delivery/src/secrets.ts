/**
 * Opens what provisioning sealed in the bucket SECRETS: AES-256-GCM, nonce 12 bytes | ciphertext | tag 16 bytes, data key per tenant by HKDF
 * from the key file (design.md, Trust). Opened values stay in memory only, for a minute, and never reach a log or an error.
 */
import { createDecipheriv, hkdfSync } from 'node:crypto';
import type { Clock } from '@postern/clock';
import type { Bucket } from '@postern/stream';

const nonceBytes = 12;
const tagBytes = 16;
const keepMs = 60_000;
const maxKept = 10_000;

export type SecretResult =
  | { readonly kind: 'value'; readonly value: Buffer }
  | { readonly kind: 'missing' | 'unreadable' | 'away' };

export interface Secrets {
  get(tenant: string, name: string): Promise<SecretResult>;
}

export function openSealed(sealed: Uint8Array, sealKey: Buffer, tenant: string): Buffer | undefined {
  if (sealed.length < nonceBytes + tagBytes) return undefined;
  const bytes = Buffer.from(sealed);
  const dataKey = Buffer.from(hkdfSync('sha256', sealKey, tenant, 'postern-secrets', 32));
  const decipher = createDecipheriv('aes-256-gcm', dataKey, bytes.subarray(0, nonceBytes));
  decipher.setAuthTag(bytes.subarray(bytes.length - tagBytes));
  try {
    return Buffer.concat([decipher.update(bytes.subarray(nonceBytes, bytes.length - tagBytes)), decipher.final()]);
  } catch {
    return undefined;
  }
}

export function createSecrets(bucket: Bucket, sealKey: Buffer, clock: Clock): Secrets {
  const kept = new Map<string, { readonly until: number; readonly value: Buffer }>();
  return {
    async get(tenant, name) {
      const id = `${tenant}\0${name}`;
      const hit = kept.get(id);
      if (hit !== undefined && hit.until > clock.monotonic()) return { kind: 'value', value: hit.value };
      const entry = await bucket.get(name).catch(() => 'away' as const);
      if (entry === 'away') return { kind: 'away' };
      if (entry?.value === undefined) return { kind: 'missing' };
      const value = openSealed(entry.value, sealKey, tenant);
      if (value === undefined) return { kind: 'unreadable' };
      if (kept.size >= maxKept) kept.clear();
      kept.set(id, { until: clock.monotonic() + keepMs, value });
      return { kind: 'value', value };
    },
  };
}
