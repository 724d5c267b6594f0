import { FakeClock } from '@postern/clock';
import { describe, expect, test } from 'vitest';
import { coversTenant, createScopeSource, type Scope, signScope, verifyScope } from './scope.js';

const key = Buffer.alloc(32, 7);
const clock = new FakeClock();
const scope: Scope = { service: 'provisioning', tenant: 'acme', roles: ['admin', 'ü'], expiresAt: clock.now() + 1000 };
const token = signScope(scope, key);

function tampered(change: (body: unknown[]) => void): string {
  const [body = '', signature = ''] = token.split('.');
  const parsed: unknown[] = JSON.parse(Buffer.from(body, 'base64url').toString());
  change(parsed);
  return `${Buffer.from(JSON.stringify(parsed)).toString('base64url')}.${signature}`;
}

describe('verifyScope', () => {
  test('gives back what was signed', () => expect(verifyScope(token, key, clock)).toEqual({ ok: true, scope }));

  test.each([
    ['another key', token, Buffer.alloc(32, 8), 'signature'],
    ['another tenant', tampered((body) => body.splice(2, 1, '*')), key, 'signature'],
    ['a later end', tampered((body) => body.splice(4, 1, 9e15)), key, 'signature'],
    ['no signature', token.split('.')[0] ?? '', key, 'malformed'],
    ['an empty signature', `${token.split('.')[0]}.`, key, 'signature'],
    ['a cut signature', token.slice(0, -2), key, 'signature'],
    ['nothing', '', key, 'malformed'],
    ['far too much', `${'a'.repeat(5000)}.b`, key, 'malformed'],
  ])('refuses %s', (_name, text, usedKey, reason) => {
    expect(verifyScope(text, usedKey, clock)).toEqual({ ok: false, reason });
  });

  test('refuses from the moment it expires', async () => {
    const later = new FakeClock();
    await later.advance(999);
    expect(verifyScope(token, key, later).ok).toBe(true);
    await later.advance(1);
    expect(verifyScope(token, key, later)).toEqual({ ok: false, reason: 'expired' });
  });

  test('a short key is a configuration error, not a weak signature', () => {
    expect(() => signScope(scope, Buffer.alloc(16))).toThrow(/shorter than 32 bytes/);
  });
});

test('coversTenant', () => {
  expect([
    coversTenant(scope, 'acme'),
    coversTenant(scope, 'other'),
    coversTenant({ ...scope, tenant: '*' }, 'other'),
  ]).toEqual([true, false, true]);
});

test('a source signs anew at half the lifetime, also when the clock goes back', async () => {
  const moving = new FakeClock();
  const next = createScopeSource({ service: 'edge', key, clock: moving, lifetimeMs: 1000 });
  const first = next();
  await moving.advance(499);
  expect(next()).toBe(first);
  await moving.advance(1);
  expect(next()).not.toBe(first);
  moving.jumpTo(moving.now() - 100_000);
  expect(verifyScope(next(), key, moving).ok).toBe(true);
});
