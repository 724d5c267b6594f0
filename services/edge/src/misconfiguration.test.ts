import { FakeClock } from '@postern/clock';
import { expect, it } from 'vitest';
import { MisconfigurationGuard } from './misconfiguration.js';

function guarded() {
  const said: string[] = [];
  const clock = new FakeClock();
  const guard = new MisconfigurationGuard({
    clock,
    onSuspected: (listener, kind, address) => said.push(`${listener} ${kind} ${address}`),
  });
  /** How many of the sessions were told that their address is suspected. */
  const sessions = (address: string, count: number): number =>
    Array.from({ length: count }, () => guard.session('mx', address)).filter(Boolean).length;
  return { guard, clock, said, sessions };
}

it.each([
  ['a private address', '10.1.2.3', true],
  ['a private address of IPv6', 'fd00::1', true],
  ['a public address', '203.0.113.9', false],
  ['loopback', '127.0.0.1', false],
])('nearly all sessions from %s', (_name, address, suspected) => {
  const { sessions, said } = guarded();
  expect(sessions(address, 199)).toBe(0);
  expect(sessions(address, 10)).toBe(suspected ? 10 : 0);
  expect(said).toEqual(suspected ? [`mx source_nat ${address}`] : []);
});

it('many sessions from many addresses are no sign of NAT', () => {
  const { sessions, said } = guarded();
  for (let round = 0; round < 50; round++) for (let host = 1; host < 20; host++) sessions(`10.0.0.${host}`, 1);
  expect(said).toEqual([]);
});

it('ends when other addresses come, and outlives a quiet time while nothing else is known', async () => {
  const { sessions, clock } = guarded();
  expect(sessions('10.0.0.1', 300)).toBe(101);
  await clock.advance(600_000);
  expect(sessions('10.0.0.1', 1)).toBe(1);
  for (let host = 1; host < 250; host++) sessions(`192.0.2.${host}`, 1);
  expect(sessions('10.0.0.1', 1)).toBe(0);
});

it('says the same of a listener once a minute', async () => {
  const { guard, clock, said } = guarded();
  guard.suspect('mx', 'missing_proxy', '192.0.2.1');
  guard.suspect('mx', 'missing_proxy', '192.0.2.2');
  guard.suspect('other', 'missing_proxy', '192.0.2.3');
  await clock.advance(60_000);
  guard.suspect('mx', 'missing_proxy', '192.0.2.4');
  expect(said).toEqual(['mx missing_proxy 192.0.2.1', 'other missing_proxy 192.0.2.3', 'mx missing_proxy 192.0.2.4']);
});
