import { createCipheriv, hkdfSync, randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { openSealed } from './secrets.js';

function seal(key: Buffer, tenant: string, text: string): Buffer {
  const nonce = randomBytes(12);
  const cipher = createCipheriv(
    'aes-256-gcm',
    Buffer.from(hkdfSync('sha256', key, tenant, 'postern-secrets', 32)),
    nonce,
  );
  return Buffer.concat([nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]);
}

test('a secret opens with the key and tenant it was sealed for, and with nothing else', () => {
  const key = randomBytes(32);
  const sealed = seal(key, 'acme', 'relay password');
  expect(openSealed(sealed, key, 'acme')?.toString()).toBe('relay password');
  expect(openSealed(sealed, key, 'other')).toBeUndefined();
  expect(openSealed(sealed, randomBytes(32), 'acme')).toBeUndefined();
  expect(openSealed(sealed.subarray(0, 20), key, 'acme')).toBeUndefined();
  const changed = Buffer.from(sealed);
  changed.writeUInt8((changed[15] ?? 0) ^ 1, 15);
  expect(openSealed(changed, key, 'acme')).toBeUndefined();
});
