import { createHash, createHmac, pbkdf2Sync } from 'node:crypto';
import { FakeClock, seededRandom } from '@postern/clock';
import { expect, test } from 'vitest';
import { createSealer } from '../secrets/seal.js';
import { createHashSlots } from './hash-slots.js';
import { fakeVerifier, hashPassword, readScramVerifier, verifyPassword } from './password.js';
import { createVerifiedCache } from './verified-cache.js';

const random = seededRandom(1);

test('a password verifies against its own verifier only, in every Unicode form of it', async () => {
  const { password } = await hashPassword('pa\u00df\u00e9 word', random);
  expect(password).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
  expect(await verifyPassword('pa\u00dfe\u0301\u00a0word', password)).toBe(true);
  expect(await verifyPassword('passe word', password)).toBe(false);
  expect(await verifyPassword('x', fakeVerifier(random))).toBe(false);
  expect(await verifyPassword('x', 'plain:x')).toBe(false);
});

test('the SCRAM verifier is that of RFC 5802', async () => {
  const verifier = readScramVerifier((await hashPassword('pencil-1', random)).scram);
  if (verifier === undefined) throw new Error('unreadable');
  const salted = pbkdf2Sync('pencil-1', verifier.salt, verifier.iterations, 32, 'sha256');
  const clientKey = createHmac('sha256', salted).update('Client Key').digest();
  expect(verifier.iterations).toBe(4096);
  expect(verifier.storedKey).toEqual(createHash('sha256').update(clientKey).digest());
  expect(readScramVerifier('SCRAM-SHA-256$x')).toBeUndefined();
});

test('hash slots bound what runs and what waits', async () => {
  const slots = createHashSlots(2, 1);
  const gates = [0, 1, 2].map(() => Promise.withResolvers<number>());
  let running = 0;
  let most = 0;
  const work = (index: number) => async (): Promise<number> => {
    most = Math.max(most, ++running);
    const value = await gates[index]?.promise;
    running--;
    return value ?? -1;
  };
  const results = [0, 1, 2].map((index) => slots.run(work(index)));
  expect(slots.waiting()).toBe(1);
  await expect(slots.run(work(0))).rejects.toMatchObject({ id: 'credentials-unavailable' });
  for (const [index, gate] of gates.entries()) gate.resolve(index);
  expect(await Promise.all(results)).toEqual([0, 1, 2]);
  expect(most).toBe(2);
  await expect(slots.run(() => Promise.reject(new Error('x')))).rejects.toThrow('x');
  expect(await slots.run(() => Promise.resolve(7))).toBe(7);
});

test('a right password is remembered for its time and for its verifier', async () => {
  const clock = new FakeClock();
  const cache = createVerifiedCache({ clock, random, forMs: 1_000 });
  cache.add(cache.keyOf('v1', 'p'));
  expect([cache.has(cache.keyOf('v1', 'p')), cache.has(cache.keyOf('v2', 'p'))]).toEqual([true, false]);
  await clock.advance(1_001);
  expect(cache.has(cache.keyOf('v1', 'p'))).toBe(false);
  const off = createVerifiedCache({ clock, random, forMs: 0 });
  off.add(off.keyOf('v', 'p'));
  expect(off.has(off.keyOf('v', 'p'))).toBe(false);
});

test('a secret opens for its tenant and key only, and not when a bit was changed', () => {
  const sealer = createSealer(Buffer.alloc(32, 1), random);
  const sealed = sealer.seal('acme', 's3cret');
  expect(sealer.open('acme', sealed)).toBe('s3cret');
  expect(sealer.open('beta', sealed)).toBeUndefined();
  expect(createSealer(Buffer.alloc(32, 2), random).open('acme', sealed)).toBeUndefined();
  const changed = Buffer.from(sealed);
  changed.writeUInt8(changed.readUInt8(15) ^ 1, 15);
  expect(sealer.open('acme', changed)).toBeUndefined();
  expect(sealer.open('acme', Buffer.alloc(5))).toBeUndefined();
  expect(() => createSealer(Buffer.alloc(31), random)).toThrow(/sealKeyFile: 31 bytes; expected 32/);
});
